// File: flow_registry.h
//
// FlowRegistry: which flows there are right now, what each waits for, and what
// all have done so far. For status pages, a table on SIGUSR1, and exporters
// (flow/registry/prometheus.h).
//
//   flow::FlowRegistry registry;
//   ...
//   registry.Add(connection, "http");         // in the handler
//   ...
//   std::cerr << registry.Snapshot();         // at any time
//
//   2 flows are open
//     #12 http: flow tcp 10.0.0.1:80 -> 10.0.0.7:5432, 12 B in 1 reads, ...,
//         reading: waiting for its descriptor for at most 4.5s, ...
//     ...
//
// There is no global one: who wants a registry makes it and passes it on.
//
// Guarantees:
// - Thread-safe. Snapshot waits for no flow; what it says of one may be from
//   slightly different instants.
// - A registry keeps no flow open. An entry vanishes when its flow is closed,
//   destroyed or taken apart (ReleaseTransport: what is made of it is another
//   flow), before a Close that waits for that returns. Moving a flow, or making
//   an AsyncFlow of it and a Flow again, leaves its entry.
// - It may be destroyed before the flows, and after them.
// - A registered flow pays for it when it sleeps (it notes its limit), not when
//   it moves bytes.

#ifndef FLOW_REGISTRY_FLOW_REGISTRY_H_
#define FLOW_REGISTRY_FLOW_REGISTRY_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "flow/endpoint.h"
#include "flow/flow.h"
#include "flow/stats.h"

namespace flow {

class AsyncFlow;

// One flow that is open. A value.
struct FlowEntry {
  uint64_t id = 0;    // counts the flows that were added
  std::string label;  // what the user called it
  Endpoint local;     // of the flow
  Endpoint peer;      // the same
  std::string name;   // "flow tls over tcp 10.0.0.1:80 -> 10.0.0.7:5432"
  Stats stats;        // bytes, calls, age, what each direction waits for
  // How long the call that waits may still do so; infinite: no limit, no call,
  // or one that waited before the flow was added. Negative: about to end.
  absl::Duration reading_limit = absl::InfiniteDuration();
  absl::Duration writing_limit = absl::InfiniteDuration();

  // As above, without an end of line.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const FlowEntry& entry) {
    sink.Append(entry.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const FlowEntry& entry) {
    return os << entry.ToString();
  }
};

// What all flows of one label have done since the registry was made, those that
// are closed included. Never decreases. A value.
struct FlowTotals {
  uint64_t opened = 0;  // flows added
  uint64_t closed = 0;  // of those
  // The sums of their Stats (flow/stats.h).
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;
  uint64_t reads = 0;
  uint64_t writes = 0;

  // "3 opened, 1 closed, 12 B in 2 reads, 34 B out in 5 writes".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const FlowTotals& totals) {
    sink.Append(totals.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const FlowTotals& totals) {
    return os << totals.ToString();
  }
};

// A registry at one time. A value.
struct FlowSnapshot {
  std::vector<FlowEntry> flows;              // open ones, oldest first
  std::map<std::string, FlowTotals> totals;  // by label

  // The table at the head of this file; lines with a newline each.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const FlowSnapshot& snapshot) {
    sink.Append(snapshot.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const FlowSnapshot& snapshot) {
    return os << snapshot.ToString();
  }
};

class FlowRegistry {
 public:
  FlowRegistry();
  ~FlowRegistry();
  FlowRegistry(const FlowRegistry&) = delete;
  FlowRegistry& operator=(const FlowRegistry&) = delete;

  // Lists `flow` until it is closed, and returns its entry's id; 0, and nothing
  // is listed, for no flow. `label` is the user's: of few values, since totals
  // are kept for each for as long as there is the registry. Added twice, a flow
  // is listed and counted twice.
  uint64_t Add(const Flow& flow, std::string label = "");
  uint64_t Add(const AsyncFlow& flow, std::string label = "");

  // Flows that are open now.
  size_t size() const;
  FlowSnapshot Snapshot() const;

  // As its Snapshot().
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const FlowRegistry& registry) {
    sink.Append(registry.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const FlowRegistry& registry) {
    return os << registry.ToString();
  }

 private:
  struct Book;

  // Shared with the flows, which take their entries out.
  const std::shared_ptr<Book> book_;
};

}  // namespace flow

#endif  // FLOW_REGISTRY_FLOW_REGISTRY_H_
