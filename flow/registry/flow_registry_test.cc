// FlowRegistry and PrometheusText. Contract: flow/registry/flow_registry.h,
// its guarantees; DESIGN 8: "a registry of live flows is an object that the
// user makes and passes, not a global".

#include "flow/registry/flow_registry.h"

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/async_flow.h"
#include "flow/cancel.h"
#include "flow/driver_test.h"
#include "flow/flow.h"
#include "flow/registry/prometheus.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Activity;
using flow::Flow;
using flow::FlowEntry;
using flow::FlowRegistry;
using flow::FlowSnapshot;
using flow::FlowTotals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(FlowRegistryTest, ShowsWhatAFlowHasDoneAndWaitsFor) {
  FlowRegistry registry;
  auto [flow, peer] = MemoryPair();
  ASSERT_THAT(flow.Write("hello"), IsOk());
  EXPECT_EQ(registry.Add(flow, "http"), 1u);
  flow::CancelSource source;
  flow::Limits limits = absl::Hours(1);
  limits.cancel = source.token();
  Background read([&f = flow, &limits] { return f.Read(limits).status(); });
  ASSERT_TRUE(ReaderSleeps(flow));
  const FlowSnapshot snapshot = registry.Snapshot();
  source.Cancel();
  EXPECT_FALSE(read.Get().ok());
  ASSERT_EQ(snapshot.flows.size(), 1u);
  const FlowEntry& entry = snapshot.flows[0];
  EXPECT_EQ(entry.label, "http");
  EXPECT_EQ(entry.local.ToString(), "memory a");
  EXPECT_EQ(entry.peer.ToString(), "memory b");
  EXPECT_EQ(entry.stats.bytes_written, 5u);
  EXPECT_EQ(entry.stats.reading, Activity::kSignal);
  EXPECT_LE(entry.reading_limit, absl::Hours(1));
  EXPECT_GT(entry.reading_limit, absl::Minutes(59));
  EXPECT_EQ(entry.writing_limit, absl::InfiniteDuration());
  EXPECT_THAT(snapshot.ToString(),
              AllOf(HasSubstr("1 flow is open\n"),
                    HasSubstr("#1 http: flow memory a -> memory b, "),
                    HasSubstr("reading: waiting for another thread for at most "
                              "59m"),
                    HasSubstr("all http: 1 opened, 0 closed")));
}

// "An entry vanishes when its flow is closed ... before a Close that waits for
// that returns." What it has done stays in the totals.
TEST(FlowRegistryTest, ClosedFlowsVanishAndStayInTheTotals) {
  FlowRegistry registry;
  auto [closed, peer] = MemoryPair();
  std::optional<Flow> destroyed;
  destroyed = MemoryPair().first;
  registry.Add(closed, "x");
  registry.Add(*destroyed, "x");
  registry.Add(peer, "y");
  ASSERT_THAT(closed.Write("abc"), IsOk());
  EXPECT_EQ(registry.size(), 3u);
  ASSERT_THAT(closed.Close(), IsOk());
  EXPECT_EQ(registry.size(), 2u);
  destroyed.reset();
  EXPECT_EQ(registry.size(), 1u);
  ASSERT_THAT(peer.ReleaseTransport(), IsOk());
  EXPECT_EQ(registry.size(), 0u);
  const FlowTotals totals = registry.Snapshot().totals.at("x");
  EXPECT_EQ(totals.opened, 2u);
  EXPECT_EQ(totals.closed, 2u);
  EXPECT_EQ(totals.bytes_written, 3u);
  EXPECT_EQ(totals.writes, 1u);
}

TEST(FlowRegistryTest, NoFlowIsNotListedAndAClosedOneIsCounted) {
  FlowRegistry registry;
  EXPECT_EQ(registry.Add(Flow()), 0u);
  EXPECT_EQ(registry.Add(flow::AsyncFlow()), 0u);
  auto [flow, peer] = MemoryPair();
  ASSERT_THAT(flow.Close(), IsOk());
  registry.Add(flow, "late");
  EXPECT_EQ(registry.size(), 0u);
  EXPECT_EQ(registry.Snapshot().totals.at("late").closed, 1u);
}

