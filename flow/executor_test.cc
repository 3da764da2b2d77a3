// Executors: where callbacks run, in which order, and what becomes of their
// exceptions.

#include "flow/executor.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using ::flow::ExceptionLog;
using ::flow::Executor;
using ::flow::FunctionExecutor;
using ::flow::InlineExecutor;
using ::testing::ElementsAre;

// "Start: at once."
TEST(InlineExecutor, RunsATaskBeforeItReturns) {
  InlineExecutor executor;
  absl::Status why = absl::UnknownError("not called");
  executor.Execute([&](absl::Status s) { why = std::move(s); });
  EXPECT_THAT(why, IsOk());
  EXPECT_TRUE(executor.runs_inline());
}

// "A task that is handed over inside a task runs after it."
TEST(InlineExecutor, RunsTasksOfTasksAfterThemInOrder) {
  InlineExecutor executor;
  std::vector<int> order;
  executor.Execute([&](absl::Status) {
    executor.Execute([&](absl::Status) {
      order.push_back(2);
      executor.Execute([&](absl::Status) { order.push_back(4); });
    });
    executor.Execute([&](absl::Status) { order.push_back(3); });
    order.push_back(1);
  });
  EXPECT_THAT(order, ElementsAre(1, 2, 3, 4));
}

// "Chains of callbacks don't grow the stack": 100,000 frames would overflow it.
TEST(InlineExecutor, ChainsDoNotGrowTheStack) {
  InlineExecutor executor;
  int left = 100'000;
  struct Chain {
    static void Step(InlineExecutor& executor, int& left) {
      if (--left == 0) return;
      executor.Execute([&](absl::Status) { Step(executor, left); });
    }
  };
  executor.Execute([&](absl::Status) { Chain::Step(executor, left); });
  EXPECT_EQ(left, 0);
}

// P8: what a task throws stays inside, and the tasks after it run.
TEST(InlineExecutor, ContainsExceptionsAndGoesOn) {
  InlineExecutor executor;
  std::vector<std::string> reported;
  executor.exceptions()->set_hook([&](absl::string_view what) {
    reported.emplace_back(what);
    throw std::runtime_error("the hook's own is dropped");
  });
  bool after = false;
  executor.Execute([&](absl::Status) {
    executor.Execute([&](absl::Status) { after = true; });
    throw std::runtime_error("first");
  });
  executor.Execute([](absl::Status) { throw 7; });
  EXPECT_TRUE(after);
  EXPECT_EQ(executor.exceptions()->count(), 2u);
  EXPECT_THAT(reported, ElementsAre("first", "not a std::exception"));
}

// P8: a callback may destroy what it runs on; what it handed over still runs.
TEST(InlineExecutor, ATaskMayDestroyIt) {
  auto executor = std::make_unique<InlineExecutor>();
  bool after = false;
  executor->Execute([&](absl::Status) {
    executor->Execute([&](absl::Status) { after = true; });
    executor.reset();
  });
  EXPECT_TRUE(after);
}

TEST(FunctionExecutor, HandsEachTaskToTheFunction) {
  std::vector<Executor::Task> posted;
  FunctionExecutor executor(
      [&](Executor::Task task) { posted.push_back(std::move(task)); });
  int ran = 0;
  executor.Execute([&](absl::Status) { ++ran; });
  executor.Execute([&](absl::Status) { ++ran; });
  EXPECT_EQ(ran, 0);
  EXPECT_FALSE(executor.runs_inline());
  ASSERT_EQ(posted.size(), 2u);
  for (Executor::Task& task : posted) std::move(task)(absl::OkStatus());
  EXPECT_EQ(ran, 2);
}

// P8: each callback is called once, whatever the user's function does with it.
TEST(FunctionExecutor, ATaskThatTheFunctionLosesIsCancelled) {
  std::vector<absl::Status> told;
  const auto task = [&](absl::Status why) { told.push_back(std::move(why)); };
  FunctionExecutor drops([](Executor::Task) {});
  drops.Execute(task);
  FunctionExecutor throws([](Executor::Task) { throw std::logic_error("x"); });
  throws.Execute(task);
  EXPECT_EQ(throws.exceptions()->count(), 1u);
  EXPECT_THAT(told, ElementsAre(StatusIs(absl::StatusCode::kCancelled),
                                StatusIs(absl::StatusCode::kCancelled)));
  std::vector<Executor::Task> posted;
  FunctionExecutor both([&](Executor::Task once) {
    posted.push_back(std::move(once));
    throw std::logic_error("after it was posted");
  });
  both.Execute(task);
  EXPECT_EQ(told.size(), 2u) << "it is posted, if only the function threw";
  std::move(posted[0])(absl::OkStatus());
  posted.clear();
  EXPECT_EQ(told.size(), 3u);
  EXPECT_THAT(told.back(), IsOk());
}

// What a context keeps of an executor works when that is gone.
TEST(Executor, TheDoorOutlivesIt) {
  int ran = 0;
  const auto task = [&](const absl::Status& why) { ran += why.ok() ? 1 : 0; };
  auto inline_executor = std::make_unique<InlineExecutor>();
  auto function = std::make_unique<FunctionExecutor>(
      [](Executor::Task now) { std::move(now)(absl::OkStatus()); });
  const std::vector<Executor::Door> doors = {inline_executor->door(),
                                             function->door()};
  inline_executor.reset();
  function.reset();
  for (const Executor::Door& door : doors) door(task);
  EXPECT_EQ(ran, 2);
}

// The hook may destroy what waits for the task that threw.
TEST(ExceptionLog, TheHookIsCalledWithoutALock) {
  ExceptionLog log;
  log.set_hook([&](absl::string_view) { log.set_hook(nullptr); });
  EXPECT_FALSE(log.Contain([] { throw std::logic_error("x"); }));
  EXPECT_FALSE(log.Contain([] { throw std::logic_error("x"); }));
  EXPECT_EQ(log.count(), 2u);
}

TEST(ExceptionLog, CountsWhatIsLetOut) {
  ExceptionLog log;
  EXPECT_TRUE(log.Contain([] {}));
  EXPECT_FALSE(log.Contain([] { throw std::logic_error("x"); }));
  EXPECT_EQ(log.count(), 1u);
}

}  // namespace
}  // namespace flow_testing
