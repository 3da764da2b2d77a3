// What is done with a path that is there already: left alone, but for a stale
// socket, and that on request only (P6; cases K.63, K.64, K.65).

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/net/dial.h"
#include "flow/net/listener.h"
#include "flow/net/net_test_support.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::StatusCode;
using flow::Dial;
using flow::Listen;
using flow::Listener;
using flow::ListenOptions;
using flow::UniqueFd;
using ::testing::HasSubstr;

ListenOptions Reclaiming(flow::Syscalls* sys = nullptr) {
  ListenOptions options;
  options.sys = sys;
  options.socket.reclaim = true;
  return options;
}

ino_t InodeOf(const std::string& path) {
  struct stat status = {};
  return lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

// A socket of `type` that is bound to `path`.
UniqueFd Bound(const std::string& path, int type = SOCK_STREAM) {
  UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  sockaddr_un un = {};
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path.c_str(), path.size() + 1);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&un), sizeof(un)), 0);
  return fd;
}

class ReclaimTest : public testing::Test {
 protected:
  // A server that listens at path_, and is killed.
  void LeaveStale() {
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
      const absl::StatusOr<Listener> listener = Listen("unix:" + path_);
      const char said = listener.ok() ? 'y' : 'n';
      if (write(ready[1], &said, 1) != 1) _exit(1);
      pause();
      _exit(1);
    }
    const UniqueFd from(ready[0]);
    UniqueFd(ready[1]).reset();
    char said = 0;
    ASSERT_EQ(read(from.get(), &said, 1), 1);
    ASSERT_EQ(said, 'y');
    ASSERT_EQ(kill(child, SIGKILL), 0);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    ASSERT_NE(InodeOf(path_), 0u);
  }

  ShortTempDir dir_;
  const std::string path_ = dir_.Path("s");
};

