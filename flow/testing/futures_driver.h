// File: futures_driver.h
//
// The conformance suite through futures: the same cases, each call an operation
// of AsyncFlow that is waited for.
//
//   INSTANTIATE_TEST_SUITE_P(
//       Mine, FlowConformance,
//       ::testing::Values(Mine(), ThroughFutures(Mine(), /*threads=*/1),
//                         ThroughCallbacks(Mine(), /*threads=*/0)),
//       flow_testing::ConformanceName);
//
// All flows of one target share an AsyncContext, and so one poller.

#ifndef FLOW_TESTING_FUTURES_DRIVER_H_
#define FLOW_TESTING_FUTURES_DRIVER_H_

#include "flow/testing/conformance.h"

namespace flow_testing {

// `target`, its calls made by futures, or by callbacks that make them ready;
// the executor is a pool of `threads`, or, with 0, inline on the poller.
ConformanceTarget ThroughFutures(ConformanceTarget target, int threads);
ConformanceTarget ThroughCallbacks(ConformanceTarget target, int threads);

}  // namespace flow_testing

#endif  // FLOW_TESTING_FUTURES_DRIVER_H_
