// File: async_context.h
//
// AsyncContext: what the futures of many flows share: a poller, and an executor
// for callbacks.
//
//   flow::ThreadPool pool(2);
//   flow::AsyncContext context(pool);
//   auto f = flow::AsyncDial("tcp:localhost:7", context);  // net/async_dial.h
//
// - Threads: one, the poller's ("flow-poller"), made by the constructor. It
//   waits for all parked operations (epoll, and one poll(2) over all where
//   there is none), tries them again, and makes their futures ready.
// - Shortage: where the system has no descriptor left for epoll or an eventfd
//   (EMFILE) when the context is made, it works all the same, with poll(2) over
//   all and by looking up every 60 ms, and asks for them again once a second.
// - Order: per flow and direction first in, first out; no flow can keep others
//   waiting, since a turn is bounded.
// - Destruction: operations that wait end with CANCELLED (a Write that is cut
//   in the middle seals its side); the destructor waits until their futures are
//   ready, and for the poller's thread unless that is the calling one. The
//   flows live on: their operations are then refused with FAILED_PRECONDITION,
//   but for Close.
// - Must not run on the poller's thread: callbacks that block, if the executor
//   is inline.
//
// In a forked child there is no poller: operations are refused with
// FAILED_PRECONDITION, and the destructor touches nothing of the parent's.

#ifndef FLOW_ASYNC_CONTEXT_H_
#define FLOW_ASYNC_CONTEXT_H_

#include <memory>
#include <ostream>
#include <string>

#include "flow/executor.h"
#include "flow/sys/syscalls.h"

namespace flow {

namespace internal {
class Poller;
struct ExecutorWay;
}  // namespace internal

class AsyncContext {
 public:
  // Callbacks run through `executor`. If that is destroyed before the context,
  // callbacks get CANCELLED from then on, on the thread that ended their
  // operation (see Executor::door). `sys` makes the waits; null is the real
  // kernel; it must outlive all flows.
  explicit AsyncContext(Executor& executor, Syscalls* sys = nullptr);

  // Callbacks run on the poller's thread.
  AsyncContext();

  ~AsyncContext();
  AsyncContext(const AsyncContext&) = delete;
  AsyncContext& operator=(const AsyncContext&) = delete;

  // "context, 3 operations under way".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const AsyncContext& context) {
    sink.Append(context.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const AsyncContext& context) {
    return os << context.ToString();
  }

  // Internal.
  const std::shared_ptr<internal::Poller>& poller() const { return poller_; }
  const std::shared_ptr<const internal::ExecutorWay>& way() const {
    return way_;
  }

 private:
  std::shared_ptr<const internal::ExecutorWay> way_;
  const std::shared_ptr<internal::Poller> poller_;
};

}  // namespace flow

#endif  // FLOW_ASYNC_CONTEXT_H_
