// File: fd_passing.h
//
// Descriptors through flows over unix sockets (SCM_RIGHTS, unix(7)).
//
//   absl::Status s = flow::SendFds(f, {file.get()}, "here is the file\n");
//   ...
//   absl::StatusOr<flow::OrEof<flow::ReceivedFds>> got = flow::RecvFds(f, 1);
//
// These are a Write and a Read that carry descriptors beside the bytes: they
// take their turn among the flow's others, and limits, Close and endings do to
// them what they do to those.
//
// What a peer can't do: give more descriptors than were asked for. A Read asks
// for none, and the kernel closes what came with its bytes. RecvFds closes what
// is above `max_fds`, and says that there was more. All that are received are
// close-on-exec from birth.
//
// Guarantees: any thread, like Write and Read.

#ifndef FLOW_NET_FD_PASSING_H_
#define FLOW_NET_FD_PASSING_H_

#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/buffer.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/or_eof.h"
#include "flow/sys/unique_fd.h"

namespace flow {

// The most that can go at once: the kernel's bound (SCM_MAX_FD).
inline constexpr size_t kMaxFdsAtOnce = 253;

// Writes all of `data`, at least one byte, and passes `fds` with its first one,
// once, however many steps the writing takes. They stay open here and may be
// closed as soon as it has returned.
// INVALID_ARGUMENT: no byte, more than kMaxFdsAtOnce, or what can't be passed.
// FAILED_PRECONDITION (EBADF): one of `fds` is not open. RESOURCE_EXHAUSTED:
// too many are on their way already. UNIMPLEMENTED: no flow on a unix socket of
// its own. After these nothing was sent, and the flow is as it was. Else as
// Write; after BytesDone(status) > 0 the descriptors have been sent.
[[nodiscard]] absl::Status SendFds(Flow& flow, absl::Span<const int> fds,
                                   absl::string_view data,
                                   const Limits& limits = {});

// What one message brought.
struct ReceivedFds {
  Buffer data;                // at least one byte
  std::vector<UniqueFd> fds;  // none, if it came without
  // There were more: than `max_fds`, or than there are free numbers in this
  // process. They are closed.
  bool fds_lost = false;

  // "12 B with 2 fds, some lost".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ReceivedFds& received) {
    sink.Append(received.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const ReceivedFds& received) {
    return os << received.ToString();
  }
};

// Waits for bytes, as Read does, and takes at most `max_fds` descriptors that
// came with them. A step never goes beyond the piece that descriptors came
// with; bytes that were sent before may be in the same step.
// INVALID_ARGUMENT: more than kMaxFdsAtOnce. UNIMPLEMENTED: as above. After
// these nothing was taken. Else as Read.
[[nodiscard]] absl::StatusOr<OrEof<ReceivedFds>> RecvFds(
    Flow& flow, size_t max_fds, const Limits& limits = {});

}  // namespace flow

#endif  // FLOW_NET_FD_PASSING_H_
