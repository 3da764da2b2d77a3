// A child of fork without exec. DESIGN 2.1: "wakers of an older generation are
// abandoned, never written. In the child handles may only be destroyed, by
// close(2) alone."

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "absl/types/span.h"
#include "flow/cancel.h"
#include "flow/driver_test.h"
#include "flow/flow.h"
#include "flow/signal.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Attempt;
using flow::ErrorKind;
using flow::Flow;

// Whether a forked child that runs `function` says true.
template <typename Function>
bool InChild(Function function) {
  const pid_t pid = fork();
  if (pid == 0) _exit(function() ? 0 : 1);
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(ForkTest, AChildOnlyGivesItsDescriptorsBack) {
  auto hooks = std::make_shared<Hooks>();
  std::optional<Flow> f(FlowOn(hooks));
  Background reader([&f] { return f->Read(); });
  ASSERT_TRUE(ReaderSleeps(*f));
  EXPECT_TRUE(InChild([&] {
    f.reset();
    return hooks->fork_closes == 1 && hooks->closes == 0 &&
           hooks->aborts == 0 && hooks->write_shuts == 0;
  }));
  EXPECT_EQ(hooks->fork_closes, 0);
  EXPECT_THAT(f->Close(), IsOk());
  EXPECT_THAT(reader.Get(), IsKind(ErrorKind::kClosedLocally));
  EXPECT_EQ(hooks->closes, 1);
}

TEST(ForkTest, CloseInAChildDoesNothing) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  EXPECT_TRUE(InChild([&] {
    return f.Close().ok() && f.Abort().ok() && hooks->closes == 0 &&
           hooks->aborts == 0;
  }));
  EXPECT_THAT(f.Write("still"), IsOk());
}

TEST(ForkTest, AFlowThatWasClosedBeforeTheForkDiesInPeace) {
  auto hooks = std::make_shared<Hooks>();
  std::optional<Flow> f(FlowOn(hooks));
  EXPECT_THAT(f->Close(), IsOk());
  EXPECT_TRUE(InChild([&] {
    f.reset();
    return hooks->fork_closes == 0 && hooks->closes == 1;
  }));
}

// [run] "a child's poke wakes the parent": the eventfd is shared.
TEST(ForkTest, AChildsNotificationDoesNotWakeTheParent) {
  auto hooks = std::make_shared<Hooks>();
  SleepCounter sys;
  Flow f = FlowOn(hooks, &sys);
  flow::CancelSource source;
  Background reader([&] { return f.Read(source.token()); });
  ASSERT_TRUE(sys.WaitFor(1));
  const int polls = sys.polls();
  EXPECT_TRUE(InChild([&] {
    hooks->signal.Notify();
    source.Cancel();
    return true;
  }));
  EXPECT_EQ(sys.polls(), polls) << "the parent's reader was woken";
  EXPECT_EQ(hooks->reads, 1);
  hooks->read = [](absl::Span<const iovec>) { return Attempt::Eof(); };
  hooks->signal.Notify();
  EXPECT_THAT(reader.Get(), IsEof());
}

TEST(ForkTest, AChildsThreadMakesAWakerOfItsOwn) {
  const int parents = flow::Waker::ForThisThread(flow::Syscalls::Real()).fd();
  ASSERT_GE(parents, 0);
  EXPECT_TRUE(InChild([] {
    auto hooks = std::make_shared<Hooks>();
    Flow f = FlowOn(hooks);
    // Sleeps, and is woken, by this process's eventfd.
    flow::CancelSource source;
    std::thread canceller([&] {
      ReaderSleeps(f);
      source.Cancel();
    });
    const bool cancelled = !f.Read(source.token()).ok();
    canceller.join();
    return cancelled;
  }));
  EXPECT_EQ(flow::Waker::ForThisThread(flow::Syscalls::Real()).fd(), parents);
}

}  // namespace
}  // namespace flow_testing
