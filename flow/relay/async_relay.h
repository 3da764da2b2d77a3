// File: async_relay.h
//
// AsyncRelay: a Relay (flow/relay/relay.h) without a thread of its own, for
// thousands of them at once.
//
//   flow::ThreadPool pool(2);
//   flow::AsyncContext context(pool);
//   flow::AsyncRelay(*std::move(client), *std::move(server), options,
//                    [](flow::RelayResult result) {
//                      std::cerr << result << "\n";
//                    });
//
// The contract is that of Relay: what an end means, the limits, the policies,
// the results. Different is:
// - It owns both flows, and closes them when it ends; only then is the result
//   told. Who wants to end it early has a CancelToken in the limits.
// - Bytes are moved on the poller's thread of the flows' context (from and to
//   files: on its executor), and so the progress callback is called there. A
//   direction that always has something to do gives way to others after 2 MiB
//   or so.
// - Memory: while a direction waits for its source it holds none but some 2 KiB
//   of book-keeping, and no descriptor unless it has spliced.
// - CopyMethod: kSendfile and kCopyFileRange are UNIMPLEMENTED.
//
// The future becomes ready, and the callback is called, exactly once, in the
// manner of flow/async_flow.h: also when the context is destroyed meanwhile,
// with CANCELLED. Dropping the future ends nothing.

#ifndef FLOW_RELAY_ASYNC_RELAY_H_
#define FLOW_RELAY_ASYNC_RELAY_H_

#include <future>

#include "absl/functional/any_invocable.h"
#include "flow/async_flow.h"
#include "flow/relay/relay_options.h"
#include "flow/relay/relay_result.h"

namespace flow {

// Relay of flow/relay/relay.h, without a thread that waits: the future, or
// `done` by way of a's executor, gets what became of it.
[[nodiscard]] std::future<RelayResult> AsyncRelay(
    AsyncFlow a, AsyncFlow b, const RelayOptions& options = {});
void AsyncRelay(AsyncFlow a, AsyncFlow b, const RelayOptions& options,
                absl::AnyInvocable<void(RelayResult) &&> done);

}  // namespace flow

#endif  // FLOW_RELAY_ASYNC_RELAY_H_
