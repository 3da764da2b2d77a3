// Programs as flows: what they get, what they leave behind, who ends whom.

#include "flow/net/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/status.h"
#include "flow/sys/child.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::ChildStream;
using flow::ExitStatus;
using flow::Flow;
using flow::Spawn;
using flow::SpawnOptions;
using flow::Subprocess;
using testing::AllOf;
using testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(30);

// All that comes up to the end.
std::string ReadAll(Flow& from) {
  std::string all;
  for (;;) {
    auto got = from.Read(kLong);
    if (!got.ok()) {
      ADD_FAILURE() << got.status();
      return all;
    }
    if (got->is_eof()) return all;
    all += std::string(got->data().view());
  }
}

// Until `pid` is neither alive nor a zombie.
void WaitUntilReaped(pid_t pid) {
  while (kill(pid, 0) == 0) std::this_thread::yield();
}

int CountThreads() {
  const std::filesystem::directory_iterator threads("/proc/self/task");
  return static_cast<int>(std::distance(begin(threads), end(threads)));
}
const int threads_at_start = CountThreads();

// Until no child is left, and the reaper has gone with its descriptors.
void WaitUntilAllIsQuiet() {
  siginfo_t info;
  while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ||
         CountThreads() > threads_at_start) {
    std::this_thread::yield();
  }
}

// What a shell command prints; it has to succeed.
std::string Output(const std::string& command, SpawnOptions options = {}) {
  absl::StatusOr<Subprocess> sh = Spawn({"/bin/sh", "-c", command}, options);
  EXPECT_THAT(sh, IsOk());
  if (!sh.ok()) return "";
  const std::string all = ReadAll(sh->stdout_flow());
  EXPECT_THAT(sh->Wait(kLong), IsOkAndHolds(ExitStatus::Exited(0)));
  return all;
}

TEST(SubprocessTest, InputGoesInAndOutputComesOut) {
  absl::StatusOr<Subprocess> cat = Spawn({"cat"});
  ASSERT_THAT(cat, IsOk());
  EXPECT_GT(cat->pid(), 0);
  EXPECT_THAT(cat->stdin_flow().Write("hello", kLong), IsOk());
  EXPECT_THAT(cat->stdout_flow().Read(kLong), IsData("hello"));
  EXPECT_THAT(cat->stdin_flow().Close(), IsOk());
  EXPECT_THAT(cat->stdout_flow().Read(kLong), IsEof());
  EXPECT_THAT(cat->Wait(kLong), IsOkAndHolds(ExitStatus::Exited(0)));
}

TEST(SubprocessTest, FlowsAreNamedAfterTheProgram) {
  absl::StatusOr<Subprocess> cat = Spawn({"cat"});
  ASSERT_THAT(cat, IsOk());
  const std::string name = absl::StrCat("cat[", cat->pid(), "]");
  EXPECT_EQ(cat->stdin_flow().peer().ToString(), name + " stdin");
  EXPECT_EQ(cat->stdout_flow().peer().ToString(), name + " stdout");
  EXPECT_NE(cat->stdin_flow().local().ToString(), "?");
}

TEST(SubprocessTest, TheEndIsTypedAndToldToAllWhoAsk) {
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

TEST(SubprocessTest, NoProgramAnswersClosedLocally) {
  Subprocess none;
  EXPECT_FALSE(none);
  EXPECT_EQ(none.pid(), -1);
  EXPECT_THAT(none.Wait(), IsKind(flow::ErrorKind::kClosedLocally));
  EXPECT_THAT(none.Kill(), IsOk());
  EXPECT_THAT(none.stdin_flow().Write("x"),
              IsKind(flow::ErrorKind::kClosedLocally));
}

// "Exec failure is reported by Spawn with errno and the program's name", and
// leaves nothing.
TEST(SubprocessTest, AProgramThatCantBeExecutedIsAnErrorOfSpawn) {
  const ShortTempDir folder;
  const std::string plain = folder.Path("plain");
  close(open(plain.c_str(), O_CREAT | O_WRONLY, 0644));
  WaitUntilAllIsQuiet();
  const int fds = CountOpenFds();
  EXPECT_THAT(Spawn({"no-such-program"}),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("exec"), HasSubstr("no-such-program"),
                             HasSubstr("[2]"))));
  EXPECT_THAT(Spawn({folder.Path("none")}),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Spawn({plain}),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr(plain)));
  SpawnOptions options;
  options.directory = folder.Path("nowhere");
  EXPECT_THAT(Spawn({"cat"}, options),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("chdir"), HasSubstr("nowhere"))));
  options.directory = "";
  options.search_path = false;
  EXPECT_THAT(Spawn({"cat"}, options), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(CountOpenFds(), fds);
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
  EXPECT_EQ(errno, ECHILD);
}

