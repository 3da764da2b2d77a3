// FdGroup: one descriptor stands for several, and rarely looking for all where
// there is none (P4, P5).

#include "flow/net/fd_group.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Wait;
using flow::internal::FdGroup;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// The kernel, with what was added to epoll, and short of it as told.
class Kernel : public flow::Syscalls {
 public:
  int EpollCreate() override {
    ++creates;
    if (!no_epoll) return Syscalls::EpollCreate();
    errno = EMFILE;
    return -1;
  }
  int EpollCtl(int epoll, int operation, int fd, epoll_event* event) override {
    if (operation == EPOLL_CTL_ADD && fd == refused) {
      errno = ENOSPC;
      return -1;
    }
    if (operation == EPOLL_CTL_ADD) members.insert(fd);
    if (operation == EPOLL_CTL_DEL) members.erase(fd);
    return Syscalls::EpollCtl(epoll, operation, fd, event);
  }
  int creates = 0;
  bool no_epoll = false;
  int refused = -1;
  std::set<int> members;
};

bool IsOver(const Wait& wait) {
  pollfd p = {wait.fd, wait.events, 0};
  return poll(&p, 1, 0) == 1;
}

class FdGroupTest : public testing::Test {
 protected:
  int one() const { return one_.first.get(); }
  int two() const { return two_.first.get(); }

  Kernel sys_;
  FdGroup group_{&sys_};
  const RawPair one_ = RawPipe();
  const RawPair two_ = RawPipe();
};

TEST_F(FdGroupTest, OneMemberIsWaitedForItself) {
  EXPECT_EQ(group_.wait().fd, -1);
  EXPECT_TRUE(group_.wait().until.is_never());
  group_.Add(one(), POLLIN);
  EXPECT_EQ(group_.wait().fd, one());
  EXPECT_EQ(group_.wait().events, POLLIN);
  EXPECT_EQ(sys_.creates, 0);
}

TEST_F(FdGroupTest, EitherOfTwoEndsTheWaitUntilItIsTaken) {
  group_.Add(one(), POLLIN);
  group_.Add(two(), POLLIN);
  const Wait wait = group_.wait();
  EXPECT_TRUE(wait.until.is_never());
  EXPECT_TRUE(FdFlags(wait.fd) & 1 /*FD_CLOEXEC*/);
  for (const RawPair* pair : {&one_, &two_}) {
    EXPECT_FALSE(IsOver(wait));
    EXPECT_THAT(group_.Ready(), IsEmpty());
    WriteRaw(pair->second.get(), "x");
    EXPECT_TRUE(IsOver(wait));
    EXPECT_TRUE(IsOver(wait)) << "it is seen once only";
    EXPECT_THAT(group_.Ready(), ElementsAre(pair->first.get()));
    char byte;
    EXPECT_EQ(read(pair->first.get(), &byte, 1), 1);
  }
}

TEST_F(FdGroupTest, WhoHasLeftEndsNothing) {
  group_.Add(one(), POLLIN);
  group_.Add(two(), POLLIN);
  WriteRaw(one_.second.get(), "x");
  group_.Remove(one());
  group_.Remove(-1);
  EXPECT_THAT(sys_.members, ElementsAre(two()));
  EXPECT_EQ(group_.wait().fd, two());
  // Back again, into the same set.
  group_.Add(one(), POLLIN);
  EXPECT_TRUE(IsOver(group_.wait()));
  EXPECT_EQ(sys_.creates, 1);
  group_.Clear();
  EXPECT_EQ(group_.size(), 0u);
  EXPECT_EQ(group_.wait().fd, -1);
}

// Of a child that was forked: its close(2) alone takes nothing from its parent.
TEST_F(FdGroupTest, ClearTakesNobodyOutByItself) {
  group_.Add(one(), POLLIN);
  group_.Add(two(), POLLIN);
  group_.Clear();
  EXPECT_THAT(sys_.members, UnorderedElementsAre(one(), two()));
}

TEST_F(FdGroupTest, WithoutEpollItIsLookedAtFromTimeToTime) {
  sys_.no_epoll = true;
  group_.Add(one(), POLLIN);
  group_.Add(two(), POLLIN);
  const flow::MonoTime now = flow::MonoTime::Now();
  const Wait wait = group_.wait();
  EXPECT_EQ(wait.fd, two());
  EXPECT_GE(wait.until - now, absl::Milliseconds(300));
  WriteRaw(one_.second.get(), "x");
  EXPECT_THAT(group_.Ready(), ElementsAre(one()));
  // There is one again: the next that comes puts all into it.
  sys_.no_epoll = false;
  const RawPair three = RawPipe();
  group_.Add(three.first.get(), POLLIN);
  EXPECT_TRUE(group_.wait().until.is_never());
  EXPECT_TRUE(IsOver(group_.wait()));
}

TEST_F(FdGroupTest, AMemberThatEpollRefusesIsLookedAt) {
  sys_.refused = one();
  group_.Add(one(), POLLIN);
  group_.Add(two(), POLLIN);
  EXPECT_FALSE(group_.wait().until.is_never());
  WriteRaw(one_.second.get(), "x");
  EXPECT_THAT(group_.Ready(), ElementsAre(one()));
}

// What can't be told may be so.
TEST_F(FdGroupTest, APollThatFailsHasAllReady) {
  class NoMemory : public flow::Syscalls {
   public:
    int Poll(pollfd*, nfds_t, int) override {
      errno = ENOMEM;
      return -1;
    }
  };
  NoMemory sys;
  FdGroup group(&sys);
  group.Add(one(), POLLIN);
  group.Add(two(), POLLIN);
  EXPECT_THAT(group.Ready(), UnorderedElementsAre(one(), two()));
}

}  // namespace
}  // namespace flow_testing
