#include "flow/fd/fd_end.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/fd/sigpipe.h"

namespace flow {
namespace internal {
namespace {

#ifdef RWF_NOWAIT
constexpr int kNoWaitFlag = RWF_NOWAIT;
#else
constexpr int kNoWaitFlag = 0x8;
#endif

// What poll's "writable" is worth on a description that may block. A pipe is
// writable when a page is free (pipe(7): writes of up to PIPE_BUF, 4096, are
// atomic), a terminal when 256 bytes are (drivers/tty/n_tty.c, WAKEUP_CHARS).
constexpr size_t kPolledPipeBytes = 4096;
constexpr size_t kPolledOtherBytes = 256;

constexpr uint8_t kMaxBackoffMs = 50;

ssize_t AsIfNotReady() {
  errno = EAGAIN;
  return -1;
}

// RWF_NOWAIT is not for this fd (FIFOs, [run] Linux 6.18; any pipe before 6.4),
// or not known here. Nothing has been moved.
bool NoWaitRefused(int error) {
  return error == EOPNOTSUPP || error == ENOSYS || error == EINVAL;
}

}  // namespace

absl::Span<const iovec> Trim(absl::Span<const iovec> pieces, size_t max_bytes,
                             iovec& cut) {
  pieces = pieces.first(std::min(pieces.size(), kMaxIovecs));
  size_t room = max_bytes;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].iov_len <= room) {
      room -= pieces[i].iov_len;
      continue;
    }
    if (i > 0) return pieces.first(i);
    cut = {pieces[0].iov_base, max_bytes};
    return absl::MakeConstSpan(&cut, 1);
  }
  return pieces;
}

FdEnd::Way FdEnd::WayFor(FdKind kind, bool owned) {
  switch (kind) {
    case FdKind::kTcp:
    case FdKind::kUnix:
    case FdKind::kSocket:
      return Way::kSocket;
    case FdKind::kPipe:
      return owned ? Way::kNonBlocking : Way::kNoWait;
    case FdKind::kTty:
      return Way::kNonBlocking;  // on a description of our own
    case FdKind::kFile:
      return Way::kPlain;
    case FdKind::kPtyMaster:  // [run] opening it anew gives a different pty
    case FdKind::kOther:
      return Way::kPollFirst;
  }
  return Way::kPollFirst;
}

SysCall FdEnd::CallFor(FdKind kind, bool for_writing) {
  if (for_writing) {
    return kind == FdKind::kTty ? SysCall::kTtyWrite : SysCall::kWrite;
  }
  return kind == FdKind::kPtyMaster ? SysCall::kPtyRead : SysCall::kRead;
}

FdEnd::FdEnd(Syscalls* sys, const FdFacts& facts, bool owned, bool for_writing,
             ErrorScope widest)
    : sys_(sys),
      facts_(facts),
      for_writing_(for_writing),
      call_(CallFor(facts.kind, for_writing)),
      widest_(widest),
      owned_(owned),
      way_(WayFor(facts.kind, owned)),
      fd_(facts.fd) {
  const bool there = for_writing ? facts.can_write : facts.can_read;
  // A terminal's description is shared with the shell and every other program
  // in it: even an owned one is left blocking.
  if (facts.kind == FdKind::kTty && there) OpenOwnDescription();
}

void FdEnd::OpenOwnDescription() {
  way_ = Way::kPollFirst;
  // O_NOCTTY: a terminal opened by a session leader without one would become
  // its controlling terminal. open(2) of a FIFO for writing doesn't wait for a
  // reader with O_NONBLOCK (ENXIO if there is none: poll first, then).
  const int flags =
      (for_writing_ ? O_WRONLY : O_RDONLY) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  UniqueFd own(
      sys_->Open(absl::StrCat("/proc/self/fd/", facts_.fd).c_str(), flags, 0),
      sys_);
  if (!own.valid()) return;
  struct stat found;
  if (sys_->Fstat(own.get(), &found) != 0 || found.st_dev != facts_.device ||
      found.st_ino != facts_.inode || found.st_rdev != facts_.rdev) {
    return;
  }
  own_description_ = std::move(own);
  fd_ = own_description_.get();
  way_ = Way::kNonBlocking;
}

