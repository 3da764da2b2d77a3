// How programs end, who ends them, and what is left of them: nothing.

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/net/subprocess.h"
#include "flow/net/subprocess_test_support.h"
#include "flow/status.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::ExitStatus;
using flow::Flow;
using flow::Spawn;
using flow::SpawnOptions;
using flow::Subprocess;
using testing::HasSubstr;

TEST(SubprocessEndsTest, TheEndIsTypedAndToldToAllWhoAsk) {
  absl::StatusOr<Subprocess> sh = Spawn({"/bin/sh", "-c", "exit 3"});
  ASSERT_THAT(sh, IsOk());
  for (int i = 0; i < 3; ++i) {
    const absl::StatusOr<ExitStatus> end = sh->Wait(kLong);
    ASSERT_THAT(end, IsOk());
    EXPECT_TRUE(end->exited());
    EXPECT_EQ(end->code(), 3);
    EXPECT_EQ(end->signal(), -1);
    EXPECT_FALSE(end->success());
    EXPECT_EQ(end->ToString(), "exit code 3");
  }
  // The number may be somebody else's by now: nothing is sent.
  EXPECT_THAT(sh->Kill(), IsOk());

  absl::StatusOr<Subprocess> killed = Spawn({"cat"});
  ASSERT_THAT(killed, IsOk());
  EXPECT_THAT(killed->Kill(SIGTERM), IsOk());
  const absl::StatusOr<ExitStatus> end = killed->Wait(kLong);
  ASSERT_THAT(end, IsOkAndHolds(ExitStatus::Signalled(SIGTERM)));
  EXPECT_EQ(end->code(), -1);
  EXPECT_THAT(end->ToString(), HasSubstr("signal 15"));
}

// "Works when the child's grandchild keeps the pipe open": Wait does not depend
// on Eof, and reading goes on for as long as the caller likes.
TEST(SubprocessEndsTest, WaitReturnsWhileAGrandchildHoldsTheOutput) {
  // The grandchild copies our input to the output until that ends.
  absl::StatusOr<Subprocess> sh =
      Spawn({"/bin/sh", "-c", "exec 3<&0; cat <&3 & echo started; exit 3"});
  ASSERT_THAT(sh, IsOk());
  EXPECT_THAT(sh->Wait(kLong), IsOkAndHolds(ExitStatus::Exited(3)));
  EXPECT_THAT(sh->stdout_flow().Read(kLong), IsData("started\n"));
  EXPECT_THAT(sh->stdout_flow().Read(absl::Milliseconds(20)),
              IsKind(flow::ErrorKind::kDeadline));
  EXPECT_THAT(sh->stdin_flow().Write("still here", kLong), IsOk());
  EXPECT_THAT(sh->stdout_flow().Read(kLong), IsData("still here"));
  EXPECT_THAT(sh->stdin_flow().Close(), IsOk());
  EXPECT_THAT(sh->stdout_flow().Read(kLong), IsEof());
}

// P3: limits hold for Wait, and the program runs on.
TEST(SubprocessEndsTest, WaitKeepsItsLimits) {
  OldKernel old_kernel;
  for (flow::Syscalls* sys :
       {flow::Syscalls::Real(), static_cast<flow::Syscalls*>(&old_kernel)}) {
    SpawnOptions options;
    options.sys = sys;
    absl::StatusOr<Subprocess> cat = Spawn({"cat"}, options);
    ASSERT_THAT(cat, IsOk());
    EXPECT_THAT(
        cat->Wait(absl::Milliseconds(30)),
        StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("cat[")));
    EXPECT_THAT(cat->Wait(absl::ZeroDuration()),
                IsKind(flow::ErrorKind::kDeadline));
    flow::CancelSource source;
    std::thread waiter([&] {
      EXPECT_THAT(cat->Wait(source.token()),
                  StatusIs(absl::StatusCode::kCancelled));
    });
    std::thread other([&] {
      EXPECT_THAT(cat->Wait(kLong), IsOkAndHolds(ExitStatus::Exited(0)));
    });
    source.Cancel();
    waiter.join();
    EXPECT_THAT(cat->stdin_flow().Write("alive", kLong), IsOk());
    EXPECT_THAT(cat->stdout_flow().Read(kLong), IsData("alive"));
    EXPECT_THAT(cat->stdin_flow().Close(), IsOk());
    EXPECT_THAT(cat->Wait(kLong), IsOkAndHolds(ExitStatus::Exited(0)));
    other.join();
  }
}

