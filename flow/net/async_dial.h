// File: async_dial.h
//
// AsyncDial: Dial (flow/net/dial.h) with a future, or a callback.
//
//   std::future<absl::StatusOr<flow::AsyncFlow>> f =
//       flow::AsyncDial("tcp:example.org:80", context, absl::Seconds(5));
//
// Both forms go through the same steps, so that they say the same. What would
// block is parked with the context's poller, so any number of connections may
// be under way on no more threads than one; names are looked up as Dial does,
// each on a helper thread of its own.
//
// - Limits run from the call.
// - Destroying the context ends what is under way with CANCELLED; so does the
//   token of the limits. Dropping the future cancels nothing.
// - The future becomes ready exactly once; the callback is called exactly once,
//   through the context's Executor, as flow/async_flow.h says.
//
// Guarantees: any thread.

#ifndef FLOW_NET_ASYNC_DIAL_H_
#define FLOW_NET_ASYNC_DIAL_H_

#include <future>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/limits.h"
#include "flow/net/dial.h"

namespace flow {

// A connection to `address`, on `context`. Errors as of Dial, and
// FAILED_PRECONDITION: the context has no poller (no thread to be had, a forked
// child). `options.sys` must have the context's clock.
[[nodiscard]] std::future<absl::StatusOr<AsyncFlow>> AsyncDial(
    absl::string_view address, const AsyncContext& context,
    const Limits& limits = {}, const NetOptions& options = {});
void AsyncDial(absl::string_view address, const AsyncContext& context,
               const Limits& limits,
               AsyncFlow::Callback<absl::StatusOr<AsyncFlow>> done,
               const NetOptions& options = {});

}  // namespace flow

#endif  // FLOW_NET_ASYNC_DIAL_H_
