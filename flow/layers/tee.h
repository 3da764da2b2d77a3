// File: tee.h
//
// Tee: a flow of which other flows get a copy.
//
//   flow::TeeOptions copies;
//   copies.read_to = *std::move(recorder);          // what the peer sends
//   absl::StatusOr<flow::Flow> watched =
//       flow::Tee(*std::move(connection), std::move(copies));
//
// Also known as: tap, mirror, recorder, split, `socat -r -R`. The copy of each
// direction goes to a *sink*, a flow of its own.
//
// The slower sets the pace: a sink that takes no more makes the calls of its
// direction wait, under their limits as ever. Nothing is dropped, and at most
// 64 KiB a direction are held here.
//
// | the direction               | its sink                                   |
// |-----------------------------|--------------------------------------------|
// | a Read has returned bytes   | has taken them                             |
// | a Write has returned OK     | has taken all of its bytes; of one that    |
// |                             | was cut, what was counted is on its way    |
// | has failed                  | is aborted when the flow is closed, so     |
// |                             | that its reader takes no part for the      |
// |                             | whole                                      |
// | Abort                       | is aborted too                             |
// | ends when its sink has yet  | is aborted, for the same reason            |
// | to take bytes, or failed    |                                            |
// | has ended otherwise         | is closed, in order, when the flow is      |
//
// The flow is a layer (flow/flow.h, "Shutdown"): it owns the flow below, whose
// properties and endpoints it shows, and the sinks.
//
// Guarantees:
// - A sink gets exact bytes in order, and none that the caller has not seen (of
//   reads: may yet see) or that the flow below has not taken.
// - What a sink's peer sends is not read. (If there is any, its close may reset
//   that peer.)
// - Bytes that are thrown away (by Shutdown of both sides) are not copied.
// - A regular file as a sink may make a call wait for the disk.

#ifndef FLOW_LAYERS_TEE_H_
#define FLOW_LAYERS_TEE_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/flow.h"

namespace flow {

// What comes of a direction whose sink fails.
enum class SinkFailure : uint8_t {
  kFail,  // it fails too, with the sink's code and words; kind kOther
  kDrop,  // it goes on without a copy
};
// "fail", "drop"
absl::string_view SinkFailureName(SinkFailure failure);
std::ostream& operator<<(std::ostream& os, SinkFailure failure);
template <typename Sink>
void AbslStringify(Sink& sink, SinkFailure failure) {
  sink.Append(SinkFailureName(failure));
}

// What is copied where.
struct TeeOptions {
  // Gets what is read from the flow. No flow: there is no copy of it.
  Flow read_to;
  // Gets what is written to the flow.
  Flow written_to;

  // What comes of the flow when a sink fails.
  SinkFailure on_failure = SinkFailure::kFail;

  // Called once for each sink that fails, with its failure, inside a call of
  // the flow: it must be quick and not use the flow. What it throws is dropped.
  absl::AnyInvocable<void(const absl::Status& failure)> failed;

  // "read to no flow, written to flow pipe ..., on failure fail".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const TeeOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const TeeOptions& options) {
    return os << options.ToString();
  }
};

// `below`, teed. FAILED_PRECONDITION if `below` or a sink is in use or has
// ended on either side; all are then closed.
[[nodiscard]] absl::StatusOr<Flow> Tee(Flow below, TeeOptions options);

}  // namespace flow

#endif  // FLOW_LAYERS_TEE_H_