TEST(SubprocessTest, BadArgumentsAreRefused) {
  const auto refused = StatusIs(absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Spawn({}), refused);
  EXPECT_THAT(Spawn({""}), refused);
  EXPECT_THAT(Spawn({"cat", std::string("a\0b", 3)}), refused);
  SpawnOptions options;
  options.stdout_stream = ChildStream::kStdout;
  EXPECT_THAT(Spawn({"cat"}, options), refused);
  options = {};
  options.duplex = true;
  options.stdin_stream = ChildStream::kNull;
  EXPECT_THAT(Spawn({"cat"}, options), refused);
  options = {};
  options.pass = {{0, 2}};
  EXPECT_THAT(Spawn({"cat"}, options), refused);
  options.pass = {{0, 5}, {1, 5}};
  EXPECT_THAT(Spawn({"cat"}, options), refused);
  options.pass = {{-1, 5}};
  EXPECT_THAT(Spawn({"cat"}, options),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  options = {};
  options.environment = {"novalue"};
  EXPECT_THAT(Spawn({"cat"}, options), refused);
}

TEST(SubprocessTest, EnvironmentFolderAndPathAreAsAskedFor) {
  const ShortTempDir folder;
  const std::string script = folder.Path("greet");
  {
    const flow::UniqueFd fd(open(script.c_str(), O_CREAT | O_WRONLY, 0755));
    WriteRaw(fd.get(), "#!/bin/sh\necho \"$WORD\"; pwd\n");
  }
  SpawnOptions options;
  options.environment = {"WORD=hi",
                         absl::StrCat("PATH=/nowhere:", folder.Path(""))};
  options.directory = "/";
  absl::StatusOr<Subprocess> greet = Spawn({"greet"}, options);
  ASSERT_THAT(greet, IsOk());
  EXPECT_EQ(ReadAll(greet->stdout_flow()), "hi\n/\n");
}

TEST(SubprocessTest, StderrGoesWhereItIsSent) {
  const std::string both = "echo out; echo err >&2";
  SpawnOptions options;
  options.stderr_stream = ChildStream::kStdout;
  EXPECT_EQ(Output(both, options), "out\nerr\n");
  options.stderr_stream = ChildStream::kNull;
  EXPECT_EQ(Output(both, options), "out\n");
  options.stderr_stream = ChildStream::kFlow;
  absl::StatusOr<Subprocess> sh = Spawn({"/bin/sh", "-c", both}, options);
  ASSERT_THAT(sh, IsOk());
  EXPECT_EQ(ReadAll(sh->stdout_flow()), "out\n");
  EXPECT_EQ(ReadAll(sh->stderr_flow()), "err\n");
}

// P5: as kernels without close_range(2) do it.
class OldKernel : public flow::Syscalls {
 public:
  pid_t StartChild(const flow::ChildPlan& plan,
                   flow::ChildFailure* failure) override {
    flow::ChildPlan old = plan;
    old.without_close_range = true;
    return Syscalls::StartChild(old, failure);
  }
  int PidfdOpen(pid_t) override {
    errno = ENOSYS;
    return -1;
  }
};

// P5: "no inherited fds but those asked for", not even another library's that
// is not close-on-exec.
TEST(SubprocessTest, NothingIsInheritedButWhatIsAskedFor) {
  const RawPair leaky = RawPipe();
  const int high = fcntl(leaky.first.get(), F_DUPFD, 200);
  const flow::UniqueFd closer(high);
  ASSERT_EQ(FdFlags(high), 0);
  OldKernel old_kernel;
  for (flow::Syscalls* sys :
       {flow::Syscalls::Real(), static_cast<flow::Syscalls*>(&old_kernel)}) {
    SpawnOptions options;
    options.sys = sys;
    EXPECT_EQ(Output("ls /proc/$$/fd; true", options), "0\n1\n2\n");
    options.stderr_stream = ChildStream::kFlow;
    options.pass = {{leaky.second.get(), 9}, {high, 5}};
    EXPECT_EQ(Output("ls /proc/$$/fd; true", options), "0\n1\n2\n5\n9\n");
  }
  EXPECT_EQ(FdFlags(high), 0) << "ours is left as it was";
}

// Each number is the other one's source.
TEST(SubprocessTest, PassedDescriptorsMaySwapNumbers) {
  RawPair a = RawPipe(O_CLOEXEC);
  RawPair b = RawPipe(O_CLOEXEC);
  SpawnOptions options;
  options.pass = {{a.second.get(), b.second.get()},
                  {b.second.get(), a.second.get()}};
  Output(absl::StrCat("echo to-b >/proc/self/fd/", a.second.get(),
                      "; echo to-a >/proc/self/fd/", b.second.get()),
         options);
  a.second.reset();
  b.second.reset();
  EXPECT_EQ(DrainRaw(a.first.get()), "to-a\n");
  EXPECT_EQ(DrainRaw(b.first.get()), "to-b\n");
}

// P6: "signal mask reset and dispositions to default", and ours as they were.
TEST(SubprocessTest, ProgramsStartWithNoSignalBlockedOrIgnored) {
  sigset_t some;
  sigset_t before;
  sigemptyset(&some);
  sigaddset(&some, SIGUSR1);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &some, &before), 0);
  void (*const interrupt)(int) = signal(SIGINT, SIG_IGN);
  const std::string seen = Output("grep -E 'Sig(Blk|Ign):' /proc/self/status");
  EXPECT_EQ(seen, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  sigset_t now;
  pthread_sigmask(SIG_SETMASK, &before, &now);
  EXPECT_TRUE(sigismember(&now, SIGUSR1));
  EXPECT_EQ(signal(SIGINT, interrupt), SIG_IGN);
}

