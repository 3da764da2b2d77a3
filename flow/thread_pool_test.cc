// ThreadPool: the five things that its header says, and P8 for its futures.

#include "flow/thread_pool.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/barrier.h"
#include "absl/synchronization/notification.h"
#include "flow/async_test_support.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using ::flow::ThreadPool;
using ::flow::ThreadPoolOptions;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string ThreadName() {
  char name[16] = "";
  pthread_getname_np(pthread_self(), name, sizeof(name));
  return name;
}

// "Threads: as many as asked for, ... named NAME-0, NAME-1": all of them meet.
TEST(ThreadPool, HasTheThreadsThatWereAskedFor) {
  ThreadPoolOptions options;
  options.threads = 3;
  options.name = "meet";
  ThreadPool pool(std::move(options));
  absl::Barrier barrier(3);
  std::vector<std::future<absl::Status>> met;
  for (int i = 0; i < 3; ++i) {
    met.push_back(pool.Submit([&] {
      barrier.Block();
      return absl::InternalError(ThreadName());
    }));
  }
  for (auto& future : met) {
    EXPECT_THAT(std::string(future.get().message()), HasSubstr("meet-"));
  }
  EXPECT_EQ(pool.GetStats().threads, 3);
}

TEST(ThreadPool, LessThanOneThreadIsOne) {
  ThreadPool pool(0);
  EXPECT_EQ(pool.GetStats().threads, 1);
  EXPECT_THAT(pool.Submit([] { return absl::OkStatus(); }).get(), IsOk());
}

// P6: a write to a pipe from a task raises no signal.
TEST(ThreadPool, BlocksSigpipeInItsThreads) {
  ThreadPool pool(1);
  const absl::Status blocked = pool.Submit([] {
                                     sigset_t mask;
                                     pthread_sigmask(SIG_BLOCK, nullptr, &mask);
                                     return sigismember(&mask, SIGPIPE) == 1
                                                ? absl::OkStatus()
                                                : absl::InternalError("no");
                                   })
                                   .get();
  EXPECT_THAT(blocked, IsOk());
}

// "Order: first in, first out; with one thread also one after the other."
TEST(ThreadPool, OneThreadKeepsTheOrder) {
  std::vector<int> order;
  {
    ThreadPool pool(1);
    for (int i = 0; i < 4; ++i) {
      pool.Execute([&order, i](absl::Status) { order.push_back(i); });
    }
    EXPECT_THAT(pool.Submit([] { return absl::OkStatus(); }).get(), IsOk());
  }
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3));
}

// Case 82 (P8): shut down with 100 queued operations: 100 times CANCELLED, no
// broken promise; what runs finishes.
TEST(ThreadPool, DestructionCancelsWhatIsQueuedAndWaitsForWhatRuns) {
  auto pool = std::make_unique<ThreadPool>(1);
  absl::Notification running;
  absl::Notification go_on;
  auto first = pool->Submit([&] {
    running.Notify();
    go_on.WaitForNotification();
    return absl::OkStatus();
  });
  running.WaitForNotification();
  std::vector<std::future<absl::Status>> queued;
  for (int i = 0; i < 100; ++i) {
    queued.push_back(pool->Submit([] { return absl::OkStatus(); }));
  }
  EXPECT_EQ(pool->GetStats().queued, 100u);
  EXPECT_EQ(pool->GetStats().running, 1);
  std::thread destroyer([&] { pool.reset(); });
  for (auto& future : queued) {
    EXPECT_THAT(future.get(), StatusIs(absl::StatusCode::kCancelled));
  }
  go_on.Notify();
  destroyer.join();
  EXPECT_THAT(first.get(), IsOk());
}

