// File: call.h (internal)
//
// Call: one blocking call in one direction of a flow, from entering to leaving.
// It alone knows how the blocking driver goes from an Attempt to the next try:
//
//   Call call(core, Role::kRead, limits, "read");
//   if (!call.Begin()) return call.status();       // or call.at_eof()
//   for (;;) {
//     const Attempt a = core.transport().TryRead(into);
//     if (a.transferred()) return a.n();
//     if (!call.Again(a)) return call.status();    // or call.at_eof()
//   }
//
// Lives on the stack; its destructor leaves.

#ifndef FLOW_CALL_H_
#define FLOW_CALL_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "flow/core.h"
#include "flow/limits.h"
#include "flow/sleeper.h"
#include "flow/state.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

class Call {
 public:
  // `operation` names the call in messages; `total` is how many bytes it is to
  // move, 0 if that is open. `core`, `limits` and `operation` outlive the call.
  Call(Core& core, Role role, const Limits& limits, absl::string_view operation,
       uint64_t total = 0)
      : core_(core),
        role_(role),
        operation_(operation),
        total_(total),
        sleeper_(core.sys(), limits, &core.signal()) {}
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  // Comes in, waits for the turn, looks at the limits. True: try.
  bool Begin();

  // Instead of Begin, for a call that moves nothing: what would it be told?
  // Does not wait for the turn. True: the side is open.
  bool Look();

  // After a try that moved nothing: records an ending, or sleeps. True: try
  // again.
  bool Again(const Attempt& attempt);

  // After a try that moved `bytes` and left more to do. True: try again.
  bool Progress(uint64_t bytes);

  // After a last try, which is not followed by another: `bytes` moved.
  void Moved(uint64_t bytes) { done_ += bytes; }

  // After a step that is done, before the next of the same call (flush, then
  // shut down). True: try that.
  bool NextStep();

  // The transport moved more than it was asked to, or nothing: its mistake ends
  // the flow. False, like an Again that ends.
  bool Misbehaved(absl::string_view what);

  // Why Begin, Again, Progress or NextStep said false.
  bool at_eof() const { return answer_ == Answer::kEof; }
  bool is_shut() const { return answer_ == Answer::kShut; }
  bool closed_before() const { return answer_ == Answer::kClosed; }
  bool hit_limit() const { return woke_ != Woke::kRetry; }
  absl::Status status() const;

  uint64_t done() const { return done_; }

  // "flow tcp a -> b, 12 of 40 bytes done".
  std::string Context() const;

 private:
  enum class Place : uint8_t { kOutside, kPinned, kInside, kHolding };

  // Follows the machine's answers until it says try (true) or ends the call.
  bool Follow(const Wait& wait);
  bool CheckLimits();
  Tried Classify(const Attempt& attempt) const;
  absl::Status ErrorOf(const Attempt& attempt) const;
  absl::Status RecordedError() const;

  Core& core_;
  const Role role_;
  const absl::string_view operation_;
  const uint64_t total_;
  uint64_t done_ = 0;
  Sleeper sleeper_;
  Answer answer_ = Answer::kClosed;
  Woke woke_ = Woke::kRetry;
  Place place_ = Place::kOutside;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_CALL_H_
