// What watching.md shows.

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "flow/flow.h"
#include "flow/observer.h"
#include "flow/registry/flow_registry.h"
#include "flow/registry/prometheus.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

using ::testing::HasSubstr;

class OperationLog : public flow::FlowObserver {
 public:
  void OnEnd(const flow::Operation& op,
             const flow::Outcome& outcome) noexcept override {
    absl::MutexLock lock(&mu_);
    absl::StrAppend(&lines_, op.ToString(), ": ", outcome.ToString(), "\n");
  }
  std::string lines() const {
    absl::MutexLock lock(&mu_);
    return lines_;
  }

 private:
  mutable absl::Mutex mu_;
  std::string lines_;
};

TEST(WatchingGuide, ObserverAndRegistry) {
  flow::FlowRegistry registry;
  auto log = std::make_shared<OperationLog>();
  auto [f, peer] = flow_testing::MemoryPair();
  f.Observe(log);             // operations of this one
  registry.Add(f, "client");  // until it is closed
  ASSERT_THAT(f.Write("hello"), flow_testing::IsOk());
  EXPECT_THAT(log->lines(), HasSubstr("write #1 of 5 B: OK, 5 B in "));
  EXPECT_THAT(registry.Snapshot().ToString(), HasSubstr("#1 client: flow "));
  const std::string page = flow::PrometheusText(registry.Snapshot());
  EXPECT_THAT(page,
              HasSubstr("flow_written_bytes_total{label=\"client\"} 5\n"));
}

}  // namespace