// "A registry keeps no flow open", and none of the two has to go first.
TEST(FlowRegistryTest, FlowsAndRegistriesMayGoInAnyOrder) {
  auto [flow, peer] = MemoryPair();
  {
    FlowRegistry registry;
    registry.Add(flow);
  }
  ASSERT_THAT(flow.Write("still open"), IsOk());
  FlowRegistry registry;
  registry.Add(flow);
  { const Flow gone = std::move(flow); }
  EXPECT_EQ(registry.size(), 0u);
}

// "Making an AsyncFlow of it and a Flow again leaves its entry."
TEST(FlowRegistryTest, TheEntryFollowsTheFlowIntoFuturesAndBack) {
  flow::ThreadPool pool(1);
  flow::AsyncContext context(pool);
  FlowRegistry registry;
  auto [flow, peer] = MemoryPair();
  registry.Add(flow);
  auto async = flow::AsyncFlow::From(std::move(flow), context);
  ASSERT_THAT(async, IsOk());
  EXPECT_EQ(registry.size(), 1u);
  registry.Add(*async, "again");
  auto read = async->Read(absl::Hours(1));
  const FlowSnapshot waiting = registry.Snapshot();
  ASSERT_EQ(waiting.flows.size(), 2u);
  EXPECT_EQ(waiting.flows[1].stats.reading, Activity::kSignal);
  EXPECT_LT(waiting.flows[1].reading_limit, absl::Hours(2));
  ASSERT_THAT(peer.Write("x"), IsOk());
  ASSERT_THAT(read.get(), IsOk());
  auto back = async->Release();
  ASSERT_THAT(back, IsOk());
  EXPECT_EQ(registry.size(), 2u);
  ASSERT_THAT(back->Close(), IsOk());
  EXPECT_EQ(registry.size(), 0u);
}

// "Thread-safe": flows come, move bytes and go while others look.
TEST(FlowRegistryTest, LooksWhileFlowsComeAndGo) {
  constexpr int kFlows = 200;
  FlowRegistry registry;
  std::atomic<bool> done{false};
  std::thread looker([&] {
    while (!done) {
      for (const FlowEntry& entry : registry.Snapshot().flows) {
        EXPECT_EQ(entry.label, "storm");
      }
    }
  });
  std::vector<std::thread> makers;
  for (int i = 0; i < 2; ++i) {
    makers.emplace_back([&registry] {
      for (int n = 0; n < kFlows; ++n) {
        auto [flow, peer] = MemoryPair();
        registry.Add(flow, "storm");
        EXPECT_THAT(flow.Write("x"), IsOk());
      }
    });
  }
  for (std::thread& maker : makers) maker.join();
  done = true;
  looker.join();
  const FlowTotals totals = registry.Snapshot().totals.at("storm");
  EXPECT_EQ(totals.opened, 2u * kFlows);
  EXPECT_EQ(totals.closed, 2u * kFlows);
  EXPECT_EQ(totals.bytes_written, 2u * kFlows);
}

TEST(PrometheusTest, IsTheWholePage) {
  FlowSnapshot snapshot;
  snapshot.flows.resize(1);
  snapshot.flows[0].id = 7;
  snapshot.flows[0].label = "http";
  snapshot.flows[0].stats.reading = Activity::kFd;
  snapshot.flows[0].stats.bytes_read = 5;
  snapshot.flows[0].stats.age = absl::Milliseconds(1500);
  snapshot.totals["http"] = {3, 2, 12, 34, 5, 6};
  const std::string page = flow::PrometheusText(snapshot);
  EXPECT_EQ(page,
            "# HELP flow_open Flows that are open now.\n"
            "# TYPE flow_open gauge\n"
            "flow_open{label=\"http\"} 1\n"
            "# HELP flow_opened_total Flows that were opened.\n"
            "# TYPE flow_opened_total counter\n"
            "flow_opened_total{label=\"http\"} 3\n"
            "# HELP flow_closed_total Flows that were closed.\n"
            "# TYPE flow_closed_total counter\n"
            "flow_closed_total{label=\"http\"} 2\n"
            "# HELP flow_read_bytes_total Bytes given to callers.\n"
            "# TYPE flow_read_bytes_total counter\n"
            "flow_read_bytes_total{label=\"http\"} 12\n"
            "# HELP flow_written_bytes_total Bytes accepted by transports.\n"
            "# TYPE flow_written_bytes_total counter\n"
            "flow_written_bytes_total{label=\"http\"} 34\n"
            "# HELP flow_reads_total Calls that returned data.\n"
            "# TYPE flow_reads_total counter\n"
            "flow_reads_total{label=\"http\"} 5\n"
            "# HELP flow_writes_total Calls that wrote all.\n"
            "# TYPE flow_writes_total counter\n"
            "flow_writes_total{label=\"http\"} 6\n"
            "# HELP flow_waiting Calls that wait, by what they wait for.\n"
            "# TYPE flow_waiting gauge\n"
            "flow_waiting{label=\"http\",direction=\"read\",for=\"descriptor\"}"
            " 1\n");
  flow::PrometheusOptions options;
  options.each_flow = true;
  EXPECT_THAT(flow::PrometheusText(snapshot, options),
              AllOf(HasSubstr("flow_flow_read_bytes{id=\"7\",label=\"http\","
                              "local=\"?\",peer=\"?\"} 5\n"),
                    HasSubstr("} 1.5\n")));
}

