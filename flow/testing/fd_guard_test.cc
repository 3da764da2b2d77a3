// fd_guard. P5: "each fd closed once, its number never used after"; the
// header's contract: both stacks, and flow's own closes pass.

#include "flow/testing/fd_guard.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/status/statusor.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

// Not in a namespace without a name, so that their names are in the stacks.
ABSL_ATTRIBUTE_NOINLINE flow::UniqueFd OpenForTheFlow() {
  flow::UniqueFd fd(open("/dev/null", O_RDWR | O_CLOEXEC));
  return fd;
}
ABSL_ATTRIBUTE_NOINLINE int CloseBehindItsBack(int fd) {
  const int result = close(fd);
  return result + 1 - 1;
}

namespace flow_testing {
namespace {

using flow::Adopt;
using flow::Flow;
using flow::UniqueFd;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Owned {
  Owned() {
    testing::GTEST_FLAG(death_test_style) = "threadsafe";
    UniqueFd fd = OpenForTheFlow();
    number = fd.get();
    flow = Adopt(std::move(fd));
  }
  int number = -1;
  absl::StatusOr<Flow> flow;
};

TEST(FdGuardTest, AForeignCloseEndsTheProgramWithBothStacks) {
  Owned owned;
  ASSERT_THAT(owned.flow, IsOk());
  EXPECT_DEATH(CloseBehindItsBack(owned.number),
               "close\\(.*a flow owns this descriptor(.|\n)*"
               "taken over at:(.|\n)*OpenForTheFlow(.|\n)*"
               "closed at:(.|\n)*CloseBehindItsBack");
}

TEST(FdGuardTest, SoDoTheOthersThatCloseANumber) {
  Owned owned;
  ASSERT_THAT(owned.flow, IsOk());
  const auto n = static_cast<unsigned>(owned.number);
  EXPECT_DEATH(dup2(0, owned.number), "fd_guard: dup2");
  EXPECT_DEATH(dup3(0, owned.number, 0), "fd_guard: dup3");
  EXPECT_DEATH(close_range(n, n, 0), "fd_guard: close_range");
  EXPECT_DEATH(closefrom(owned.number), "fd_guard: closefrom");
  EXPECT_DEATH(fclose(fdopen(owned.number, "r+")), "fd_guard: fclose");
}

TEST(FdGuardTest, FlowsCloseTheirOwn) {
  Owned owned;
  ASSERT_THAT(owned.flow, IsOk());
  EXPECT_THAT(FdOwner(owned.number), HasSubstr("OpenForTheFlow"));
  EXPECT_THAT(owned.flow->Close(), IsOk());
  EXPECT_THAT(FdOwner(owned.number), IsEmpty());
  auto pair = flow::SocketPair();
  ASSERT_THAT(pair, IsOk());
  const int ends[] = {pair->first.native_handle(),
                      pair->second.native_handle()};
  EXPECT_THAT(pair->first.Abort(), IsOk());
  pair->second = Flow();
  for (const int fd : ends) EXPECT_THAT(FdOwner(fd), IsEmpty());
}

// What was given away is its new owner's to close, by any call.
TEST(FdGuardTest, WhatWasReleasedMayBeClosedByHand) {
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  auto flow = Adopt(UniqueFd(fds[0]));
  ASSERT_THAT(flow, IsOk());
  auto released = flow->ReleaseFd();
  ASSERT_THAT(released, IsOk());
  EXPECT_EQ(close(released->release()), 0);
  EXPECT_EQ(dup2(0, fds[0]), fds[0]);
  EXPECT_EQ(fclose(fdopen(fds[0], "r")), 0);
  EXPECT_EQ(close(fds[1]), 0);
  EXPECT_EQ(close(-1), -1);
}

// "One in a forked child" is not seen: its descriptors are its own.
TEST(FdGuardTest, AChildMayCloseItsCopies) {
  Owned owned;
  ASSERT_THAT(owned.flow, IsOk());
  const pid_t child = fork();
  if (child == 0) _exit(close(owned.number) == 0 ? 0 : 1);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace flow_testing
