#include "flow/relay/carrier.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "absl/types/span.h"
#include "flow/fd/sigpipe.h"
#include "flow/sys/errno_table.h"

namespace flow {
namespace internal {
namespace {

using Kind = RawEnd::Kind;

// [run] What a pipe of 64 KiB gains over read and write is little; one of 1 MiB
// halves the cost again.
constexpr size_t kDefaultPipe = 1 << 20;
// So many reads in a row that filled half of the buffer make a stream of it.
constexpr int kFullReads = 2;

Attempt FailedOn(const RawEnd& end, int error) {
  return end.widest == ErrorScope::kDirection
             ? Attempt::Failed(error, ErrorScope::kDirection)
             : Attempt::Failed(error);
}

}  // namespace

Carrier::Carrier(const CopyPlan& plan, size_t buffer_size, bool parked)
    : plan_(plan),
      buffer_size_(buffer_size == 0 ? kDefaultBuffer : buffer_size),
      pipe_wanted_(buffer_size == 0 ? kDefaultPipe : buffer_size),
      frugal_(parked),
      guard_each_(parked && plan.may_signal),
      splicing_(plan.splice_now) {}

char* Carrier::Memory() {
  if (memory_ == nullptr) memory_.reset(new char[buffer_size_]);
  return memory_.get();
}

// -----------------------------------------------------------------------
// taking

Attempt Carrier::Take(Core& src) {
  if (splicing_) {
    const RawEnd in = src.transport().raw_read();
    std::optional<Attempt> done = TakeBySplice(in);
    if (done.has_value()) return *done;
  }
  by_splice_ = false;
  const iovec into = {Memory(), buffer_size_};
  const Attempt a = src.transport().TryRead(absl::MakeConstSpan(&into, 1));
  if (frugal_ && !a.transferred()) memory_.reset();
  return a;
}

std::optional<Attempt> Carrier::TakeBySplice(const RawEnd& in) {
  if (!in || (!pipe_in_.valid() && !MakePipe(in.sys))) {
    StopSplicing();
    return std::nullopt;
  }
  by_splice_ = true;
  for (;;) {
    const ssize_t n = in.sys->Splice(in.fd, pipe_in_.get(), pipe_size_);
    if (n > 0) {
      source_was_empty_ = false;
      return Attempt::Transferred(static_cast<size_t>(n));
    }
    // Whether that is the end is for a read to say: a FIFO that nobody has
    // opened for writing gives 0 too, and so does a file that has no splice.
    if (n == 0) return std::nullopt;
    const int error = errno;
    if (error == EINTR) continue;
    if (error == EAGAIN && in.kind != Kind::kFile) {
      // Twice in a row, the poll between them may have said that there is
      // something: TCP's urgent byte, which splice stops at for ever and a read
      // skips.
      source_was_empty_ = !source_was_empty_;
      if (!source_was_empty_) return std::nullopt;
      return Attempt::WouldBlock(Wait::ForFd(in.fd, POLLIN));
    }
    // The kernel tells a reset once: it has to be believed here. What a pipe or
    // a file has, it tells a read as well.
    if (in.is_socket() && !IsRefusal(error)) return FailedOn(in, error);
    StopSplicing();
    return std::nullopt;
  }
}

bool Carrier::Took(size_t n) {
  if (n == 0 || n > (by_splice_ ? pipe_size_ : buffer_size_)) return false;
  if (by_splice_) {
    piped_ = n;
    memory_.reset();
    return true;
  }
  begin_ = 0;
  end_ = n;
  full_reads_ = n >= buffer_size_ / 2 ? full_reads_ + 1 : 0;
  if (plan_.may_splice && !refused_ && full_reads_ >= kFullReads) {
    splicing_ = true;
  }
  return true;
}

bool Carrier::MakePipe(Syscalls* sys) {
  int fds[2];
  if (sys->Pipe(fds, O_NONBLOCK) != 0) return false;
  sys_ = sys;
  pipe_out_ = UniqueFd(fds[0], sys);
  pipe_in_ = UniqueFd(fds[1], sys);
#if defined(F_SETPIPE_SZ) && defined(F_GETPIPE_SZ)
  // Refused above pipe-max-size and pipe-user-pages-soft (EPERM): then as large
  // as it was born, if that is worth it.
  if (sys->Fcntl(fds[1], F_SETPIPE_SZ, static_cast<int>(pipe_wanted_)) < 0 &&
      pipe_wanted_ > kDefaultPipe) {
    sys->Fcntl(fds[1], F_SETPIPE_SZ, static_cast<int>(kDefaultPipe));
  }
  const int size = sys->Fcntl(fds[1], F_GETPIPE_SZ, 0);
  pipe_size_ = size < 0 ? 0 : static_cast<size_t>(size);
#endif
  const size_t least =
      plan_.splice_now ? 1 : std::min(pipe_wanted_, kDefaultBuffer);
  return pipe_size_ >= least;
}

void Carrier::StopSplicing() {
  splicing_ = false;
  refused_ = true;
  by_splice_ = false;
  if (piped_ > 0) return;
  pipe_in_.reset();
  pipe_out_.reset();
}

// -----------------------------------------------------------------------
// giving

Attempt Carrier::Give(Core& dst) {
  if (piped_ > 0 && begin_ == end_) {
    const RawEnd out = dst.transport().raw_write();
    std::optional<Attempt> done;
    if (splicing_ && out) done = GiveBySplice(out);
    if (done.has_value()) return *done;
    done = Drain();
    if (done.has_value()) return *done;
  }
  by_splice_ = false;
  const iovec from = {memory_.get() + begin_, end_ - begin_};
  return dst.transport().TryWrite(absl::MakeConstSpan(&from, 1));
}

std::optional<Attempt> Carrier::GiveBySplice(const RawEnd& out) {
  by_splice_ = true;
  for (;;) {
    ssize_t n = 0;
    {
      std::optional<SigpipeGuard> guard;
      if (guard_each_) guard.emplace(out.sys);
      n = out.sys->Splice(pipe_out_.get(), out.fd, piped_);
    }
    if (static_cast<size_t>(n) != piped_) may_have_signalled_ = true;
    if (n > 0) return Attempt::Transferred(static_cast<size_t>(n));
    const int error = n == 0 ? EINVAL : errno;
    if (error == EINTR) continue;
    if (error == EAGAIN && out.kind != Kind::kFile) {
      return Attempt::WouldBlock(Wait::ForFd(out.fd, POLLOUT));
    }
    if (out.is_socket() && !IsRefusal(error)) return FailedOn(out, error);
    // What else a write would say, it is to say itself (ENOSPC, ...).
    StopSplicing();
    return std::nullopt;
  }
}

std::optional<Attempt> Carrier::Drain() {
  StopSplicing();
  for (;;) {
    const ssize_t n =
        sys_->Read(pipe_out_.get(), Memory(), std::min(piped_, buffer_size_));
    if (n > 0) {
      begin_ = 0;
      end_ = static_cast<size_t>(n);
      piped_ -= end_;
      if (piped_ == 0) StopSplicing();  // which closes the pipe
      return std::nullopt;
    }
    // Of a file's pages, some can't be read after all (EIO).
    const int error = n == 0 ? EIO : errno;
    if (error != EINTR) return Attempt::Failed(error, ErrorScope::kDirection);
  }
}

bool Carrier::Gave(size_t n) {
  if (n == 0 || n > (by_splice_ ? piped_ : end_ - begin_)) return false;
  if (by_splice_) {
    piped_ -= n;
    method_ = CopyMethod::kSplice;
    return true;
  }
  begin_ += n;
  method_ = CopyMethod::kBuffered;
  if (begin_ == end_) begin_ = end_ = 0;
  return true;
}

}  // namespace internal
}  // namespace flow
