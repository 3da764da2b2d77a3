#include "flow/net/pty.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/changed_fields.h"
#include "flow/endpoint.h"
#include "flow/fd/fd.h"
#include "flow/handle_use.h"
#include "flow/net/spawning.h"
#include "flow/status.h"

namespace flow {
namespace {

constexpr char kPty[] = "a new pty";

winsize ToKernel(const WindowSize& size) {
  winsize kernel = {};
  kernel.ws_row = size.rows;
  kernel.ws_col = size.columns;
  kernel.ws_xpixel = size.width;
  kernel.ws_ypixel = size.height;
  return kernel;
}

absl::Status SetUp(Syscalls* sys, int slave, const PtyOptions& options) {
  const winsize size = ToKernel(options.size);
  if (sys->SetWindowSize(slave, &size) != 0) {
    return ErrnoStatus(errno, "ioctl(TIOCSWINSZ)", kPty);
  }
  if (!options.raw) return absl::OkStatus();
  termios mode;
  if (sys->Tcgetattr(slave, &mode) != 0) {
    return ErrnoStatus(errno, "tcgetattr", kPty);
  }
  cfmakeraw(&mode);
  if (sys->Tcsetattr(slave, TCSANOW, &mode) != 0) {
    return ErrnoStatus(errno, "tcsetattr", kPty);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Pty> OpenPty(const PtyOptions& options) {
  Syscalls* const sys = options.sys != nullptr ? options.sys : Syscalls::Real();
  // Nobody else has this description: nothing blocks on it.
  UniqueFd master(sys->Open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK, 0),
                  sys);
  if (!master.valid()) return ErrnoStatus(errno, "open", "/dev/ptmx");
  if (sys->PtyUnlock(master.get()) != 0) {
    return ErrnoStatus(errno, "ioctl(TIOCSPTLCK)", kPty);
  }
  Pty pty;
  pty.slave = UniqueFd(sys->PtySlave(master.get()), sys);
  if (!pty.slave.valid()) {
    return ErrnoStatus(errno, "ioctl(TIOCGPTPEER)", kPty);
  }
  if (absl::Status s = SetUp(sys, pty.slave.get(), options); !s.ok()) return s;
  FdOptions fd_options;
  fd_options.sys = sys;
  // By which others may open it.
  fd_options.peer = Endpoint::Named(
      absl::StrCat("pty /dev/pts/", sys->PtyNumber(master.get())));
  absl::StatusOr<Flow> flow = Adopt(std::move(master), fd_options);
  if (!flow.ok()) return flow.status();
  pty.master = *std::move(flow);
  return pty;
}

absl::StatusOr<Subprocess> SpawnOnPty(const std::vector<std::string>& argv,
                                      const PtyOptions& pty,
                                      const SpawnOptions& options) {
  PtyOptions pty_options = pty;
  pty_options.sys = options.sys;
  absl::StatusOr<Pty> made = OpenPty(pty_options);
  if (!made.ok()) return made.status();
  internal::Terminal terminal;
  terminal.slave = std::move(made->slave);
  terminal.master = std::move(made->master);
  return internal::SpawnWith(argv, options, &terminal);
}

absl::StatusOr<WindowSize> GetWindowSize(const Flow& terminal) {
  winsize kernel = {};
  const absl::Status asked = internal::UseHandle(
      terminal, "ioctl(TIOCGWINSZ)",
      [&](Syscalls* sys, int fd) { return sys->GetWindowSize(fd, &kernel); });
  if (!asked.ok()) return asked;
  WindowSize size;
  size.rows = kernel.ws_row;
  size.columns = kernel.ws_col;
  size.width = kernel.ws_xpixel;
  size.height = kernel.ws_ypixel;
  return size;
}

absl::Status SetWindowSize(const Flow& terminal, const WindowSize& size) {
  const winsize kernel = ToKernel(size);
  return internal::UseHandle(
      terminal, "ioctl(TIOCSWINSZ)",
      [&](Syscalls* sys, int fd) { return sys->SetWindowSize(fd, &kernel); });
}

std::string WindowSize::ToString() const {
  return absl::StrCat(rows, " x ", columns);
}

std::string Pty::ToString() const {
  return absl::StrCat("master: ", master.ToString(),
                      "; slave: ", slave.ToString());
}

std::string PtyOptions::ToString() const {
  const PtyOptions usual;
  return internal::ChangedFields()
      .Given("sys", sys != nullptr)
      .Add("size", size, usual.size)
      .Add("raw", raw, usual.raw)
      .Text();
}

}  // namespace flow
