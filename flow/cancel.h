// File: cancel.h
//
// CancelSource and CancelToken: giving up on calls from outside.
//
//   flow::CancelSource stop;
//   std::thread worker([token = stop.token(), &f] {
//     flow::Limits limits;
//     limits.cancel = token;
//     auto got = f.Read(limits);        // CANCELLED within 100 ms of Cancel()
//   });
//   stop.Cancel();
//
// One source serves any number of calls on any number of flows. Cancelling a
// call does not harm its flow: nothing was consumed, the flow can be used again
// with another token (a Write that had begun to send is the exception: see
// "sealed" in flow/flow.h).
//
// A source may also carry a deadline, which can be moved in either direction
// while calls are blocked on it; they then wake and look at the new one.
//
// Guarantees: everything here may be called from any thread and never blocks.
// What a thread did before Cancel() is visible to a thread whose call was
// thereby cancelled. Tokens may outlive their source; destroying a source
// cancels nothing.

#ifndef FLOW_CANCEL_H_
#define FLOW_CANCEL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <utility>

#include "flow/signal.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/primitives.h"

namespace flow {

namespace internal {

// What a source and its tokens share.
struct CancelState {
  Signal signal;
  Atomic<bool> cancelled{false};
  Atomic<int64_t> deadline_ns{kNever.nanos()};
};

}  // namespace internal

// Tells a call when to give up. A default-constructed token never does.
// Copies are cheap and equal.
class CancelToken {
 public:
  CancelToken() = default;

  // True once Cancel() was called on its source.
  bool cancelled() const {
    return state_ != nullptr &&
           state_->cancelled.load(std::memory_order_acquire);
  }

  // Its source's deadline, `kNever` if none is set.
  MonoTime deadline() const {
    return state_ == nullptr ? kNever
                             : MonoTime::FromNanos(state_->deadline_ns.load(
                                   std::memory_order_acquire));
  }

  // False for a default-constructed token.
  bool has_source() const { return state_ != nullptr; }

  // Notified by Cancel() and SetDeadline(); null without a source (internal).
  Signal* signal() const {
    return state_ == nullptr ? nullptr : &state_->signal;
  }

  // "never cancelled", "cancelled", "deadline 12.5s", ...
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const CancelToken& token) {
    sink.Append(token.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const CancelToken& token) {
    return os << token.ToString();
  }

 private:
  friend class CancelSource;
  explicit CancelToken(std::shared_ptr<internal::CancelState> state)
      : state_(std::move(state)) {}

  std::shared_ptr<internal::CancelState> state_;
};

class CancelSource {
 public:
  // A source of its own; neither cancelled nor with a deadline.
  CancelSource() : state_(std::make_shared<internal::CancelState>()) {}

  // Sources are shared by sharing the object; copies would hide who cancels. A
  // moved-from source does nothing and gives tokens that are never cancelled.
  CancelSource(CancelSource&&) = default;
  CancelSource& operator=(CancelSource&&) = default;

  // Ends every call that waits with a token of this source, and every later
  // one, with CANCELLED. For good; later calls do nothing.
  void Cancel();

  // Sets the instant at which calls with a token of this source end with
  // DEADLINE_EXCEEDED; `kNever` for none. May be called again at any time.
  void SetDeadline(MonoTime deadline);
  void SetDeadline(absl::Duration from_now) {
    SetDeadline(MonoTime::In(from_now));
  }
  void SetDeadline(absl::Time time) { SetDeadline(MonoTime::At(time)); }

  // Whether Cancel() was called.
  bool cancelled() const {
    return state_ != nullptr &&
           state_->cancelled.load(std::memory_order_acquire);
  }

  // For the calls that it is to end. Outlives the source, if it likes.
  CancelToken token() const { return CancelToken(state_); }

  // As its tokens: "cancelled", "deadline 12.5s", ...
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const CancelSource& source) {
    sink.Append(source.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const CancelSource& source) {
    return os << source.ToString();
  }

 private:
  std::shared_ptr<internal::CancelState> state_;
};

}  // namespace flow

#endif  // FLOW_CANCEL_H_