// "Works when the child's grandchild keeps the pipe open": Wait does not depend
// on Eof, and reading goes on for as long as the caller likes.
TEST(SubprocessTest, WaitReturnsWhileAGrandchildHoldsTheOutput) {
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
TEST(SubprocessTest, WaitKeepsItsLimits) {
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

TEST(SubprocessTest, WaitingDoesNotSpin) {
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

TEST(SubprocessTest, WritingToAProgramThatHasEndedIsClosedByPeer) {
  absl::StatusOr<Subprocess> quick = Spawn({"true"});
  ASSERT_THAT(quick, IsOk());
  ASSERT_THAT(quick->Wait(kLong), IsOk());
  EXPECT_THAT(quick->stdin_flow().Write("x", kLong),
              IsKind(flow::ErrorKind::kClosedByPeer));
}

TEST(SubprocessTest, KillOnCloseEndsAndReapsTheProgram) {
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
TEST(SubprocessTest, KillOnCloseEndsTheWholeGroup) {
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

TEST(SubprocessTest, ADroppedProgramLivesOnAndIsReaped) {
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

// "Never somebody else's child".
TEST(SubprocessTest, OtherChildrenAreLeftToTheirParents) {
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
TEST(SubprocessTest, AnEndThatSomebodyElseTookIsAnError) {
  absl::StatusOr<Subprocess> program = Spawn({"true"});
  ASSERT_THAT(program, IsOk());
  EXPECT_EQ(waitpid(program->pid(), nullptr, 0), program->pid());
  EXPECT_THAT(program->Wait(kLong), IsKind(flow::ErrorKind::kSystem));
  EXPECT_THAT(program->Kill(), IsOk());
}

// P5: "1,000 spawns with fds and zombies flat".
TEST(SubprocessTest, AThousandProgramsLeaveNothingBehind) {
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

// No child gets the pipes of one that another thread is starting: or an Eof
// would not come.
TEST(SubprocessTest, ProgramsMayBeStartedFromManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 25; ++i) {
        const std::string text = absl::StrCat(t, "/", i);
        absl::StatusOr<Subprocess> cat = Spawn({"cat"});
        ASSERT_THAT(cat, IsOk());
        ASSERT_THAT(cat->stdin_flow().Write(text, kLong), IsOk());
        ASSERT_THAT(cat->stdin_flow().Close(), IsOk());
        ASSERT_EQ(ReadAll(cat->stdout_flow()), text);
        ASSERT_THAT(cat->Wait(kLong), IsOkAndHolds(ExitStatus::Exited(0)));
        ASSERT_THAT(Spawn({"no-such-program"}),
                    StatusIs(absl::StatusCode::kNotFound));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Every call that makes something, refused once: an error, and nothing left.
class ShortOf : public flow::Syscalls {
 public:
  explicit ShortOf(int which) : left_(which) {}
  int Pipe(int fds[2], int flags) override {
    return Refused() ? -1 : Syscalls::Pipe(fds, flags);
  }
  int Open(const char* path, int flags, mode_t mode) override {
    return Refused() ? -1 : Syscalls::Open(path, flags, mode);
  }
  pid_t StartChild(const flow::ChildPlan& plan,
                   flow::ChildFailure* failure) override {
    if (!Refused()) return Syscalls::StartChild(plan, failure);
    *failure = {flow::ChildStep::kFork, EAGAIN};
    return -1;
  }
  bool all_passed() const { return left_ > 0; }

 private:
  bool Refused() {
    errno = EMFILE;
    return --left_ == 0;
  }
  int left_;
};

TEST(SubprocessTest, ShortagesAreErrorsThatLeaveNothing) {
  WaitUntilAllIsQuiet();
  const int fds = CountOpenFds();
  for (int which = 1;; ++which) {
    ShortOf sys(which);
    SpawnOptions options;
    options.sys = &sys;
    options.stderr_stream = ChildStream::kNull;
    const absl::StatusOr<Subprocess> made = Spawn({"true"}, options);
    if (sys.all_passed()) {
      EXPECT_THAT(made, IsOk());
      EXPECT_EQ(which, 5);
      break;
    }
    EXPECT_THAT(made, StatusIs(absl::StatusCode::kResourceExhausted));
    EXPECT_EQ(CountOpenFds(), fds);
  }
}

TEST(SubprocessTest, OneFlowReadsTheOutputAndWritesTheInput) {
  SpawnOptions options;
  options.duplex = true;
  absl::StatusOr<Subprocess> cat = Spawn({"cat"}, options);
  ASSERT_THAT(cat, IsOk());
  EXPECT_THAT(cat->stdio_flow().Write("both ways", kLong), IsOk());
  EXPECT_THAT(cat->stdio_flow().Read(kLong), IsData("both ways"));
  EXPECT_THAT(cat->stdio_flow().Shutdown(flow::ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(cat->stdio_flow().Read(kLong), IsEof());
  EXPECT_THAT(cat->Wait(kLong), IsOkAndHolds(ExitStatus::Exited(0)));
}

TEST(SubprocessTest, AFlowMayOwnItsProgram) {
  absl::StatusOr<Flow> cat = flow::SpawnFlow({"cat"});
  ASSERT_THAT(cat, IsOk());
  EXPECT_THAT(cat->peer().ToString(), HasSubstr("cat["));
  EXPECT_THAT(cat->Write("owned", kLong), IsOk());
  EXPECT_THAT(cat->Read(kLong), IsData("owned"));
  EXPECT_THAT(cat->CloseGracefully(kLong), IsOk());
  EXPECT_THAT(flow::SpawnFlow({"no-such-program"}),
              StatusIs(absl::StatusCode::kNotFound));
  absl::StatusOr<Subprocess> plain = Spawn({"cat"});
  ASSERT_THAT(plain, IsOk());
  EXPECT_THAT(flow::IntoFlow(*std::move(plain)),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

// Closed, it is left alone or killed; aborted, it is killed.
TEST(SubprocessTest, AFlowDropsItsProgramWhenItIsClosed) {
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
TEST(SubprocessTest, AForkedChildDoesNotEndTheProgram) {
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