TEST_F(ReclaimTest, AStalePathIsTakenOverOnRequestAlone) {  // K.64
  LeaveStale();
  const ino_t stale = InodeOf(path_);
  EXPECT_THAT(Listen("unix:" + path_),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_EQ(InodeOf(path_), stale);
  absl::StatusOr<Listener> listener = Listen("unix:" + path_, Reclaiming());
  ASSERT_THAT(listener, IsOk());
  EXPECT_THAT(Dial("unix:" + path_), IsOk());
  EXPECT_THAT(listener->Accept(), IsOk());
  // The next has asked by its address.
  EXPECT_THAT(Listen("unix-listen:" + path_ + ",reclaim"),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(listener->Close(), IsOk());
  EXPECT_EQ(InodeOf(path_), 0u);
}

TEST_F(ReclaimTest, WhereNothingIsItIsAnOrdinaryListen) {
  absl::StatusOr<Listener> listener = Listen("unix:" + path_, Reclaiming());
  ASSERT_THAT(listener, IsOk());
  EXPECT_THAT(Dial("unix:" + path_), IsOk());
  EXPECT_THAT(Listen("unix:" + dir_.Path("no/folder"), Reclaiming()),
              StatusIs(StatusCode::kNotFound));
}

TEST_F(ReclaimTest, ALivePathIsLeftAlone) {  // K.63
  absl::StatusOr<Listener> first = Listen("unix:" + path_);
  ASSERT_THAT(first, IsOk());
  const ino_t live = InodeOf(path_);
  const int before = CountOpenFds();
  EXPECT_THAT(
      Listen("unix:" + path_, Reclaiming()),
      StatusIs(StatusCode::kFailedPrecondition, HasSubstr("listened on")));
  EXPECT_LE(CountOpenFds(), before + 1);
  EXPECT_EQ(InodeOf(path_), live);
  EXPECT_THAT(Dial("unix:" + path_), IsOk());
}

// Live, though it takes nobody: its queue is full.
TEST_F(ReclaimTest, APathWithAFullQueueIsLive) {
  const BlackHole hole(AF_UNIX, path_);
  const ino_t live = InodeOf(path_);
  EXPECT_THAT(Listen("unix:" + path_, Reclaiming()),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_EQ(InodeOf(path_), live);
}

TEST_F(ReclaimTest, WhatIsNoStreamSocketIsLeftAlone) {  // K.65
  const std::string file = dir_.Path("file");
  const std::string link = dir_.Path("link");
  const std::string datagrams = dir_.Path("datagrams");
  const std::string fifo = dir_.Path("fifo");
  UniqueFd(open(file.c_str(), O_CREAT | O_WRONLY, 0600)).reset();
  Bound(path_).reset();  // stale
  ASSERT_EQ(symlink(path_.c_str(), link.c_str()), 0);
  const UniqueFd bound = Bound(datagrams, SOCK_DGRAM);
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  for (const std::string& path : {file, link, datagrams, fifo, dir_.Path("")}) {
    const ino_t before = InodeOf(path);
    EXPECT_THAT(Listen("unix:" + path, Reclaiming()),
                StatusIs(StatusCode::kFailedPrecondition))
        << path;
    EXPECT_EQ(InodeOf(path), before) << path;
  }
  EXPECT_NE(InodeOf(path_), 0u);
}

// The kernel, with something that happens at one call.
class Happening : public flow::Syscalls {
 public:
  int Connect(int fd, const sockaddr* address, socklen_t length) override {
    const int result = Syscalls::Connect(fd, address, length);
    const int error = errno;
    if (++connects == 1 && after_first_connect) after_first_connect();
    if (connects == 2 && after_second_connect) after_second_connect();
    errno = error;
    return result;
  }
  int Flock(int fd, int operation) override {
    if (operation == (LOCK_EX | LOCK_NB) && --busy >= 0) {
      errno = EWOULDBLOCK;
      return -1;
    }
    return Syscalls::Flock(fd, operation);
  }
  int connects = 0;
  int busy = 0;
  std::function<void()> after_first_connect;
  std::function<void()> after_second_connect;
};

// Between bind and listen a socket refuses, as a stale one does.
TEST_F(ReclaimTest, AServerThatIsAboutToListenIsLive) {
  const UniqueFd starting = Bound(path_);
  const ino_t live = InodeOf(path_);
  Happening sys;
  sys.after_first_connect = [&] { listen(starting.get(), 1); };
  EXPECT_THAT(Listen("unix:" + path_, Reclaiming(&sys)),
              StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_EQ(InodeOf(path_), live);
}

// Another has taken the stale path meanwhile: it is another file.
TEST_F(ReclaimTest, APathThatIsMadeAnewMeanwhileIsLeftAlone) {
  Bound(path_).reset();
  Happening sys;
  absl::StatusOr<Listener> other;
  sys.after_second_connect = [&] {
    unlink(path_.c_str());
    other = Listen("unix:" + path_);
  };
  EXPECT_THAT(Listen("unix:" + path_, Reclaiming(&sys)),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("anew")));
  ASSERT_THAT(other, IsOk());
  EXPECT_THAT(Dial("unix:" + path_), IsOk());
  EXPECT_THAT(other->Accept(), IsOk());
}

TEST_F(ReclaimTest, APathThatGoesMeanwhileIsFree) {
  Bound(path_).reset();
  Happening sys;
  sys.after_first_connect = [&] { unlink(path_.c_str()); };
  EXPECT_THAT(Listen("unix:" + path_, Reclaiming(&sys)), IsOk());
}

TEST_F(ReclaimTest, AFolderThatIsHeldIsWaitedFor) {
  Bound(path_).reset();
  Happening sys;
  sys.busy = 3;
  EXPECT_THAT(Listen("unix:" + path_, Reclaiming(&sys)), IsOk());
  EXPECT_LT(sys.busy, 0);
  // Let go of afterwards.
  const UniqueFd folder(open(dir_.Path("").c_str(), O_RDONLY));
  EXPECT_EQ(flock(folder.get(), LOCK_EX | LOCK_NB), 0);
}

// P6: nor does a server that has bound a free path and is about to listen there
// lose it to another who reclaims, to whom it looks stale.
TEST_F(ReclaimTest, AFreePathIsHeldFromBindToListen) {
  // Gives up at once if the folder is held.
  class Impatient : public flow::Syscalls {
   public:
    flow::MonoTime Now() override { return Syscalls::Now() + ahead; }
    int Flock(int fd, int operation) override {
      const int result = Syscalls::Flock(fd, operation);
      if (result != 0) ahead = ahead + absl::Seconds(10);
      return result;
    }
    absl::Duration ahead;
  };
  class BeforeListen : public flow::Syscalls {
   public:
    int Listen(int fd, int backlog) override {
      happens();
      return Syscalls::Listen(fd, backlog);
    }
    std::function<void()> happens;
  };
  Impatient impatient;
  absl::StatusOr<Listener> other;
  BeforeListen sys;
  sys.happens = [&] {
    other = Listen("unix:" + path_, Reclaiming(&impatient));
  };
  absl::StatusOr<Listener> listener = Listen("unix:" + path_, Reclaiming(&sys));
  ASSERT_THAT(listener, IsOk());
  EXPECT_THAT(other, StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_THAT(Dial("unix:" + path_), IsOk());
  EXPECT_THAT(listener->Accept(absl::Seconds(20)), IsOk());
}

// Of many who want the same stale path at once one has it, and serves.
TEST_F(ReclaimTest, OfManyAtOnceOneWins) {
  for (int round = 0; round < 10; ++round) {
    Bound(path_).reset();
    std::vector<absl::StatusOr<Listener>> all(6);
    std::vector<std::thread> threads;
    for (absl::StatusOr<Listener>& one : all) {
      threads.emplace_back(
          [&] { one = Listen("unix:" + path_, Reclaiming()); });
    }
    for (std::thread& thread : threads) thread.join();
    Listener* winner = nullptr;
    for (absl::StatusOr<Listener>& one : all) {
      if (!one.ok()) {
        EXPECT_THAT(one, StatusIs(StatusCode::kFailedPrecondition));
        continue;
      }
      EXPECT_EQ(winner, nullptr) << "two have it";
      winner = &*one;
    }
    ASSERT_NE(winner, nullptr);
    EXPECT_THAT(Dial("unix:" + path_), IsOk());
    // Who asked whether it is live may be in the queue before it.
    EXPECT_THAT(winner->Accept(absl::Seconds(20)), IsOk());
  }
}

}  // namespace
}  // namespace flow_testing
