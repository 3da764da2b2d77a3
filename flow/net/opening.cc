#include "flow/net/opening.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>

#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/endpoint.h"
#include "flow/fd/fd.h"
#include "flow/net/option_text.h"
#include "flow/net/pty.h"
#include "flow/net/subprocess.h"
#include "flow/sleeper.h"
#include "flow/status.h"
#include "flow/sys/unique_fd.h"
#include "flow/transport.h"

namespace flow {
namespace internal {
namespace {

// As other programs make files.
constexpr mode_t kDefaultFileMode = 0666;
// Two or three system calls each time (P4).
constexpr absl::Duration kFifoPause = absl::Milliseconds(200);

int FlagsOf(const Address& address) {
  const bool writes = address.IsOn("write") || address.IsOn("append");
  const bool reads = address.IsOn("read", !writes);
  int flags = reads && writes ? O_RDWR : writes ? O_WRONLY : O_RDONLY;
  if (address.IsOn("append")) flags |= O_APPEND;
  if (address.IsOn("truncate")) flags |= O_TRUNC;
  if (address.IsOn("create")) flags |= O_CREAT;
  // Opening must not wait for a FIFO's other end or a modem's carrier, nor make
  // a terminal ours.
  return flags | O_NONBLOCK | O_NOCTTY;
}

bool IsFifo(Syscalls* sys, const std::string& path) {
  struct stat what;
  return sys->Lstat(path.c_str(), &what) == 0 && S_ISFIFO(what.st_mode);
}

FdOptions Options(Syscalls* sys) {
  FdOptions options;
  options.sys = sys;
  return options;
}

}  // namespace

absl::StatusOr<Flow> OpenFds(const Address& address, Syscalls* sys) {
  if (!address.IsOn("own")) {
    return Borrow(address.in_fd, address.out_fd, Options(sys));
  }
  UniqueFd in(address.in_fd, sys);
  if (address.in_fd == address.out_fd) {
    return Adopt(std::move(in), Options(sys));
  }
  return Adopt(std::move(in), UniqueFd(address.out_fd, sys), Options(sys));
}

absl::StatusOr<Flow> OpenFile(const Address& address, const Limits& limits,
                              Syscalls* sys) {
  const int flags = FlagsOf(address);
  const std::string* const mode = address.FindOption("mode");
  const mode_t bits = mode == nullptr
                          ? kDefaultFileMode
                          : ParseMode(*mode).value_or(kDefaultFileMode);
  Sleeper sleeper(sys, limits, nullptr);
  for (;;) {
    sleeper.Arm();
    if (const Woke passed = sleeper.Check(); passed != Woke::kRetry) {
      return LimitStatus(passed, "open", address.ToString(), 0);
    }
    UniqueFd fd(sys->Open(address.path.c_str(), flags, bits), sys);
    if (fd.valid()) return Adopt(std::move(fd), Options(sys));
    const int error = errno;
    if (error == EINTR) continue;
    // fifo(7): a writer that would not wait, and no reader yet. Nothing can be
    // polled for that.
    if (error != ENXIO || !IsFifo(sys, address.path)) {
      return ErrnoStatus(error, "open", address.ToString());
    }
    const Woke woke = sleeper.Sleep(Wait::Until(sys->Now() + kFifoPause));
    if (woke != Woke::kRetry) {
      return LimitStatus(woke, "open", address.ToString(), 0);
    }
  }
}

absl::StatusOr<Flow> OpenTerminal(const Address& address, Syscalls* sys) {
  UniqueFd master(sys->Open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK, 0),
                  sys);
  if (!master.valid()) return ErrnoStatus(errno, "open", "/dev/ptmx");
  if (sys->PtyUnlock(master.get()) != 0) {
    return ErrnoStatus(errno, "ioctl(TIOCSPTLCK)", address.ToString());
  }
  // [run] Through the master. The other side is not opened here: who closes it
  // as the last gives the master its Eof, and that is to be whoever uses it.
  // Until it is opened for the first time reads wait, and what is written
  // stays.
  if (address.IsOn("raw", true)) {
    termios mode;
    if (sys->Tcgetattr(master.get(), &mode) != 0) {
      return ErrnoStatus(errno, "tcgetattr", address.ToString());
    }
    cfmakeraw(&mode);
    if (sys->Tcsetattr(master.get(), TCSANOW, &mode) != 0) {
      return ErrnoStatus(errno, "tcsetattr", address.ToString());
    }
  }
  FdOptions options = Options(sys);
  const int number = sys->PtyNumber(master.get());
  if (number >= 0) {
    options.local = Endpoint::Named("pty master");
    options.peer = Endpoint::Named(absl::StrCat("pty /dev/pts/", number));
  }
  return Adopt(std::move(master), options);
}

absl::StatusOr<Flow> OpenCommand(const Address& address, Syscalls* sys) {
  const std::vector<std::string> argv = {"/bin/sh", "-c", address.path};
  SpawnOptions options;
  options.sys = sys;
  if (!address.IsOn("pty")) return SpawnFlow(argv, options);
  absl::StatusOr<Subprocess> process = SpawnOnPty(argv, {}, options);
  if (!process.ok()) return process.status();
  return IntoFlow(*std::move(process));
}

}  // namespace internal
}  // namespace flow
