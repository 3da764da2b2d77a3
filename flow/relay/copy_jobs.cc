#include "flow/relay/copy_jobs.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "flow/sys/errno_table.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {
namespace {

// As much as is moved between two looks at the limits.
constexpr size_t kDirectChunk = 1 << 20;

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

Attempt TakeJob::Try(Core& core) {
  const Attempt a = carrier_.Take(core);
  if (!a.would_block()) return a;
  const MonoTime now = core.sys()->Now();
  sink_gone_ = watch_.FoundGone(now);
  if (sink_gone_) return Attempt::Transferred(0);
  Wait wait = a.wait();
  wait.until = std::min(wait.until, watch_.NextLook(now));
  return a.progressed() ? Attempt::Progressed(wait) : Attempt::WouldBlock(wait);
}

Job::Then TakeJob::Moved(Turn& turn, size_t n) {
  if (sink_gone_) return Then::kDone;
  watch_.SourceMoved();
  if (!carrier_.Took(n)) return Then::kBroken;
  turn.CountMoved(n);
  turn.core().CountRead(n);
  return Then::kDone;
}

// ------------------------------------------------------------------- SinkWait

void SinkWait::Begin() {
  join_.Begin();
  seq_ = source_.signal().seq();
}

Wait SinkWait::For(const Wait& sink) {
  Wait closed = Wait::For(&source_.signal(), seq_);
  closed.signal_is_rare = true;
  return join_.For(sink, &closed);
}

// --------------------------------------------------------------------- GiveJob

Attempt GiveJob::Try(Core& core) {
  flushing_ = carrier_.held() == 0;
  wait_.Begin();
  const Attempt a =
      flushing_ ? core.transport().TryFlush() : carrier_.Give(core);
  if (!a.would_block()) return a;
  const MonoTime now = core.sys()->Now();
  source_end_ = watch_.Look(now);
  if (source_end_ != SourceEnd::kNone) return Attempt::Transferred(0);
  Wait wait = wait_.For(a.wait());
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
  wait_.Begin();
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
      return Attempt::WouldBlock(wait_.For(Wait::ForFd(out.fd, POLLOUT)));
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
