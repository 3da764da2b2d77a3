// File: conformance.h
//
// FlowConformance: the contract of flow/flow.h as a suite of tests, for any
// kind of stream. Whoever writes a Transport runs it in about ten lines:
//
//   #include "flow/testing/conformance.h"
//
//   using flow_testing::FlowConformance;   // the macro wants a simple name
//
//   flow_testing::ConformanceTarget Mine() {
//     flow_testing::ConformanceTarget target;
//     target.name = "Mine";
//     target.make = [] { return MyConnectedPair(); };
//     target.abort_is_visible = false;
//     return target;
//   }
//   INSTANTIATE_TEST_SUITE_P(Mine, FlowConformance, ::testing::Values(Mine()),
//                            flow_testing::ConformanceName);
//
// (a cc_test that depends on //flow/testing:conformance; see
// examples/own_transport_test.cc).
//
// The stream has to hold one byte that nobody reads yet; all else may wait for
// a reader.
//
// It checks every cell of the state table for every operation, that endings
// stick (each is asked for three times), limits and tokens, Close and
// destruction under blocked calls, whole writes and contiguous reads under
// contention, and the exactness of bytes and counts.
//
// What a kind of stream can't do (a pipe has one direction, a unix socket can't
// show an abort) is said in the target. Such a test then passes at once and
// records the property "does_not_apply" with the reason in the test's XML; it
// is never skipped, for a skip hides what was meant to run.
//
// Each test is under a watchdog: after 30 s (120 s under a sanitizer) it prints
// the test, the step it hangs in and both flows, closes them, and if that frees
// nobody within 10 s ends the process. So a hang is a failure with a name.
// Tests wait for events, not for clocks; a time limit is used only where it is
// what is tested, with a wide margin for busy machines.
//
// The calls are Flow's, which block, or what a driver makes of them
// (flow/testing/futures_driver.h): the contract is one.
//
// Guarantees: the suite uses public functions of Flow only. Any number of
// targets may be in one binary; tests do not depend on each other.

#ifndef FLOW_TESTING_CONFORMANCE_H_
#define FLOW_TESTING_CONFORMANCE_H_

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/flow.h"
#include "flow/testing/tested_flow.h"
#include "gtest/gtest.h"

namespace flow_testing {

// A kind of stream, and what it can do.
struct ConformanceTarget {
  // Letters, digits and _ only: it is a part of the names of the tests.
  std::string name;

  // Makes two connected flows, new ones at each call. Of a one-way stream the
  // first writes and the second reads.
  std::function<absl::StatusOr<std::pair<flow::Flow, flow::Flow>>()> make;

  // Both flows read and write. False for a pipe.
  bool duplex = true;

  // The peer sees an Abort as a reset.
  bool abort_is_visible = true;

  // What had arrived before a reset can still be read.
  bool data_survives_reset = true;

  // The peer sees Shutdown(kWrite) as Eof. Otherwise it sees Close as one.
  bool ends_are_visible = true;

  // WaitPeerEnd(kFinished) can tell that the peer has ended. Otherwise it is
  // UNIMPLEMENTED.
  bool peer_end = true;

  // A layer that sends whole records: part of one that was counted may wait for
  // the next call on its flow, and Close in the middle of one is a cut (kind
  // kTruncated) to the peer.
  bool holds_back = false;

  // More bytes than the stream holds on its way, so that a Write of that many
  // blocks until the peer reads.
  size_t more_than_fits = size_t{32} << 20;

  // How many bytes the tests of quantity send at most. Less for a stream that
  // is slow.
  size_t bulk = 3'000'017;

  // Fills the stream until WriteSome would block, without anybody reading.
  // Empty: the suite does WriteSome until nothing has gone through for 20 ms.
  std::function<absl::Status(TestedFlow& writer)> clog;

  // Who makes the flows' calls: empty, Flow itself, which blocks. Futures are
  // in flow/testing/futures_driver.h.
  std::function<std::unique_ptr<FlowDriver>(flow::Flow)> driver;
};

std::ostream& operator<<(std::ostream& os, const ConformanceTarget& target);

// The name of a target as the name of its tests, for INSTANTIATE_TEST_SUITE_P.
std::string ConformanceName(
    const ::testing::TestParamInfo<ConformanceTarget>& info);

// The suite. Makes a pair for each test and watches over it. (What follows is
// for the suite's own tests.)
class FlowConformance : public ::testing::TestWithParam<ConformanceTarget> {
 public:
  // Out of line, where Watchdog is complete.
  FlowConformance();
  ~FlowConformance() override;

 protected:
  // Makes the pair, and takes it apart under the watchdog.
  void SetUp() override;
  void TearDown() override;

  // What the suite is run on.
  const ConformanceTarget& target() const { return GetParam(); }

  // The pair: `a()` writes and `b()` reads; if it is duplex, the other way
  // round too.
  TestedFlow& a() { return pair_.first; }
  TestedFlow& b() { return pair_.second; }

  // One more pair, not watched over.
  std::pair<TestedFlow, TestedFlow> MakePair();

  // `size`, or less if the target is too slow for that.
  size_t Bulk(size_t size) const { return std::min(size, target().bulk); }

  // Says what the test is about to do, for the watchdog's message.
  void Step(absl::string_view what);

  // `holds`; if not, records `why` as the reason that this test does not apply.
  bool Applies(bool holds, absl::string_view why);

  // Ends a()'s writing so that the peer sees it: Shutdown(kWrite), or Close
  // where only that is visible.
  absl::Status End(TestedFlow& flow);

  // Fills the way from `writer` until it would block. That may not last: a
  // kernel goes on moving bytes from one queue to the next for a while, and
  // takes a single byte where it takes no block.
  absl::Status Clog(TestedFlow& writer);

  // Reads, at b(), `size` bytes that a() has counted as written.
  absl::StatusOr<std::string> ReadCounted(size_t size);

  // Reads what is left after the peer was closed in the middle of a write, and
  // appends it to `got`. OK if that ends as it has to.
  absl::Status ReadWhatIsLeft(TestedFlow& flow, std::string& got) const;

  // Calls `write`, of a single byte to `writer` with a limit, until it fails,
  // as it must once the way is full for good.
  absl::Status UntilItBlocks(TestedFlow& writer,
                             const std::function<absl::Status()>& write);

 private:
  class Watchdog;

  std::pair<TestedFlow, TestedFlow> pair_;
  std::unique_ptr<Watchdog> watchdog_;
};

}  // namespace flow_testing

#endif  // FLOW_TESTING_CONFORMANCE_H_
