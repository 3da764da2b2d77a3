// File: probe_report.h
//
// What `flowcat probe` has found, in words and as JSON.
//
// Guarantees: pure.

#ifndef FLOW_TOOLS_FLOWCAT_PROBE_REPORT_H_
#define FLOW_TOOLS_FLOWCAT_PROBE_REPORT_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "flow/net/peer_credentials.h"
#include "flow/tls/tls_facts.h"

namespace flow_tools {

struct ProbeResult {
  // One try to connect.
  struct Connection {
    std::string address;
    absl::Duration took;
    absl::Status status;
  };

  std::string name;
  std::optional<absl::Duration> look_up;
  std::vector<std::string> addresses;  // that were found
  std::vector<Connection> connections;
  std::optional<absl::Duration> handshake;
  std::optional<flow::TlsFacts> tls;  // also of a server that is not accepted
  std::optional<flow::Credentials> peer;  // of a unix socket
  absl::Status status;
};

// `now` tells what is left of a certificate.
std::string ProbeAsText(const ProbeResult& result, absl::Time now);
// One line.
std::string ProbeAsJson(const ProbeResult& result);

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_PROBE_REPORT_H_
