// File: dressing.h
//
// The layers that flags put on a connection's two flows (flow/layers). It alone
// knows their order:
//
//   FROM  -  --limit, --cut-at  -  relay  -  --limit, --cut-at  -  --tee  -
//   --dump  -  --rate  -  faults  -  TO
//
// A dump and a tee so have what a peer of FROM's would have got, and what the
// faults have made of TO's bytes.
//
// Guarantees: any thread. Without such flags a flow is handed through, so that
// the kernel can still move the bytes.

#ifndef FLOW_TOOLS_FLOWCAT_DRESSING_H_
#define FLOW_TOOLS_FLOWCAT_DRESSING_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "flow/flow.h"
#include "flow/layers/logging.h"
#include "flow/limits.h"
#include "tools/flowcat/console.h"
#include "tools/flowcat/settings.h"

namespace flow_tools {

class Dressing {
 public:
  // Both must outlive it, and the flows that it has dressed.
  Dressing(const Settings& settings, Console& console);

  [[nodiscard]] absl::StatusOr<flow::Flow> From(flow::Flow from) const;
  // `id` is the connection's number: its dump is called so, its tees go to
  // FILE.ID if there can be several, and its faults are its own.
  [[nodiscard]] absl::StatusOr<flow::Flow> To(flow::Flow to, uint64_t id,
                                              const flow::Limits& limits) const;

 private:
  absl::StatusOr<flow::Flow> WithFaults(flow::Flow to, uint64_t id) const;
  absl::StatusOr<flow::Flow> WithTee(flow::Flow to, uint64_t id,
                                     const flow::Limits& limits) const;
  absl::StatusOr<flow::Flow> Copies(const std::string& path, uint64_t id,
                                    const flow::Limits& limits) const;

  const Settings& settings_;
  const std::shared_ptr<flow::LogSink> sink_;
};

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_DRESSING_H_
