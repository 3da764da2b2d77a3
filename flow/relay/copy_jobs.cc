#include "flow/relay/copy_jobs.h"

#include <linux/sock_diag.h>
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
#include "flow/sys/errno_table.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {
namespace {

// How often a source is looked at whose sink takes nothing: with the try of the
// sink and the sleep, four system calls each time (P4: at most 20 a second).
constexpr absl::Duration kLookAtSource = absl::Milliseconds(500);
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
  // As its reader, of whom there is no other.
  Turn turn(source_, Role::kRead, source_.read_name(), 0);
  if (turn.Enter() != Answer::kTry) return false;
  Syscalls* const sys = source_.sys();
  const int fd = FdOfSource(source_.transport());
  pollfd look = {fd, 0, 0};
  if (sys->Poll(&look, 1, 0) <= 0 || (look.revents & POLLERR) == 0) {
    return false;
  }
  // [run] A peer that ended in order and then refuses what is sent to it shows
  // the same flag, and all that it sent is there to be read. Its error is
  // EPIPE, but ECONNRESET, as after a real reset, once we have sent our own
  // end: then only reading tells.
  if (source_.state().write_shut() != WriteShut::kNo) return false;
  // Asking takes the error away from whoever else would meet it: so it is
  // recorded here, as a read would.
  int error = 0;
  socklen_t size = sizeof(error);
  if (sys->Getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
    return false;
  }
  if (error == 0) return false;
  if (MeaningOf(error).kind == ErrorKind::kClosedByPeer) {
    possible_ = false;  // EPIPE
    return false;
  }
  turn.Record(Attempt::Failed(error));
  return true;
}

bool HasBytesOnTheWay(Core& sink) {
  if (sink.EnterUnheld() != Answer::kTry) {
    sink.Unpin();
    return false;
  }
  // [run] Of TCP, until the peer's kernel has it, the end included.
  uint32_t memory[SK_MEMINFO_VARS] = {};
  socklen_t size = sizeof(memory);
  const int fd = sink.NativeHandle();
  const bool known =
      fd >= 0 &&
      sink.sys()->Getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &size) == 0 &&
      size > SK_MEMINFO_WMEM_QUEUED * sizeof(memory[0]);
  sink.LeaveUnheld();
  return known && memory[SK_MEMINFO_WMEM_QUEUED] > 0;
}

absl::Status SourceEndStatus(Core& source, SourceEnd end) {
  if (end == SourceEnd::kClosed) {
    return ClosedLocallyStatus(source.Detail(source.read_name()),
                               source.Describe(), /*pending=*/true);
  }
  return source.ReadError();
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
