// fork without exec: the child may only destroy its handles, and the parent
// notices nothing. (DESIGN 2.1; alone in its binary, since it forks.)

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/async_test_support.h"
#include "flow/cancel.h"
#include "flow/fd/fd.h"
#include "flow/testing/matchers.h"
#include "flow/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using ::flow::AsyncContext;
using ::flow::AsyncFlow;

// What `child` returned, in a forked child that is given 20 s.
int InChild(const std::function<int()>& child) {
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(20);
    _exit(child());
  }
  int status = -1;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

class AsyncForkTest : public testing::Test {
 protected:
  AsyncForkTest() : pool_(1), context_(Context()) {
    auto pair = flow::SocketPair();
    EXPECT_THAT(pair, IsOk());
    a_ = On(*context_, std::move(pair->first));
    b_ = On(*context_, std::move(pair->second));
  }
  std::unique_ptr<AsyncContext> Context() {
    return std::make_unique<AsyncContext>(pool_, &kernel_);
  }

  TestKernel kernel_;
  flow::ThreadPool pool_;
  std::unique_ptr<AsyncContext> context_;
  AsyncFlow a_;
  AsyncFlow b_;
};

// "Child: FAILED_PRECONDITION", also as callbacks.
TEST_F(AsyncForkTest, AChildIsRefused) {
  EXPECT_EQ(InChild([&] {
              if (!absl::IsFailedPrecondition(a_.Read().get().status())) {
                return 1;
              }
              bool told = false;
              a_.Write(std::string("x"), {}, [&](absl::Status s) {
                told = absl::IsFailedPrecondition(s);
              });
              if (!told) return 2;
              if (!absl::IsFailedPrecondition(a_.Release().status())) return 3;
              if (!absl::IsFailedPrecondition(a_.CloseGracefully({}).get())) {
                return 4;
              }
              return 0;
            }),
            0);
}

// "No join, no epoll_ctl, no write to the parent's eventfd", and the parent's
// parked operations go on.
TEST_F(AsyncForkTest, AChildThatDestroysItsHandlesLeavesTheParentAlone) {
  flow::CancelSource never;
  auto parked = b_.Read(never.token());
  const int result = InChild([&] {
    int touched = 0;
    kernel_.on_epoll_ctl = [&](int, int) { ++touched; };
    kernel_.writes = 0;
    never.Cancel();  // this copy's
    a_ = AsyncFlow();
    b_ = AsyncFlow();
    context_.reset();
    pool_.~ThreadPool();
    return touched + kernel_.writes;
  });
  EXPECT_EQ(result, 0);
  EXPECT_FALSE(IsReady(parked));
  EXPECT_THAT(a_.Write(std::string("still here")).get(), IsOk());
  EXPECT_THAT(parked.get(), IsData("still here"));
}

// P5: the child's descriptors are closed, also those of flows whose operations
// were parked in the parent.
TEST_F(AsyncForkTest, AChildClosesItsDescriptors) {
  auto parked = b_.Read();
  const int fd = b_.native_handle();
  ASSERT_GE(fd, 0);
  EXPECT_EQ(InChild([&] {
              b_ = AsyncFlow();
              return fcntl(fd, F_GETFD) == -1 ? 0 : 1;
            }),
            0);
  EXPECT_THAT(a_.Close().get(), IsOk());
  EXPECT_THAT(parked.get(), IsEof());
}

}  // namespace
}  // namespace flow_testing