bool FdEnd::Ready(short events) {
  pollfd look = {fd_, events, 0};
  // Errors, hang-ups and "not open" count: the call will say what is the
  // matter.
  return sys_->Poll(&look, 1, 0) > 0;
}

bool FdEnd::WentAway() const {
  // The original: a description that was opened after the last writer had left
  // never reports the hang-up (fs/pipe.c, fifo_open).
  pollfd look = {facts_.fd, 0, 0};
  return sys_->Poll(&look, 1, 0) > 0;
}

ssize_t FdEnd::ReadOnce(absl::Span<const iovec> into) {
  if (way_ == Way::kSocket && into.size() == 1 &&
      into[0].iov_len <= kMaxBytes) {
    return sys_->Recv(fd_, into[0].iov_base, into[0].iov_len, MSG_DONTWAIT);
  }
  iovec cut;
  into = Trim(into, kMaxBytes, cut);
  const int count = static_cast<int>(into.size());
  switch (way_) {
    case Way::kSocket: {
      // [run] recvmsg costs 400 ns a pair more than recv.
      if (count == 1) {
        return sys_->Recv(fd_, into[0].iov_base, into[0].iov_len, MSG_DONTWAIT);
      }
      msghdr message = {};
      message.msg_iov = const_cast<iovec*>(into.data());
      message.msg_iovlen = into.size();
      return sys_->Recvmsg(fd_, &message, MSG_DONTWAIT);
    }
    case Way::kNoWait:
      return sys_->Readv2(fd_, into.data(), count, kNoWaitFlag);
    case Way::kPollFirst:
      if (!Ready(POLLIN)) return AsIfNotReady();
      break;
    case Way::kNonBlocking:
    case Way::kPlain:
      break;
  }
  if (count == 1) return sys_->Read(fd_, into[0].iov_base, into[0].iov_len);
  return sys_->Readv(fd_, into.data(), count);
}

ssize_t FdEnd::WriteOnce(absl::Span<const iovec> from) {
  constexpr int kFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
  if (way_ == Way::kSocket && from.size() == 1 &&
      from[0].iov_len <= kMaxBytes) {
    return sys_->Send(fd_, from[0].iov_base, from[0].iov_len, kFlags);
  }
  const bool pipe = facts_.kind == FdKind::kPipe;
  size_t most = kMaxBytes;
  if (way_ == Way::kPollFirst) {
    if (!Ready(POLLOUT)) return AsIfNotReady();
    most = pipe ? kPolledPipeBytes : kPolledOtherBytes;
  }
  iovec cut;
  from = Trim(from, most, cut);
  const int count = static_cast<int>(from.size());
  if (way_ == Way::kSocket) {
    if (count == 1) {
      return sys_->Send(fd_, from[0].iov_base, from[0].iov_len, kFlags);
    }
    msghdr message = {};
    message.msg_iov = const_cast<iovec*>(from.data());
    message.msg_iovlen = from.size();
    return sys_->Sendmsg(fd_, &message, kFlags);
  }
  if (pipe) {
    return WriteWithoutSigpipe(sys_, fd_, from,
                               way_ == Way::kNoWait ? kNoWaitFlag : 0);
  }
  if (count == 1) return sys_->Write(fd_, from[0].iov_base, from[0].iov_len);
  return sys_->Writev(fd_, from.data(), count);
}

Attempt FdEnd::TryRead(absl::Span<const iovec> into) {
  for (;;) {
    const ssize_t n = ReadOnce(into);
    if (n > 0) return Attempt::Transferred(static_cast<size_t>(n));
    if (n == 0) return AtZero();
    const int error = errno;
    if (way_ == Way::kNoWait && NoWaitRefused(error)) {
      OpenOwnDescription();
    } else if (TreatmentOf(call_, error) != Treatment::kAgain) {
      return AfterError(error);
    }
  }
}

