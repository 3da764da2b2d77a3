// File: prometheus.h
//
// PrometheusText: a registry's figures in the text format that Prometheus and
// what is like it scrape (version 0.0.4).
//
//   registry.Snapshot() -> "# HELP flow_open Flows that are open now.\n"
//                          "# TYPE flow_open gauge\n"
//                          "flow_open{label=\"http\"} 12\n" ...
//
// | metric                    | type    | labels          | what              |
// |---------------------------|---------|-----------------|-------------------|
// | `_open`                   | gauge   | label           | open now          |
// | `_opened_total`           | counter | label           | added             |
// | `_closed_total`           | counter | label           | closed            |
// | `_read_bytes_total`       | counter | label           | given to callers  |
// | `_written_bytes_total`    | counter | label           | accepted          |
// | `_reads_total`            | counter | label           | calls with data   |
// | `_writes_total`           | counter | label           | calls that wrote  |
// | `_waiting`                | gauge   | label,          | calls that wait,  |
// |                           |         | direction, for  | by what for       |
// | `_flow_read_bytes`, `_flow_written_bytes`, `_flow_age_seconds`           |
// |                           | gauge   | id, label,      | each open flow,   |
// |                           |         | local, peer     | if `each_flow`    |
//
// Guarantees: pure. Values of labels are escaped, and valid UTF-8 whatever the
// user's labels are.

#ifndef FLOW_REGISTRY_PROMETHEUS_H_
#define FLOW_REGISTRY_PROMETHEUS_H_

#include <ostream>
#include <string>

#include "flow/registry/flow_registry.h"

namespace flow {

// How the figures are told.
struct PrometheusOptions {
  // Before each metric's name; what a name can't have becomes `_`.
  std::string prefix = "flow";
  // One time series for each flow: for few flows, or to look once. Each
  // connection makes a new one, which the server keeps.
  bool each_flow = false;

  // "each_flow=yes": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const PrometheusOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const PrometheusOptions& options) {
    return os << options.ToString();
  }
};

// The content type is "text/plain; version=0.0.4; charset=utf-8".
std::string PrometheusText(const FlowSnapshot& snapshot,
                           const PrometheusOptions& options = {});

}  // namespace flow

#endif  // FLOW_REGISTRY_PROMETHEUS_H_