// P4: who waits makes at most 20 calls a second.
class CountingKernel : public flow::Syscalls {
 public:
  int Waitid(pid_t pid, int pidfd, siginfo_t* info, int options) override {
    ++calls;
    return Syscalls::Waitid(pid, pidfd, info, options);
  }
  int Poll(pollfd* fds, nfds_t count, int timeout_ms) override {
    ++calls;
    return Syscalls::Poll(fds, count, timeout_ms);
  }
  int PidfdOpen(pid_t pid) override {
    if (has_pidfd) return Syscalls::PidfdOpen(pid);
    errno = ENOSYS;
    return -1;
  }
  std::atomic<int> calls{0};
  bool has_pidfd = true;
};

TEST(SubprocessEndsTest, WaitingDoesNotSpin) {
  for (const bool has_pidfd : {true, false}) {
    CountingKernel sys;
    sys.has_pidfd = has_pidfd;
    SpawnOptions options;
    options.sys = &sys;
    absl::StatusOr<Subprocess> cat = Spawn({"cat"}, options);
    ASSERT_THAT(cat, IsOk());
    sys.calls = 0;
    EXPECT_THAT(cat->Wait(absl::Seconds(1)),
                IsKind(flow::ErrorKind::kDeadline));
    EXPECT_LE(sys.calls, 22);  // 20 a second, the first and the last
    EXPECT_THAT(cat->stdin_flow().Close(), IsOk());
    EXPECT_THAT(cat->Wait(kLong), IsOk());
  }
}

TEST(SubprocessEndsTest, WritingToAProgramThatHasEndedIsClosedByPeer) {
  absl::StatusOr<Subprocess> quick = Spawn({"true"});
  ASSERT_THAT(quick, IsOk());
  ASSERT_THAT(quick->Wait(kLong), IsOk());
  EXPECT_THAT(quick->stdin_flow().Write("x", kLong),
              IsKind(flow::ErrorKind::kClosedByPeer));
}

TEST(SubprocessEndsTest, KillOnCloseEndsAndReapsTheProgram) {
  SpawnOptions options;
  options.kill_on_close = true;
  absl::StatusOr<Subprocess> cat = Spawn({"cat"}, options);
  ASSERT_THAT(cat, IsOk());
  Flow in = std::move(cat->stdin_flow());  // so that cat sees no end
  Flow out = std::move(cat->stdout_flow());
  const pid_t pid = cat->pid();
  *cat = Subprocess();
  EXPECT_THAT(out.Read(kLong), IsEof());
  WaitUntilReaped(pid);
}

// With a group, what the program has started goes too.
TEST(SubprocessEndsTest, KillOnCloseEndsTheWholeGroup) {
  for (const bool session : {false, true}) {
    SpawnOptions options;
    options.kill_on_close = true;
    options.own_group = true;
    options.own_session = session;
    absl::StatusOr<Subprocess> sh =
        Spawn({"/bin/sh", "-c", "exec 3<&0; cat <&3 & echo started; exit 0"},
              options);
    ASSERT_THAT(sh, IsOk());
    Flow in = std::move(sh->stdin_flow());
    Flow out = std::move(sh->stdout_flow());
    EXPECT_THAT(out.Read(kLong), IsData("started\n"));
    // Even though the leader has ended, and was waited for.
    EXPECT_THAT(sh->Wait(kLong), IsOkAndHolds(ExitStatus::Exited(0)));
    const pid_t pid = sh->pid();
    *sh = Subprocess();
    EXPECT_THAT(out.Read(kLong), IsEof());
    WaitUntilReaped(pid);
  }
}

