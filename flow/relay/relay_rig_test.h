// File: relay_rig_test.h (tests only)
//
// client <-> [a relay b] <-> server, over several kinds of stream.

#ifndef FLOW_RELAY_RELAY_RIG_TEST_H_
#define FLOW_RELAY_RELAY_RIG_TEST_H_

#include <poll.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/async_context.h"
#include "flow/flow.h"
#include "flow/relay/relay.h"
#include "flow/sys/syscalls.h"

namespace flow_testing {

// How the connected pairs of a test are made.
struct PairKind {
  std::string name;
  std::function<std::pair<flow::Flow, flow::Flow>()> make;
  // How they are relayed.
  flow::CopyMethod method = flow::CopyMethod::kAuto;
  bool futures = false;  // by AsyncRelay

  PairKind By(flow::CopyMethod by) const;
  PairKind WithFutures() const;
  friend std::ostream& operator<<(std::ostream& os, const PairKind& kind) {
    return os << kind.name;
  }
};
PairKind MemoryKind();
PairKind TcpKind();
PairKind UnixKind();
PairKind StdioKind();  // two pipes, as standard input and output are

// Each kind of pair, relayed in each way that is fit for it.
std::vector<PairKind> AllRelays();
// Those of them.
std::vector<PairKind> TcpRelays();
std::vector<PairKind> BlockingRelays();

// Until `d` has passed.
void Pause(absl::Duration d);

// Bytes that differ at each position, so that one that is lost, doubled or
// foreign is seen.
std::string Pattern(size_t size, uint64_t seed = 1);

// Everything up to Eof; a failure ends it with its text in the result.
std::string ReadToEof(flow::Flow& f);

// Writes `bytes`, then the end; returns the first failure.
absl::Status WriteAndEnd(flow::Flow& f, absl::string_view bytes);

// How often the kernel was asked to wait, or to look.
class PollCounter : public flow::Syscalls {
 public:
  int Poll(pollfd* fds, nfds_t count, int timeout_ms) override {
    ++polls;
    return flow::Syscalls::Poll(fds, count, timeout_ms);
  }
  std::atomic<int> polls{0};
};

class RelayRig {
 public:
  explicit RelayRig(const PairKind& kind, flow::RelayOptions options = {});
  // The peers are closed first, so that a relay that hangs shows as a result.
  ~RelayRig();

  flow::Flow client;
  flow::Flow server;

  // Waits for the relay to end. The flows of its side are then destroyed.
  flow::RelayResult Join();

  // Not with futures, which own them.
  flow::Flow& a() { return a_; }
  flow::Flow& b() { return b_; }

 private:
  flow::Flow a_;
  flow::Flow b_;
  std::optional<flow::AsyncContext> context_;
  flow::RelayResult result_;
  std::thread relay_;
  std::future<flow::RelayResult> future_;
};

}  // namespace flow_testing

#endif  // FLOW_RELAY_RELAY_RIG_TEST_H_