Attempt FdEnd::TryWrite(absl::Span<const iovec> from) {
  for (;;) {
    const ssize_t n = WriteOnce(from);
    if (n > 0) {
      backoff_ms_ = 0;
      return Attempt::Transferred(static_cast<size_t>(n));
    }
    // A write of more than nothing that moves nothing is not foreseen by
    // write(2); waiting for room is the harmless reading of it.
    const int error = n == 0 ? EAGAIN : errno;
    if (way_ == Way::kNoWait && NoWaitRefused(error)) {
      OpenOwnDescription();
    } else if (TreatmentOf(call_, error) != Treatment::kAgain) {
      return AfterError(error);
    }
  }
}

Attempt FdEnd::AtZero() {
  const Attempt wait = Attempt::WouldBlock(Wait::ForFd(fd_, POLLIN));
  if (facts_.kind == FdKind::kPipe) {
    // The read end of a FIFO that no writer has opened yet gives 0 too, if it
    // is non-blocking (fifo(7)); but poll shows no hang-up.
    return WentAway() ? Attempt::Eof() : wait;
  }
  if (facts_.kind == FdKind::kTty && !WentAway()) {
    // termios(3): with MIN 0 and no line editing, 0 means "nothing typed yet".
    // With line editing it is the user's ^D.
    termios mode;
    if (sys_->Tcgetattr(facts_.fd, &mode) == 0 &&
        (mode.c_lflag & tcflag_t{ICANON}) == 0) {
      return wait;
    }
  }
  return Attempt::Eof();
}

Attempt FdEnd::AfterError(int error) {
  switch (TreatmentOf(call_, error)) {
    case Treatment::kAgain:  // the caller's loop did that
    case Treatment::kWait:
      return Attempt::WouldBlock(
          Wait::ForFd(fd_, for_writing_ ? POLLOUT : POLLIN));
    case Treatment::kShortage:
      // Readiness says nothing here: the socket has room, the machine has none.
      backoff_ms_ =
          backoff_ms_ == 0
              ? uint8_t{1}
              : std::min<uint8_t>(static_cast<uint8_t>(backoff_ms_ * 2),
                                  kMaxBackoffMs);
      return Attempt::WouldBlock(
          Wait::Until(sys_->Now() + absl::Milliseconds(backoff_ms_)));
    case Treatment::kEnd:
      return for_writing_ ? Attempt::Failed(ErrorKind::kClosedByPeer,
                                            ErrorScope::kDirection)
                          : Attempt::Eof();
    case Treatment::kDone:
    case Treatment::kFail:
      break;
  }
  return widest_ == ErrorScope::kDirection
             ? Attempt::Failed(error, ErrorScope::kDirection)
             : Attempt::Failed(error);
}

RawEnd FdEnd::raw() const {
  RawEnd raw;
  raw.fd = fd_;
  raw.widest = widest_;
  raw.sys = sys_;
  // [run] SPLICE_F_NONBLOCK alone does not keep a blocking socket from
  // blocking: only where O_NONBLOCK has been set for good.
  const bool never_blocks = owned_ && fd_ >= 0;
  switch (facts_.kind) {
    case FdKind::kTcp:
      if (never_blocks) raw.kind = RawEnd::Kind::kTcp;
      break;
    case FdKind::kUnix:
    case FdKind::kSocket:
      if (never_blocks) raw.kind = RawEnd::Kind::kSocket;
      break;
    case FdKind::kPipe:
      if (never_blocks) raw.kind = RawEnd::Kind::kPipe;
      break;
    case FdKind::kFile:
      raw.kind = RawEnd::Kind::kFile;
      break;
    case FdKind::kTty:
    case FdKind::kPtyMaster:
    case FdKind::kOther:
      break;
  }
  return raw;
}

void FdEnd::Retire() { fd_ = -1; }

}  // namespace internal
}  // namespace flow
