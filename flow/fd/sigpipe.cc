#include "flow/fd/sigpipe.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>

#include "flow/sys/own_thread.h"

namespace flow {
namespace internal {
namespace {

// Linux 6.18, include/uapi/linux/fs.h; no C library has it yet.
constexpr int kNoSignal = 0x00000100;

// What is known of the kernel: a cached probe, the same for every thread.
enum class Support : uint8_t { kUnknown, kYes, kNo };
std::atomic<Support> no_signal_support{Support::kUnknown};

sigset_t JustSigpipe() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  return set;
}

// The answers of kernels that don't know a flag: pwritev2(2), and those of
// sandboxes that imitate Linux. The flags are looked at before anything moves.
bool Refused(ssize_t n) {
  return n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL);
}

ssize_t PlainWrite(Syscalls* sys, int fd, absl::Span<const iovec> from,
                   int rwf_flags) {
  const int count = static_cast<int>(from.size());
  if (rwf_flags != 0) return sys->Writev2(fd, from.data(), count, rwf_flags);
  if (count == 1) return sys->Write(fd, from[0].iov_base, from[0].iov_len);
  return sys->Writev(fd, from.data(), count);
}

size_t TotalOf(absl::Span<const iovec> from) {
  size_t total = 0;
  for (const iovec& piece : from) total += piece.iov_len;
  return total;
}

ssize_t GuardedWrite(Syscalls* sys, int fd, absl::Span<const iovec> from,
                     int rwf_flags) {
  SigpipeGuard guard(sys);
  const ssize_t n = PlainWrite(sys, fd, from, rwf_flags);
  // A write that blocks (poll said there was room, another writer was faster)
  // can move some bytes and then lose its reader: a short count *and* a
  // SIGPIPE.
  if (n >= 0 && static_cast<size_t>(n) == TotalOf(from)) guard.NoneCame();
  return n;
}

}  // namespace

SigpipeGuard::SigpipeGuard(Syscalls* sys) : sys_(sys) {
  if (SigpipeIsBlockedForGood()) return;
  sigset_t pending;
  if (sys_->SigPending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1) {
    // Pending means blocked, and another one merges with it.
    return;
  }
  const sigset_t sigpipe = JustSigpipe();
  sigset_t before;
  if (sys_->SigMask(SIG_BLOCK, &sigpipe, &before) != 0) return;
  take_ = true;
  unblock_ = sigismember(&before, SIGPIPE) == 0;
}

SigpipeGuard::~SigpipeGuard() {
  const int saved = errno;
  const sigset_t sigpipe = JustSigpipe();
  if (take_) {
    // EINTR: a handler of the user's ran first; nothing was taken yet.
    while (sys_->SigTake(&sigpipe) < 0 && errno == EINTR) {
    }
  }
  if (unblock_) sys_->SigMask(SIG_UNBLOCK, &sigpipe, nullptr);
  errno = saved;
}

ssize_t WriteWithoutSigpipe(Syscalls* sys, int fd, absl::Span<const iovec> from,
                            int rwf_flags) {
  if (SigpipeIsBlockedForGood()) return PlainWrite(sys, fd, from, rwf_flags);
  const Support support = no_signal_support.load(std::memory_order_relaxed);
  if (support == Support::kNo) return GuardedWrite(sys, fd, from, rwf_flags);

  const ssize_t n = PlainWrite(sys, fd, from, rwf_flags | kNoSignal);
  if (!Refused(n)) {
    // Even a failure proves that the flag is known: it is checked first.
    if (support == Support::kUnknown) {
      no_signal_support.store(Support::kYes, std::memory_order_relaxed);
    }
    return n;
  }
  // Either this flag is not known, or the caller's is not for this fd, or the
  // fd refuses any write: without the flag it will be seen.
  const ssize_t again = GuardedWrite(sys, fd, from, rwf_flags);
  if (!Refused(again) && support == Support::kUnknown) {
    no_signal_support.store(Support::kNo, std::memory_order_relaxed);
  }
  return again;
}

}  // namespace internal
}  // namespace flow
