// File: scenarios.h
//
// The scenarios of the torture test, by the rooms that they visit. Names are
// letters, digits and _.

#ifndef FLOW_TESTING_TORTURE_SCENARIOS_H_
#define FLOW_TESTING_TORTURE_SCENARIOS_H_

#include <vector>

#include "flow/testing/torture/torture_engine.h"

namespace flow_testing {

// Blocking calls on each kind of stream: sockets, pipes, memory; owned and
// borrowed.
std::vector<Scenario> StreamScenarios();
// Futures, with their poller.
std::vector<Scenario> AsyncScenarios();
// Listeners, copies, buffers and layers.
std::vector<Scenario> RoomScenarios();
// Copies by the kernel, relays, layers, TLS.
std::vector<Scenario> MovingScenarios();
// Descriptors, programs, terminals, servers.
std::vector<Scenario> SystemScenarios();

// All of them.
std::vector<Scenario> AllScenarios();

}  // namespace flow_testing

#endif  // FLOW_TESTING_TORTURE_SCENARIOS_H_
