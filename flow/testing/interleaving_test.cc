// The checker, checked: it finds the orders that there are, and what is wrong
// in any of them.

#include "flow/testing/interleaving.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "flow/testing/interleaving_primitives.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

// Two threads that each read and write back: the lost update is found, and so
// is the one in which nothing is lost.
TEST(Interleaving, FindsEveryOutcomeOfARace) {
  std::set<int> outcomes;
  const Explored explored = Explore([&outcomes] {
    auto count = std::make_shared<SteppedAtomic<int>>(0);
    const auto body = [count] { count->store(count->load() + 1); };
    return Scenario{{body, body},
                    [count, &outcomes] { outcomes.insert(count->load()); }};
  });
  EXPECT_TRUE(explored.complete);
  EXPECT_EQ(outcomes, (std::set<int>{1, 2}));
}

// What can't be told apart is tried once.
TEST(Interleaving, TriesIndependentThreadsInOneOrder) {
  const Explored explored = Explore([] {
    auto a = std::make_shared<SteppedAtomic<int>>(0);
    auto b = std::make_shared<SteppedAtomic<int>>(0);
    const auto body = [](const std::shared_ptr<SteppedAtomic<int>>& mine) {
      for (int i = 0; i < 10; ++i) mine->store(i);
    };
    return Scenario{{[=] { body(a); }, [=] { body(b); }}, [] {}};
  });
  EXPECT_TRUE(explored.complete);
  EXPECT_EQ(explored.executions, 1u);
}

// Two threads of n writes to one object have (2n)! / n!^2 orders, all of which
// can be told apart.
TEST(Interleaving, TriesDependentThreadsInEveryOrder) {
  std::set<std::vector<int>> orders;
  const Explored explored = Explore([&orders] {
    auto order = std::make_shared<std::vector<int>>();
    auto shared = std::make_shared<SteppedAtomic<int>>(0);
    const auto body = [=](int me) {
      for (int i = 0; i < 3; ++i) {
        shared->store(me);
        order->push_back(me);
      }
    };
    return Scenario{{[=] { body(1); }, [=] { body(2); }},
                    [=, &orders] { orders.insert(*order); }};
  });
  EXPECT_TRUE(explored.complete);
  EXPECT_EQ(orders.size(), 20u);
  EXPECT_EQ(explored.executions - explored.redundant, 20u);
}

TEST(Interleaving, KeepsTwoOutOfAMutex) {
  const Explored explored = Explore([] {
    auto mutex = std::make_shared<SteppedMutex>();
    auto inside = std::make_shared<SteppedAtomic<int>>(0);
    const auto body = [=] {
      SteppedMutexLock lock(mutex.get());
      Require(inside->fetch_add(1) == 0, "two are inside");
      inside->fetch_sub(1);
    };
    return Scenario{{body, body, body}, [] {}};
  });
  EXPECT_TRUE(explored.complete);
  EXPECT_EQ(explored.executions - explored.redundant, 6u);
}

// A pipe that one thread writes to and another polls.
struct Bell {
  Bell() { Require(::pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0, "no pipe"); }
  ~Bell() {
    ::close(fds[0]);
    ::close(fds[1]);
  }
  void Ring() {
    StepKernel(/*write=*/true);
    Require(::write(fds[1], "x", 1) == 1, "can't ring");
  }
  bool Await(int timeout_ms) {
    pollfd fd = {fds[0], POLLIN, 0};
    return sys.Poll(&fd, 1, timeout_ms) == 1;
  }

  int fds[2] = {-1, -1};
  InterleavedSyscalls sys;
};

TEST(Interleaving, ATimeoutMayComeBeforeAndAfter) {
  std::set<bool> outcomes;
  const Explored explored = Explore([&outcomes] {
    auto bell = std::make_shared<Bell>();
    return Scenario{{[=] { bell->Ring(); },
                     [=, &outcomes] { outcomes.insert(bell->Await(20)); }},
                    [] {}};
  });
  EXPECT_TRUE(explored.complete);
  EXPECT_EQ(outcomes, (std::set<bool>{false, true}));
}

// The mistake that Signal's order of steps is there to prevent: the sleeper
// looks, and links only then; the notifier sees no link in between.
void ExploreASleeperThatLooksTooEarly(bool looks_again) {
  Explore([looks_again] {
    auto bell = std::make_shared<Bell>();
    auto changed = std::make_shared<SteppedAtomic<int>>(0);
    auto linked = std::make_shared<SteppedAtomic<int>>(0);
    return Scenario{{[=] {
                       changed->store(1);
                       if (linked->load() == 1) bell->Ring();
                     },
                     [=] {
                       if (changed->load() == 1) return;
                       linked->store(1);
                       if (looks_again && changed->load() == 1) return;
                       bell->Await(-1);
                     }},
                    [] {}};
  });
}

TEST(Interleaving, PassesASleeperThatLooksAgain) {
  ExploreASleeperThatLooksTooEarly(/*looks_again=*/true);
}

TEST(InterleavingDeathTest, FindsALostWakeUp) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(ExploreASleeperThatLooksTooEarly(/*looks_again=*/false),
               "a wake-up was lost");
}

}  // namespace
}  // namespace flow_testing