TEST(SubprocessEndsTest, ADroppedProgramLivesOnAndIsReaped) {
  OldKernel old_kernel;
  for (flow::Syscalls* sys :
       {flow::Syscalls::Real(), static_cast<flow::Syscalls*>(&old_kernel)}) {
    SpawnOptions options;
    options.sys = sys;
    absl::StatusOr<Subprocess> cat = Spawn({"cat"}, options);
    ASSERT_THAT(cat, IsOk());
    Flow in = std::move(cat->stdin_flow());
    Flow out = std::move(cat->stdout_flow());
    const pid_t pid = cat->pid();
    std::thread waiter([&] { Subprocess mine = *std::move(cat); });
    waiter.join();
    EXPECT_THAT(in.Write("alive", kLong), IsOk());
    EXPECT_THAT(out.Read(kLong), IsData("alive"));
    EXPECT_THAT(in.Close(), IsOk());
    EXPECT_THAT(out.Read(kLong), IsEof());
    WaitUntilReaped(pid);
  }
}

// While it lives the system has no thread to give: none has room for a stack.
class NoRoomForStacks {
 public:
  NoRoomForStacks() {
    EXPECT_EQ(pthread_getattr_default_np(&before_), 0);
    pthread_attr_t none = before_;
    EXPECT_EQ(pthread_attr_setstacksize(&none, size_t{1} << 50), 0);
    EXPECT_EQ(pthread_setattr_default_np(&none), 0);
  }
  NoRoomForStacks(const NoRoomForStacks&) = delete;
  NoRoomForStacks& operator=(const NoRoomForStacks&) = delete;
  ~NoRoomForStacks() { EXPECT_EQ(pthread_setattr_default_np(&before_), 0); }

 private:
  pthread_attr_t before_;
};

// P5: one that was dropped while there was no thread is reaped by the next.
TEST(SubprocessEndsTest, ADropWithoutAThreadLeavesNoZombieOnceThereIsOne) {
  WaitUntilAllIsQuiet();
  absl::StatusOr<Subprocess> first = Spawn({"cat"});
  absl::StatusOr<Subprocess> second = Spawn({"cat"});
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  const pid_t pids[] = {first->pid(), second->pid()};
  Flow first_in = std::move(first->stdin_flow());
  Flow second_in = std::move(second->stdin_flow());
  {
    const NoRoomForStacks no_threads;
    *first = Subprocess();
  }
  ASSERT_FALSE(ReaperRuns());
  *second = Subprocess();
  EXPECT_THAT(first_in.Close(), IsOk());
  WaitUntilReaped(pids[0]);  // while the reaper waits for the second
  EXPECT_THAT(second_in.Close(), IsOk());
  WaitUntilReaped(pids[1]);
}

// P6: signals are for the user's threads.
TEST(SubprocessEndsTest,
     SignalsAreLeftToTheUsersThreadsWhileProgramsAreReaped) {
  WaitUntilAllIsQuiet();
  absl::StatusOr<Subprocess> cat = Spawn({"cat"});
  ASSERT_THAT(cat, IsOk());
  const Flow in = std::move(cat->stdin_flow());
  *cat = Subprocess();
  while (!ReaperRuns()) std::this_thread::yield();
  const uint64_t blocked = BlockedSignalsOf("flow-reaper");
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1}) {
    EXPECT_NE(blocked & (uint64_t{1} << (signal - 1)), 0u) << signal;
  }
  EXPECT_EQ(blocked & (uint64_t{1} << (SIGSEGV - 1)), 0u);
}