// "Values of labels are escaped, and valid UTF-8 whatever the labels are."
TEST(PrometheusTest, HostileLabelsStayInTheirQuotes) {
  const struct {
    std::string label, escaped;
  } kCases[] = {
      {"a\"b", "a\\\"b"},
      {"a\\b", "a\\\\b"},
      {"a\nflow_open 99", "a\\nflow_open 99"},
      {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80",
       "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"},
      {"\xFF", "\xEF\xBF\xBD"},
      {"\xC3", "\xEF\xBF\xBD"},                                  // cut
      {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},                  // overlong
      {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},  // a surrogate
      // The first and the last of each length, and what is one beyond.
      {"\xE0\xA0\x80\xED\x9F\xBF", "\xE0\xA0\x80\xED\x9F\xBF"},
      {"\xE0\x9F", "\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"},
      {"\xF0\x8F", "\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"\xF4\x90", "\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"\xF5", "\xEF\xBF\xBD"},
      // Cut, at each place.
      {"\xE2z", "\xEF\xBF\xBDz"},
      {"\xE2\x82z", "\xEF\xBF\xBD\xEF\xBF\xBDz"},
      {"\xF1z", "\xEF\xBF\xBDz"},
      {"\xF1\x80z", "\xEF\xBF\xBD\xEF\xBF\xBDz"},
      {"\xF1\x80\x80z", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz"},
  };
  for (const auto& c : kCases) {
    FlowSnapshot snapshot;
    snapshot.totals[c.label] = FlowTotals();
    EXPECT_THAT(
        flow::PrometheusText(snapshot),
        HasSubstr(absl::StrCat("flow_open{label=\"", c.escaped, "\"} 0\n")));
  }
}

// "Calls that wait, by what they wait for": who waits for nothing is not told.
TEST(PrometheusTest, CallsAreToldByWhatTheyWaitFor) {
  FlowSnapshot snapshot;
  snapshot.flows.resize(2);
  snapshot.flows[0].stats.reading = Activity::kSignal;
  snapshot.flows[0].stats.writing = Activity::kTime;
  snapshot.flows[1].stats.reading = Activity::kTrying;
  snapshot.flows[1].stats.writing = Activity::kTurn;
  EXPECT_THAT(flow::PrometheusText(snapshot),
              AllOf(HasSubstr("direction=\"read\",for=\"thread\"} 1\n"),
                    HasSubstr("direction=\"write\",for=\"time\"} 1\n"),
                    Not(HasSubstr("for=\"\""))));
}

TEST(PrometheusTest, APrefixThatIsANameStays) {
  FlowSnapshot snapshot;
  snapshot.totals["x"] = FlowTotals();
  flow::PrometheusOptions options;
  options.prefix = "_my:app9";
  EXPECT_THAT(flow::PrometheusText(snapshot, options),
              HasSubstr("\n_my:app9_open{label=\"x\"} 0\n"));
}

TEST(PrometheusTest, ThePrefixIsMadeAName) {
  FlowSnapshot snapshot;
  snapshot.totals["x"] = FlowTotals();
  flow::PrometheusOptions options;
  options.prefix = "9my app\n";
  EXPECT_THAT(flow::PrometheusText(snapshot, options),
              AllOf(HasSubstr("\n_my_app__open{label=\"x\"} 0\n"),
                    Not(HasSubstr("my app"))));
}

}  // namespace
}  // namespace flow_testing