// Case 84 (P8): exceptions are counted and reported, a submitted task's future
// is INTERNAL, the next 1,000 tasks run.
TEST(ThreadPool, ContainsExceptions) {
  std::vector<std::string> reported;
  ThreadPoolOptions options;
  options.on_exception = [&](absl::string_view what) {
    reported.emplace_back(what);
  };
  ThreadPool pool(std::move(options));
  EXPECT_THAT(
      pool.Submit([]() -> absl::Status { throw std::runtime_error("one"); })
          .get(),
      StatusIs(absl::StatusCode::kInternal));
  pool.Execute([](absl::Status) { throw std::runtime_error("two"); });
  std::atomic<int> ran{0};
  for (int i = 0; i < 1000; ++i) {
    pool.Execute([&](absl::Status) { ++ran; });
  }
  EXPECT_THAT(pool.Submit([] { return absl::OkStatus(); }).get(), IsOk());
  EXPECT_EQ(ran, 1000);
  EXPECT_THAT(reported, ElementsAre("one", "two"));
  EXPECT_EQ(pool.GetStats().exceptions, 2u);
}

// "A task may destroy the pool that it runs on": what is queued is cancelled,
// the other threads are joined, its own is not.
TEST(ThreadPool, ATaskMayDestroyIt) {
  auto pool = std::make_unique<ThreadPool>(1);
  absl::Notification all_queued;
  absl::Notification destroyed;
  pool->Execute([&](absl::Status) {
    all_queued.WaitForNotification();
    pool.reset();
    destroyed.Notify();
  });
  auto queued = pool->Submit([] { return absl::OkStatus(); });
  all_queued.Notify();
  destroyed.WaitForNotification();
  EXPECT_THAT(queued.get(), StatusIs(absl::StatusCode::kCancelled));
}

// "The future's destructor does not block."
TEST(ThreadPool, AFutureMayBeDroppedAtOnce) {
  absl::Notification go_on;
  ThreadPool pool(1);
  static_cast<void>(pool.Submit([&] {
    go_on.WaitForNotification();
    return absl::OkStatus();
  }));
  go_on.Notify();
}

// What a task held is gone by the time its future is ready.
TEST(ThreadPool, ATaskIsDestroyedBeforeItsFutureIsReady) {
  ThreadPool pool(1);
  for (int i = 0; i < 100; ++i) {
    auto held = std::make_shared<int>(i);
    auto future = pool.Submit([held] { return absl::OkStatus(); });
    EXPECT_THAT(future.get(), IsOk());
    EXPECT_EQ(held.use_count(), 1);
  }
}

// Tasks may hand over more; any thread may.
TEST(ThreadPool, TasksMayHandOverTasks) {
  ThreadPool pool(2);
  std::promise<void> last;
  std::atomic<int> left{1000};
  struct Chain {
    static void Step(ThreadPool& pool, std::atomic<int>& left,
                     std::promise<void>& last) {
      if (--left == 0) return last.set_value();
      pool.Execute([&](absl::Status) { Step(pool, left, last); });
    }
  };
  pool.Execute([&](absl::Status) { Chain::Step(pool, left, last); });
  last.get_future().get();
}

// "In a forked child the threads do not exist": refused at once, joined never.
TEST(ThreadPool, AForkedChildIsRefused) {
  ThreadPool pool(1);
  ASSERT_THAT(pool.Submit([] { return absl::OkStatus(); }).get(), IsOk());
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    const absl::Status refused =
        pool.Submit([] { return absl::OkStatus(); }).get();
    const bool right = absl::IsFailedPrecondition(refused);
    pool.~ThreadPool();
    _exit(right ? 0 : 1);
  }
  ASSERT_GT(child, 0);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_THAT(pool.Submit([] { return absl::OkStatus(); }).get(), IsOk());
}

TEST(ThreadPool, StatisticsHaveAText) {
  ThreadPool pool(2);
  EXPECT_EQ(pool.GetStats().ToString(),
            "2 threads, 0 running, 0 queued, 0 finished, 0 cancelled, 0 "
            "exceptions");
}

}  // namespace
}  // namespace flow_testing
