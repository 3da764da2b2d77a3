// File: child_streams.h (internal)
//
// ChildStreams: stdin, stdout and stderr of a program while it is being made,
// and our ends of them. It alone knows what each ChildStream is made of.
//
// Not thread-safe: belongs to one Spawn. Closes what nobody has taken.

#ifndef FLOW_NET_CHILD_STREAMS_H_
#define FLOW_NET_CHILD_STREAMS_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "flow/net/subprocess.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"

namespace flow {
namespace internal {

inline constexpr int kStreams = 3;
inline constexpr absl::string_view kStreamNames[kStreams] = {"stdin", "stdout",
                                                             "stderr"};

class ChildStreams {
 public:
  explicit ChildStreams(Syscalls* sys) : sys_(sys) {}

  // Makes what `options` ask for.
  absl::Status Open(const SpawnOptions& options);
  // All three are this, which stays the caller's.
  void Use(int fd);

  // What stream `i` of the program is here.
  int number(int i) const { return numbers_[i]; }
  // Our end of it, if there is one.
  UniqueFd& ours(int i) { return ours_[i]; }
  // Once the program has its own.
  void CloseTheirs();

 private:
  absl::Status OpenOne(int i, ChildStream wanted);
  absl::Status OpenPipe(int i);

  Syscalls* const sys_;
  bool inherited_[kStreams] = {};
  int numbers_[kStreams] = {-1, -1, -1};
  UniqueFd theirs_[kStreams];
  UniqueFd ours_[kStreams];
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_CHILD_STREAMS_H_
