// File: relay_rig_test.h (tests only)
//
// client <-> [a relay b] <-> server, over several kinds of stream.

#ifndef FLOW_RELAY_RELAY_RIG_TEST_H_
#define FLOW_RELAY_RELAY_RIG_TEST_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/flow.h"
#include "flow/relay/relay.h"

namespace flow_testing {

// How the connected pairs of a test are made.
struct PairKind {
  const char* name;
  std::function<std::pair<flow::Flow, flow::Flow>()> make;
  friend std::ostream& operator<<(std::ostream& os, const PairKind& kind) {
    return os << kind.name;
  }
};
PairKind MemoryKind();
PairKind TcpKind();
PairKind UnixKind();

// Bytes that differ at each position, so that one that is lost, doubled or
// foreign is seen.
std::string Pattern(size_t size, uint64_t seed = 1);

// Everything up to Eof; a failure ends it with its text in the result.
std::string ReadToEof(flow::Flow& f);

// Writes `bytes`, then the end; returns the first failure.
absl::Status WriteAndEnd(flow::Flow& f, absl::string_view bytes);

class RelayRig {
 public:
  explicit RelayRig(const PairKind& kind, flow::RelayOptions options = {});
  // The peers are closed first, so that a relay that hangs shows as a result.
  ~RelayRig();

  flow::Flow client;
  flow::Flow server;

  // Waits for the relay to end. The flows of its side are then destroyed.
  flow::RelayResult Join();

  flow::Flow& a() { return a_; }
  flow::Flow& b() { return b_; }

 private:
  flow::Flow a_;
  flow::Flow b_;
  flow::RelayResult result_;
  std::thread relay_;
};

}  // namespace flow_testing

#endif  // FLOW_RELAY_RELAY_RIG_TEST_H_
