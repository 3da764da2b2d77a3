#include "flow/relay/copy_jobs.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/state.h"
#include "flow/status.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {
namespace {

// How often a source is looked at whose sink takes nothing: with the try of the
// sink and the sleep, four system calls each time (P4: at most 20 a second).
constexpr absl::Duration kLookAtSource = absl::Milliseconds(500);
// Where the sink's wait has no room for the source's signal (of transports in
// memory): how often it is asked whether the source is closed (P3: 100 ms).
constexpr absl::Duration kLookWhetherClosed = absl::Milliseconds(80);
// As much as is moved between two looks at the limits.
constexpr size_t kDirectChunk = 1 << 20;

// Where the source's reset shows. Not read_handle() if there is another: a
// layer's may be a file that it records to.
int FdOfSource(const Transport& source) {
  const int fd = source.native_handle();
  return fd >= 0 ? fd : source.read_handle();
}

// [run] Where the file ends, or the count, TCP may hold a part of a segment
// back for 200 ms, as if more was to come. That is right if the user has corked
// it.
void SendWhatIsHeldBack(const RawEnd& tcp) {
  int corked = 0;
  socklen_t size = sizeof(corked);
  if (tcp.sys->Getsockopt(tcp.fd, IPPROTO_TCP, TCP_CORK, &corked, &size) == 0 &&
      corked != 0) {
    return;
  }
  const int off = 0;
  tcp.sys->Setsockopt(tcp.fd, IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
}

}  // namespace

Job::Then TakeJob::Moved(Turn& turn, size_t n) {
  if (!carrier_.Took(n)) return Then::kBroken;
  turn.core().CountRead(n);
  return Then::kDone;
}

// ------------------------------------------------------------------
// SourceWatch

SourceWatch::SourceWatch(Core& source)
    : source_(source),
      possible_(source.abort_is_visible() &&
                (source.NativeHandle() >= 0 ||
                 source.HandleOf(Direction::kRead) >= 0)) {}

SourceEnd SourceWatch::Look(MonoTime now) {
  // Not what is retired: a layer may be that at its Eof, with the last bytes
  // still here.
  if (source_.state().closed()) return SourceEnd::kClosed;
  return possible_ && FoundReset(now) ? SourceEnd::kReset : SourceEnd::kNone;
}

MonoTime SourceWatch::NextLook(MonoTime now) {
  if (!possible_) return kNever;
  if (next_.is_never()) next_ = now + kLookAtSource;
  return next_;
}

bool SourceWatch::FoundReset(MonoTime now) {
  if (next_.is_never() || now < next_) return false;
  next_ = now + kLookAtSource;
  if (source_.EnterUnheld() != Answer::kTry) {
    source_.Unpin();
    return false;
  }
  // An error that nobody has taken yet. (Both ends having finished shows a
  // hang-up alone, and there may be bytes to read.)
  pollfd look = {FdOfSource(source_.transport()), 0, 0};
  const bool reset =
      source_.sys()->Poll(&look, 1, 0) > 0 && (look.revents & POLLERR) != 0;
  source_.LeaveUnheld();
  return reset;
}

void SourceWatch::JoinClose(Wait& wait, uint64_t seq, MonoTime now) const {
  if (wait.signal == nullptr) {
    wait.signal = &source_.signal();
    wait.seq = seq;
    wait.signal_is_rare = true;
  } else {
    wait.until = std::min(wait.until, now + kLookWhetherClosed);
  }
}

absl::Status SourceEndStatus(const Core& source, SourceEnd end) {
  ErrorDetail detail = source.Detail(source.read_name());
  if (end == SourceEnd::kClosed) {
    return ClosedLocallyStatus(detail, source.Describe(), /*pending=*/true);
  }
  detail.kind = ErrorKind::kReset;
  return MakeStatus(
      CodeOf(ErrorKind::kReset),
      absl::StrCat("reset by the peer while the sink took nothing; ",
                   source.Describe()),
      detail);
}

// --------------------------------------------------------------------- GiveJob

Attempt GiveJob::Try(Core& core) {
  flushing_ = carrier_.held() == 0;
  const uint64_t seq = watch_.signal_seq();  // before the look
  const Attempt a =
      flushing_ ? core.transport().TryFlush() : carrier_.Give(core);
  if (!a.would_block()) return a;
  const MonoTime now = core.sys()->Now();
  source_end_ = watch_.Look(now);
  if (source_end_ != SourceEnd::kNone) return Attempt::Transferred(0);
  Wait wait = a.wait();
  watch_.JoinClose(wait, seq, now);
  wait.until = std::min(wait.until, watch_.NextLook(now));
  return a.progressed() ? Attempt::Progressed(wait) : Attempt::WouldBlock(wait);
}

Job::Then GiveJob::Moved(Turn& turn, size_t n) {
  if (source_end_ != SourceEnd::kNone) return Then::kDone;
  watch_.SinkMoved();
  if (flushing_) {
    turn.core().CountWrite();
    return Then::kDone;
  }
  if (!carrier_.Gave(n)) return Then::kBroken;
  turn.core().CountWritten(n);
  turn.CountDone(n);
  movement_.Moved(n);
  return carrier_.held() > 0 ? Then::kMore : Then::kOn;
}

// ------------------------------------------------------------------- DirectJob

Attempt DirectJob::Try(Core& core) {
  Turn in(source_, Role::kRead, source_.read_name(), 0);
  // Ended, closed or another's: a read will say which.
  if (in.Enter() != Answer::kTry) return Attempt::Transferred(0);
  const RawEnd from = source_.transport().raw_read();
  const RawEnd to = core.transport().raw_write();
  const Attempt a = from && to ? Move(from, to) : Attempt::Transferred(0);
  if (a.transferred() && a.n() > 0) source_.CountRead(a.n());
  return a;
}

Attempt DirectJob::Move(const RawEnd& in, const RawEnd& out) {
  const bool send = method_ == CopyMethod::kSendfile;
  for (;;) {
    const ssize_t n = send
                          ? out.sys->Sendfile(in.fd, out.fd, kDirectChunk)
                          : out.sys->CopyFileRange(in.fd, out.fd, kDirectChunk);
    // It sends page by page: after a short count too, the next may have found
    // nobody to read it.
    if (n != 0 && static_cast<size_t>(n) != kDirectChunk) {
      may_have_signalled_ = true;
    }
    if (n > 0) {
      if (out.kind == RawEnd::Kind::kTcp &&
          static_cast<size_t>(n) < kDirectChunk) {
        SendWhatIsHeldBack(out);
      }
      return Attempt::Transferred(static_cast<size_t>(n));
    }
    if (n == 0) return Attempt::Transferred(0);
    const int error = errno;
    if (error == EINTR) continue;
    if (error == EAGAIN && out.is_socket()) {
      return Attempt::WouldBlock(Wait::ForFd(out.fd, POLLOUT));
    }
    if (out.is_socket() && !IsRefusal(error)) {
      return out.widest == ErrorScope::kDirection
                 ? Attempt::Failed(error, ErrorScope::kDirection)
                 : Attempt::Failed(error);
    }
    refused_ = true;
    return Attempt::Transferred(0);
  }
}

Job::Then DirectJob::Moved(Turn& turn, size_t n) {
  if (n == 0) return Then::kDone;
  if (n > kDirectChunk) return Then::kBroken;
  moved_ = n;
  turn.core().CountWritten(n);
  turn.core().CountWrite();
  turn.CountDone(n);
  movement_.Moved(n);
  return Then::kDone;
}

}  // namespace internal
}  // namespace flow
