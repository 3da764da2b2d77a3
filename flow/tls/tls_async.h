// File: tls_async.h
//
// The handshakes of flow/tls/tls.h without blocking: parked with the poller of
// an AsyncContext, so that a thousand slow clients need no thread.
//
//   flow::TlsAccept(
//       std::move(tcp), server, context, absl::Seconds(5),
//       [&](absl::StatusOr<flow::TlsFlow> tls) {
//         if (!tls.ok()) return;
//         auto f = flow::AsyncFlow::From(std::move(tls->flow), context);
//         ...
//       });
//
// Limits run from the call. Futures become ready exactly once, with a status;
// callbacks are called exactly once, through the context's Executor. Each flow
// that comes out is used with blocking calls, or by AsyncFlow::From.

#ifndef FLOW_TLS_TLS_ASYNC_H_
#define FLOW_TLS_TLS_ASYNC_H_

#include <future>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/async_context.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/tls/tls.h"

namespace flow {

// Gets the flow under TLS, or why there is none.
using TlsCallback = absl::AnyInvocable<void(absl::StatusOr<TlsFlow>) &&>;

// TlsConnect of flow/tls/tls.h, without a thread that waits.
[[nodiscard]] std::future<absl::StatusOr<TlsFlow>> TlsConnect(
    Flow below, const TlsClient& client, absl::string_view server_name,
    AsyncContext& context, const Limits& limits);
void TlsConnect(Flow below, const TlsClient& client,
                absl::string_view server_name, AsyncContext& context,
                const Limits& limits, TlsCallback done);

// TlsAccept, likewise.
[[nodiscard]] std::future<absl::StatusOr<TlsFlow>> TlsAccept(
    Flow below, const TlsServer& server, AsyncContext& context,
    const Limits& limits);
void TlsAccept(Flow below, const TlsServer& server, AsyncContext& context,
               const Limits& limits, TlsCallback done);

}  // namespace flow

#endif  // FLOW_TLS_TLS_ASYNC_H_
