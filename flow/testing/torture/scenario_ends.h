// File: scenario_ends.h
//
// Pairs of connected flows for the scenarios of the torture test, of each kind.
// The descriptors are made without the run's kernel, so that only what flow
// itself calls is counted and fails.

#ifndef FLOW_TESTING_TORTURE_SCENARIO_ENDS_H_
#define FLOW_TESTING_TORTURE_SCENARIO_ENDS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "flow/flow.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/torture/torture_run.h"

namespace flow_testing {

enum class EndsKind : uint8_t {
  kUnix,
  kTcp,
  kPipes,
  kBorrowedUnix,
  kBorrowedPipes,
  kMemory,
};
std::string EndsName(EndsKind kind);

// Bytes arrive in the call that sends them, so that a run that is alone may
// let its clock jump. Not so over TCP.
bool ArrivesAtOnce(EndsKind kind);

// Two flows, and, if they are borrowed, what they are on.
struct Ends {
  flow::Flow a;
  flow::Flow b;
  std::vector<flow::UniqueFd> lent;
  // The peer sees Shutdown(kWrite).
  bool ends_are_visible = true;
};

// Both on run.sys(). A unix socket holds 200 B that are sent one by one, so
// scenarios say no more at a time. Not made: the run was told.
bool MakeEnds(TortureRun& run, EndsKind kind, Ends* ends);

// A unix socketpair, adopted with run.sys().
bool MakeSockets(TortureRun& run, flow::Flow* a, flow::Flow* b);

// `n` bytes from `a` to `b` in pieces, each read as it
// comes. For one thread.
bool Pump(TortureRun& run, Lane& lane, flow::Flow& a, flow::Flow& b, size_t n);

}  // namespace flow_testing

#endif  // FLOW_TESTING_TORTURE_SCENARIO_ENDS_H_
