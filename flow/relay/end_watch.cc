#include "flow/relay/end_watch.h"

#include <linux/sock_diag.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/state.h"
#include "flow/status.h"
#include "flow/sys/errno_table.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"
#include "flow/turn.h"

namespace flow {
namespace internal {
namespace {

// How often the other side is looked at. Four system calls each time, of a
// source whose sink takes nothing with the try of the sink and the sleep
// (P4: at most 20 a second).
constexpr absl::Duration kLookAtOther = absl::Milliseconds(500);

// Where the source's reset shows. Not read_handle() if there is another: a
// layer's may be a file that it records to.
int FdOfSource(const Transport& source) {
  const int fd = source.native_handle();
  return fd >= 0 ? fd : source.read_handle();
}

}  // namespace

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
  if (next_.is_never()) next_ = now + kLookAtOther;
  return next_;
}

bool SourceWatch::FoundReset(MonoTime now) {
  if (next_.is_never() || now < next_) return false;
  next_ = now + kLookAtOther;
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

// ------------------------------------------------------------------- SinkWatch

bool SinkWatch::IsPipeWithoutAName(int fd) const {
  struct stat facts;
  if (sink_.sys()->Fstat(fd, &facts) != 0 || !S_ISFIFO(facts.st_mode)) {
    return false;
  }
  char path[64];
  const ssize_t length = sink_.sys()->Readlink(
      absl::StrCat("/proc/self/fd/", fd).c_str(), path, sizeof(path));
  return length > 0 &&
         absl::StartsWith(absl::string_view(path, static_cast<size_t>(length)),
                          "pipe:[");
}

MonoTime SinkWatch::NextLook(MonoTime now) {
  if (can_ == Can::kNo) return kNever;
  if (next_.is_never()) next_ = now + kLookAtOther;
  return next_;
}

bool SinkWatch::FoundGone(MonoTime now) {
  if (next_.is_never() || now < next_) return false;
  next_ = now + kLookAtOther;
  // As its writer: inside, so that the descriptor stays what it is.
  Turn turn(sink_, Role::kWrite, "write", 0);
  if (turn.Enter() != Answer::kTry) return false;
  const int fd = sink_.transport().write_handle();
  if (can_ == Can::kUnknown) {
    can_ = fd >= 0 && IsPipeWithoutAName(fd) ? Can::kYes : Can::kNo;
  }
  if (can_ == Can::kNo) return false;
  pollfd look = {fd, 0, 0};
  if (sink_.sys()->Poll(&look, 1, 0) <= 0 || (look.revents & POLLERR) == 0) {
    return false;
  }
  // What a write would say; none is made, since a pipe takes no empty one.
  turn.Record(Attempt::Failed(EPIPE, ErrorScope::kDirection));
  return true;
}

}  // namespace internal
}  // namespace flow
