// File: tls_test_support.h
//
// Two ends of TLS for tests: both handshakes at once, on a pair of flows.

#ifndef FLOW_TLS_TLS_TEST_SUPPORT_H_
#define FLOW_TLS_TLS_TEST_SUPPORT_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/tls/certificates_test_support.h"
#include "flow/tls/tls.h"

namespace flow_testing {

// The root that tests trust, and a server "localhost" with its certificate.
const TestCa& SharedCa();
const TestIdentity& SharedIdentity();

// Options that make a good pair; tests bend them.
flow::TlsClientOptions GoodClient();
flow::TlsServerOptions GoodServer();

using TlsPair =
    std::pair<absl::StatusOr<flow::TlsFlow>, absl::StatusOr<flow::TlsFlow>>;

inline constexpr absl::Duration kTlsLong = absl::Seconds(60);

// The client's end and the server's, each as its handshake ended.
TlsPair HandshakeOver(std::pair<flow::Flow, flow::Flow> below,
                      const flow::TlsClient& client,
                      const flow::TlsServer& server,
                      const std::string& name = "localhost",
                      const flow::Limits& limits = kTlsLong);
// The same over memory, with new client and server objects.
TlsPair HandshakeWith(const flow::TlsClientOptions& client,
                      const flow::TlsServerOptions& server,
                      const std::string& name = "localhost");

// A connection over TCP.
absl::StatusOr<std::pair<flow::Flow, flow::Flow>> TcpPair();

// TLS on both, as it is by default; a layer for the conformance suite.
absl::StatusOr<std::pair<flow::Flow, flow::Flow>> UnderTls(
    std::pair<flow::Flow, flow::Flow> below,
    flow::TlsVersion max_version = flow::TlsVersion::kTls13,
    uint64_t rekey_after_records = 0);

}  // namespace flow_testing

#endif  // FLOW_TLS_TLS_TEST_SUPPORT_H_
