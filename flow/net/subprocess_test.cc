// Programs as flows: what they are given, and what they say (the ends are in
// subprocess_ends_test.cc).

#include "flow/net/subprocess.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/net/subprocess_test_support.h"
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

}  // namespace
}  // namespace flow_testing