// "Never somebody else's child".
TEST(SubprocessEndsTest, OtherChildrenAreLeftToTheirParents) {
  const pid_t other = fork();
  if (other == 0) _exit(42);
  for (int i = 0; i < 5; ++i) {
    absl::StatusOr<Subprocess> waited = Spawn({"true"});
    ASSERT_THAT(waited, IsOk());
    EXPECT_THAT(waited->Wait(kLong), IsOk());
    absl::StatusOr<Subprocess> dropped = Spawn({"true"});
    ASSERT_THAT(dropped, IsOk());
    const pid_t pid = dropped->pid();
    *dropped = Subprocess();
    WaitUntilReaped(pid);
  }
  int status = 0;
  EXPECT_EQ(waitpid(other, &status, 0), other);
  EXPECT_EQ(WEXITSTATUS(status), 42);
}

// A program that takes the ends of all its children: an error, no hang.
TEST(SubprocessEndsTest, AnEndThatSomebodyElseTookIsAnError) {
  absl::StatusOr<Subprocess> program = Spawn({"true"});
  ASSERT_THAT(program, IsOk());
  EXPECT_EQ(waitpid(program->pid(), nullptr, 0), program->pid());
  EXPECT_THAT(program->Wait(kLong), IsKind(flow::ErrorKind::kSystem));
  EXPECT_THAT(program->Kill(), IsOk());
}

// P5: "1,000 spawns with fds and zombies flat".
TEST(SubprocessEndsTest, AThousandProgramsLeaveNothingBehind) {
  WaitUntilAllIsQuiet();
  const int fds = CountOpenFds();
  std::vector<pid_t> dropped;
  for (int i = 0; i < 1000; ++i) {
    SpawnOptions options;
    options.kill_on_close = i % 4 == 1;
    absl::StatusOr<Subprocess> program = Spawn({"/bin/true"}, options);
    ASSERT_THAT(program, IsOk());
    if (i % 2 == 0) {
      ASSERT_THAT(program->Wait(kLong), IsOkAndHolds(ExitStatus::Exited(0)));
    } else {
      dropped.push_back(program->pid());
    }
  }
  for (const pid_t pid : dropped) WaitUntilReaped(pid);
  WaitUntilAllIsQuiet();
  EXPECT_EQ(CountOpenFds(), fds);
}

// Closed, it is left alone or killed; aborted, it is killed.
TEST(SubprocessEndsTest, AFlowDropsItsProgramWhenItIsClosed) {
  for (const bool abort : {false, true}) {
    SpawnOptions options;
    options.duplex = true;
    options.kill_on_close = !abort;
    // Neither an end of input nor a closed output ends it.
    absl::StatusOr<Subprocess> shell = Spawn(
        {"/bin/sh", "-c", "echo ready; exec 0</dev/zero 1>/dev/null; exec cat"},
        options);
    ASSERT_THAT(shell, IsOk());
    const pid_t pid = shell->pid();
    absl::StatusOr<Flow> flow = flow::IntoFlow(*std::move(shell));
    ASSERT_THAT(flow, IsOk());
    EXPECT_THAT(flow->Read(kLong), IsData("ready\n"));
    EXPECT_THAT(abort ? flow->Abort() : flow->Close(), IsOk());
    WaitUntilReaped(pid);
  }
}

// "In the child handles may only be destroyed": neither killed nor waited for.
TEST(SubprocessEndsTest, AForkedChildDoesNotEndTheProgram) {
  SpawnOptions options;
  options.kill_on_close = true;
  absl::StatusOr<Subprocess> cat = Spawn({"cat"}, options);
  ASSERT_THAT(cat, IsOk());
  const pid_t copy = fork();
  if (copy == 0) {
    const bool refused = !cat->Wait(kLong).ok() && !cat->Kill().ok();
    *cat = Subprocess();
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  EXPECT_EQ(waitpid(copy, &status, 0), copy);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(cat->stdin_flow().Write("alive", kLong), IsOk());
  EXPECT_THAT(cat->stdout_flow().Read(kLong), IsData("alive"));
}

}  // namespace
}  // namespace flow_testing
