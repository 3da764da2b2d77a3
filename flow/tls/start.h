// File: start.h (internal)
//
// The two ends of a handshake, whoever waits for it (flow/tls/tls.cc blocks,
// flow/tls/tls_async.cc parks): from a flow to one whose only byte is the
// handshake, and from there to the flow under TLS.

#ifndef FLOW_TLS_START_H_
#define FLOW_TLS_START_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/tls/tls.h"

namespace flow {
namespace internal {

// A handshake that has not begun.
struct TlsHandshake {
  Flow flow;  // over a HandshakeTransport: to be read
  Limits limits;
};

absl::StatusOr<TlsHandshake> StartConnect(Flow below, const TlsClient& client,
                                          absl::string_view server_name,
                                          const Limits& limits);
absl::StatusOr<TlsHandshake> StartAccept(Flow below, const TlsServer& server,
                                         const Limits& limits);

// `handshake` has given its byte.
absl::StatusOr<TlsFlow> FinishHandshake(Flow handshake);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_TLS_START_H_
