#include "flow/net/child_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "flow/status.h"

namespace flow {
namespace internal {

absl::Status ChildStreams::Open(const SpawnOptions& options) {
  const ChildStream wanted[kStreams] = {
      options.stdin_stream, options.stdout_stream, options.stderr_stream};
  // First what is to be inherited: a pipe might get the number of a standard
  // stream that is closed here.
  for (int i = 0; i < kStreams; ++i) {
    inherited_[i] =
        wanted[i] == ChildStream::kInherit && sys_->Fcntl(i, F_GETFD, 0) >= 0;
    if (inherited_[i]) numbers_[i] = i;
  }
  for (int i = 0; i < kStreams; ++i) {
    if (absl::Status s = OpenOne(i, wanted[i]); !s.ok()) return s;
  }
  return absl::OkStatus();
}

void ChildStreams::Use(int fd) { std::fill_n(numbers_, kStreams, fd); }

void ChildStreams::CloseTheirs() {
  for (UniqueFd& fd : theirs_) fd.reset();
}

absl::Status ChildStreams::OpenOne(int i, ChildStream wanted) {
  if (inherited_[i]) return absl::OkStatus();
  switch (wanted) {
    case ChildStream::kFlow:
      return OpenPipe(i);
    case ChildStream::kStdout:
      numbers_[i] = numbers_[STDOUT_FILENO];
      return absl::OkStatus();
    case ChildStream::kInherit:
    case ChildStream::kNull:
      break;
  }
  theirs_[i] = UniqueFd(sys_->Open("/dev/null", O_RDWR, 0), sys_);
  numbers_[i] = theirs_[i].get();
  return theirs_[i].valid() ? absl::OkStatus()
                            : ErrnoStatus(errno, "open", "/dev/null");
}

absl::Status ChildStreams::OpenPipe(int i) {
  int fds[2];
  // Blocking, as programs expect; our end is made non-blocking by itself,
  // each end of a pipe being a description of its own.
  if (sys_->Pipe(fds, 0) != 0) {
    return ErrnoStatus(errno, "pipe", kStreamNames[i]);
  }
  const bool to_child = i == STDIN_FILENO;
  theirs_[i] = UniqueFd(fds[to_child ? 0 : 1], sys_);
  ours_[i] = UniqueFd(fds[to_child ? 1 : 0], sys_);
  numbers_[i] = theirs_[i].get();
  return absl::OkStatus();
}

}  // namespace internal
}  // namespace flow
