// File: layers_conformance_test_support.h
//
// What the conformance suite is run on, by blocking calls and by futures: each
// layer over memory, and several on top of each other over TCP.

#ifndef FLOW_LAYERS_LAYERS_CONFORMANCE_TEST_SUPPORT_H_
#define FLOW_LAYERS_LAYERS_CONFORMANCE_TEST_SUPPORT_H_

#include <vector>

#include "flow/testing/conformance.h"

namespace flow_testing {

// Each layer over memory, but throttle (see flow/testing).
std::vector<ConformanceTarget> LayersOverMemory();
// Those that make calls wait, or steps short.
std::vector<ConformanceTarget> SlowLayersOverMemory();
// counting over logging over throttle over prefix over tcp.
ConformanceTarget ManyLayersOverTcp();

}  // namespace flow_testing

#endif  // FLOW_LAYERS_LAYERS_CONFORMANCE_TEST_SUPPORT_H_
