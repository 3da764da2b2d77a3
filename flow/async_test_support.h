// What the tests of the futures driver share: contexts of every kind, flows on
// them, and a kernel that counts and can be told to be short of something.

#ifndef FLOW_ASYNC_TEST_SUPPORT_H_
#define FLOW_ASYNC_TEST_SUPPORT_H_

#include <fcntl.h>
#include <sys/epoll.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/flow.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/memory_pair.h"
#include "flow/thread_pool.h"
#include "gtest/gtest.h"

namespace flow_testing {

// The first wait in a process makes Abseil map memory for the waits of all
// threads. If that is another thread's, the thread sanitizer takes the mapping
// for a race with whoever wakes it.
inline const bool abseil_has_waited =
    absl::Notification().WaitForNotificationWithTimeout(absl::ZeroDuration());

// A flow on `context`, which has to take it.
inline flow::AsyncFlow On(flow::AsyncContext& context, flow::Flow flow) {
  absl::StatusOr<flow::AsyncFlow> async =
      flow::AsyncFlow::From(std::move(flow), context);
  EXPECT_TRUE(async.ok()) << async.status();
  return async.ok() ? *std::move(async) : flow::AsyncFlow();
}

using AsyncPair = std::pair<flow::AsyncFlow, flow::AsyncFlow>;

// Two connected flows on `context`.
inline AsyncPair MemoryOn(flow::AsyncContext& context,
                          size_t capacity = kMemoryPairCapacity) {
  auto [a, b] = MemoryPair(capacity);
  return {On(context, std::move(a)), On(context, std::move(b))};
}

// Whether it is ready without waiting for anything.
template <typename T>
bool IsReady(const std::future<T>& future) {
  return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

// The kernel, counting its calls; each may be made to fail.
class TestKernel : public flow::Syscalls {
 public:
  int Eventfd() override {
    ++calls;
    return no_eventfd ? Fail(EMFILE) : Syscalls::Eventfd();
  }
  int EpollCreate() override {
    ++calls;
    return no_epoll ? Fail(EMFILE) : Syscalls::EpollCreate();
  }
  int EpollCtl(int epoll, int operation, int fd, epoll_event* event) override {
    ++calls;
    if (operation == EPOLL_CTL_ADD && fail_adds > 0) {
      --fail_adds;
      return Fail(ENOSPC);
    }
    if (on_epoll_ctl) on_epoll_ctl(operation, fd);
    return Syscalls::EpollCtl(epoll, operation, fd, event);
  }
  int EpollWait(int epoll, epoll_event* events, int count,
                int timeout_ms) override {
    ++calls;
    if (timeout_ms < 0) ++endless_waits;
    return Syscalls::EpollWait(epoll, events, count, timeout_ms);
  }
  int Poll(pollfd* fds, nfds_t count, int timeout_ms) override {
    ++calls;
    return Syscalls::Poll(fds, count, timeout_ms);
  }
  int Fcntl(int fd, int command, int argument) override {
    ++calls;
    if (command == F_DUPFD_CLOEXEC && no_duplicates) return Fail(EMFILE);
    return Syscalls::Fcntl(fd, command, argument);
  }
  ssize_t Read(int fd, void* buffer, size_t count) override {
    ++calls;
    if (before_read) before_read();
    return Syscalls::Read(fd, buffer, count);
  }
  ssize_t Write(int fd, const void* buffer, size_t count) override {
    ++calls;
    ++writes;
    return Syscalls::Write(fd, buffer, count);
  }
  ssize_t Recv(int fd, void* buffer, size_t count, int flags) override {
    ++calls;
    return Syscalls::Recv(fd, buffer, count, flags);
  }
  int Close(int fd) override {
    ++calls;
    if (on_close) on_close(fd);
    return Syscalls::Close(fd);
  }

  std::atomic<bool> no_eventfd{false};
  std::atomic<bool> no_epoll{false};
  std::atomic<bool> no_duplicates{false};
  std::atomic<int> fail_adds{0};
  std::atomic<int> calls{0};
  std::atomic<int> endless_waits{0};  // of epoll: nothing is lacking
  std::atomic<int> writes{0};
  // Set before anything else uses the kernel.
  std::function<void(int operation, int fd)> on_epoll_ctl;
  std::function<void(int fd)> on_close;
  std::function<void()> before_read;  // of the poller's eventfd

 private:
  static int Fail(int error) {
    errno = error;
    return -1;
  }
};

// How many threads this process has.
inline int CountThreads() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int threads = 0;
    if (word == "Threads:" && status >> threads) return threads;
  }
  return -1;
}

// Remembers what is in the set, and fails the test if a member is closed.
class Watchman {
 public:
  explicit Watchman(TestKernel& kernel) {
    kernel.on_epoll_ctl = [this](int operation, int fd) {
      absl::MutexLock lock(&mu_);
      if (operation == EPOLL_CTL_ADD) members_.insert(fd);
      if (operation == EPOLL_CTL_DEL) members_.erase(fd);
    };
    kernel.on_close = [this](int fd) {
      absl::MutexLock lock(&mu_);
      EXPECT_EQ(members_.count(fd), 0u) << fd << " is closed, but in the set";
      ++closed_;
    };
  }
  int closed() {
    absl::MutexLock lock(&mu_);
    return closed_;
  }

 private:
  absl::Mutex mu_;
  std::set<int> members_;
  int closed_ = 0;
};

}  // namespace flow_testing

#endif  // FLOW_ASYNC_TEST_SUPPORT_H_
