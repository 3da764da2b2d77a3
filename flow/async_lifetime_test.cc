// Who may go before whom: futures, callbacks, flows, contexts and executors
// that end while operations are under way. P8: every future becomes ready
// exactly once, whatever ends first.

#include <fcntl.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <ostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/async_test_support.h"
#include "flow/driver_test.h"
#include "flow/executor.h"
#include "flow/fd/fd.h"
#include "flow/layers/throttle.h"
#include "flow/status.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using ::flow::AsyncContext;
using ::flow::AsyncFlow;
using ::flow::ErrorKind;
using ::flow::Flow;
using ::flow::ThreadPool;
using ::testing::AllOf;

// A flow on a regular file, whose operations are the executor's.
AsyncFlow FileOn(AsyncContext& context) {
  flow::UniqueFd fd(
      flow::Syscalls::Real()->Open("/proc/self/exe", O_RDONLY | O_CLOEXEC, 0));
  absl::StatusOr<Flow> file = flow::Adopt(std::move(fd));
  EXPECT_THAT(file, IsOk());
  return On(context, *std::move(file));
}

// Keeps the only thread of a pool until it is destroyed.
class Busy {
 public:
  explicit Busy(ThreadPool& pool) {
    absl::Notification begun;
    done_ = pool.Submit([this, &begun] {
      begun.Notify();
      go_on_.WaitForNotification();
      return absl::OkStatus();
    });
    begun.WaitForNotification();
  }
  ~Busy() {
    go_on_.Notify();
    done_.wait();
  }

 private:
  absl::Notification go_on_;
  std::future<absl::Status> done_;
};

// --------------------------------------------------------- the context is gone

// Case 82: 100 parked and queued operations: 100 times CANCELLED.
TEST(AsyncLifetime, DestroyingTheContextCancelsWhatWaits) {
  ThreadPool pool(1);
  auto context = std::make_unique<AsyncContext>(pool);
  auto [a, b] = MemoryOn(*context);
  std::vector<std::future<AsyncFlow::ReadResult>> reads;
  for (int i = 0; i < 100; ++i) reads.push_back(b.Read());
  auto peer_end = b.WaitPeerEnd(flow::PeerEnd::kFinished);
  context.reset();
  for (auto& read : reads) {
    EXPECT_TRUE(IsReady(read));
    EXPECT_THAT(read.get(), AllOf(StatusIs(absl::StatusCode::kCancelled),
                                  IsKind(ErrorKind::kCancelled)));
  }
  EXPECT_THAT(peer_end.get(), StatusIs(absl::StatusCode::kCancelled));
}

// "A half-done Write that it cancels is sealed, with its count."
TEST(AsyncLifetime, AHalfDoneWriteIsSealedByTheEndOfTheContext) {
  auto context = std::make_unique<AsyncContext>();
  auto [a, b] = MemoryOn(*context, 5);
  auto cut = a.Write(std::string("0123456789"));
  auto whole = a.Write(std::string("untouched"));
  context.reset();
  EXPECT_THAT(cut.get(),
              AllOf(StatusIs(absl::StatusCode::kCancelled), HasBytesDone(5)));
  EXPECT_THAT(whole.get(), IsKind(ErrorKind::kSealed));
  absl::StatusOr<Flow> flow = a.Release();
  ASSERT_THAT(flow, IsOk());
  EXPECT_THAT(flow->Write("x"),
              AllOf(IsKind(ErrorKind::kSealed), HasBytesDone(5)));
}

// "The flows live on: their operations are then refused, but for Close."
TEST(AsyncLifetime, AFlowOutlivesItsContext) {
  auto context = std::make_unique<AsyncContext>();
  auto [a, b] = MemoryOn(*context);
  context.reset();
  EXPECT_THAT(a.Read().get(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(a.Write(std::string("x")).get(),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(a.WaitPeerEnd(flow::PeerEnd::kGone).get(),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  bool told = false;
  a.Read({}, [&](AsyncFlow::ReadResult got) { told = !got.ok(); });
  EXPECT_TRUE(told);
  EXPECT_THAT(a.Close().get(), IsOk());
  absl::StatusOr<Flow> peer = b.Release();
  ASSERT_THAT(peer, IsOk());
  EXPECT_THAT(peer->Read(), IsEof());
}

// ------------------------------------------------------------- files (EPERM)

// DESIGN 5: "EPERM (files): run on the pool", never on the submitter's thread.
TEST(AsyncLifetime, FilesAreReadOnTheExecutor) {
  ThreadPool pool(1);
  AsyncContext context(pool);
  AsyncFlow file = FileOn(context);
  std::future<AsyncFlow::ReadResult> read;
  {
    const Busy busy(pool);
    read = file.Read();
    EXPECT_FALSE(IsReady(read));
  }
  EXPECT_THAT(read.get(), IsData());
}

// Of a flow on two descriptors, what goes to the file is the executor's, and
// what goes to the socket waits for nobody: `flowcat - tcp:... < file`.
struct Two {
  const char* name;
  bool reads_file;
  bool throttled;  // a layer hides the descriptors from nobody
};
std::ostream& operator<<(std::ostream& os, const Two& two) {
  return os << two.name;
}

class TwoDescriptorsTest : public testing::TestWithParam<Two> {
 protected:
  TwoDescriptorsTest() : pool_(1), context_(pool_) {
    flow::UniqueFd file(flow::Syscalls::Real()->Open("/proc/self/exe",
                                                     O_RDONLY | O_CLOEXEC, 0));
    flow::UniqueFd sink(
        flow::Syscalls::Real()->Open("/dev/null", O_WRONLY | O_CLOEXEC, 0));
    auto pair = flow::SocketPair();
    EXPECT_THAT(pair, IsOk());
    flow::UniqueFd socket = *pair->first.ReleaseFd();
    peer_ = std::move(pair->second);
    absl::StatusOr<Flow> two =
        GetParam().reads_file ? flow::Adopt(std::move(file), std::move(socket))
                              : flow::Adopt(std::move(socket), std::move(sink));
    if (GetParam().throttled) two = flow::Throttle(*std::move(two), {});
    EXPECT_THAT(two, IsOk());
    flow_ = On(context_, *std::move(two));
  }

  ThreadPool pool_;
  AsyncContext context_;
  Flow peer_;
  AsyncFlow flow_;
};

TEST_P(TwoDescriptorsTest, OnlyTheFileIsTheExecutors) {
  std::future<AsyncFlow::ReadResult> read;
  std::future<absl::Status> write;
  {
    const Busy busy(pool_);
    read = flow_.Read();
    write = flow_.Write(std::string("x"));
    if (GetParam().reads_file) {
      EXPECT_THAT(write.get(), IsOk());
      EXPECT_THAT(peer_.Read(), IsData("x"));
      EXPECT_FALSE(IsReady(read));
    } else {
      EXPECT_THAT(peer_.Write("y"), IsOk());
      EXPECT_THAT(read.get(), IsData("y"));
      EXPECT_FALSE(IsReady(write));
    }
  }
  if (GetParam().reads_file) {
    EXPECT_THAT(read.get(), IsData());
  } else {
    EXPECT_THAT(write.get(), IsOk());
  }
}

INSTANTIATE_TEST_SUITE_P(Pairs, TwoDescriptorsTest,
                         testing::Values(Two{"In", true, false},
                                         Two{"Out", false, false},
                                         Two{"InBelow", true, true},
                                         Two{"OutBelow", false, true}),
                         testing::PrintToStringParamName());

// "Limits run from submission, queue time included", also that of the pool.
TEST(AsyncLifetime, LimitsEndWhatWaitsForAThread) {
  ThreadPool pool(1);
  AsyncContext context(pool);
  AsyncFlow file = FileOn(context);
  const Busy busy(pool);
  EXPECT_THAT(file.Read(absl::Milliseconds(20)).get(),
              IsKind(ErrorKind::kDeadline));
  auto first = file.Read();
  auto second = file.Read();
  EXPECT_THAT(file.Close().get(), IsOk());
  EXPECT_THAT(first.get(), IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(second.get(), IsKind(ErrorKind::kClosedLocally));
}

// The context is destroyed on the one thread that its operations wait for.
TEST(AsyncLifetime, AContextMayGoOnThePoolThatItsOperationsWaitFor) {
  ThreadPool pool(1);
  auto context = std::make_unique<AsyncContext>(pool);
  AsyncFlow file = FileOn(*context);
  std::future<AsyncFlow::ReadResult> read;
  const auto destroyed = pool.Submit([&] {
    read = file.Read();
    context.reset();
    return absl::OkStatus();
  });
  destroyed.wait();
  EXPECT_THAT(read.get(), StatusIs(absl::StatusCode::kCancelled));
}

TEST(AsyncLifetime, AFileEndsLikeAnyStream) {
  ThreadPool pool(2);
  for (AsyncContext* context :
       {std::make_unique<AsyncContext>(pool).release(), new AsyncContext()}) {
    const std::unique_ptr<AsyncContext> owner(context);
    AsyncFlow file = FileOn(*context);
    size_t size = 0;
    AsyncFlow::ReadResult got = file.Read().get();
    for (; got.ok() && !got->is_eof(); got = file.Read().get()) {
      size += got->data().size();
    }
    EXPECT_THAT(got, IsEof());
    EXPECT_GT(size, 0u);
    EXPECT_THAT(file.Read().get(), IsEof());
  }
}

// -------------------------------------------------------------------- futures

// Case 83: a future that is dropped at once cancels nothing and does not wait;
// the operation's bytes stay valid (ASan).
TEST(AsyncLifetime, AFutureMayBeDroppedAtOnce) {
  AsyncContext context;
  auto [a, b] = MemoryOn(context, 16);
  const std::string sent(10'000, 'x');
  static_cast<void>(a.Write(sent));
  static_cast<void>(a.Shutdown(flow::ShutdownMode::kWrite));
  std::string got;
  for (auto read = b.Read().get(); read.ok() && !read->is_eof();
       read = b.Read().get()) {
    got += read->data().ToString();
  }
  EXPECT_EQ(got, sent);
}

// P9, case 48: the caller's memory is its own again once the future is ready.
TEST(AsyncLifetime, ReadIntosMemoryIsFreeOnceTheFutureIsReady) {
  AsyncContext context;
  auto [a, b] = MemoryOn(context);
  for (int i = 0; i < 200; ++i) {
    auto memory = std::make_unique<char[]>(64);
    flow::CancelSource stop;
    auto read = b.ReadInto({memory.get(), 64}, stop.token());
    auto write = a.Write(std::string("0123456789"));
    stop.Cancel();
    const AsyncFlow::ReadIntoResult got = read.get();
    memory.reset();  // ASan watches it from here on
    EXPECT_THAT(write.get(), IsOk());
    if (!got.ok()) {
      EXPECT_THAT(got, IsKind(ErrorKind::kCancelled));
      EXPECT_THAT(b.Read().get(), IsData("0123456789"));
    }
  }
}

// ------------------------------------------------------------------- callbacks

struct Kind {
  const char* name;
  int threads;  // of the pool; 0: inline
};
std::ostream& operator<<(std::ostream& os, const Kind& kind) {
  return os << kind.name;
}

class CallbackTest : public testing::TestWithParam<Kind> {
 protected:
  CallbackTest() {
    if (GetParam().threads > 0) {
      executor_ = std::make_unique<ThreadPool>(GetParam().threads);
    } else {
      executor_ = std::make_unique<flow::InlineExecutor>();
    }
    context_ = std::make_unique<AsyncContext>(*executor_);
    std::tie(a_, b_) = MemoryOn(*context_);
  }

  std::unique_ptr<flow::Executor> executor_;
  std::unique_ptr<AsyncContext> context_;
  AsyncFlow a_;
  AsyncFlow b_;
};

// Case 84: what a callback throws is counted and reported, and 1,000 more run.
TEST_P(CallbackTest, MayThrow) {
  std::promise<std::string> reported;
  executor_->exceptions()->set_hook(
      [&](absl::string_view what) { reported.set_value(std::string(what)); });
  a_.Write(std::string("x"), {},
           [](absl::Status) { throw std::runtime_error("thrown"); });
  EXPECT_EQ(reported.get_future().get(), "thrown");
  std::atomic<int> ran{0};
  std::promise<void> all;
  for (int i = 0; i < 1000; ++i) {
    a_.Write(std::string("x"), {}, [&](absl::Status) {
      if (++ran == 1000) all.set_value();
    });
  }
  all.get_future().get();
  EXPECT_EQ(executor_->exceptions()->count(), 1u);
}

TEST_P(CallbackTest, MayDestroyItsFlow) {
  std::promise<void> done;
  auto other = b_.Read();
  a_.Read({}, [&](AsyncFlow::ReadResult got) {
    EXPECT_THAT(got, IsData("x"));
    a_ = AsyncFlow();
    done.set_value();
  });
  EXPECT_THAT(b_.Write(std::string("x")).get(), IsOk());
  done.get_future().get();
  EXPECT_THAT(other.get(), IsEof());
}

// On whichever thread it runs: the poller's own, or one of the pool's.
TEST_P(CallbackTest, MayDestroyTheContext) {
  std::promise<void> done;
  auto parked = b_.Read();
  a_.Write(std::string("x"), {}, [](absl::Status) {});
  auto waits = a_.Read();
  b_.Write(std::string("x"), {}, [&](absl::Status status) {
    EXPECT_THAT(status, IsOk());
    context_.reset();
    done.set_value();
  });
  done.get_future().get();
  EXPECT_TRUE(IsReady(parked));
  EXPECT_TRUE(IsReady(waits));
}

// Nothing but the end of the context wakes what is parked then.
TEST_P(CallbackTest, MayDestroyTheContextUnderAParkedOperation) {
  auto parked = b_.Read();
  std::promise<void> done;
  b_.Write(std::string("x"), {}, [&](absl::Status) {
    context_.reset();
    done.set_value();
  });
  done.get_future().get();
  EXPECT_THAT(parked.get(), StatusIs(absl::StatusCode::kCancelled));
}

// Callbacks that were handed over before are called, though the executor has
// gone with the context by then; each once.
TEST_P(CallbackTest, MayDestroyTheContextBeforeOthersAreCalled) {
  for (int round = 0; round < 20; ++round) {
    auto* const context = GetParam().threads > 0 ? new AsyncContext(*executor_)
                                                 : new AsyncContext();
    auto [a, b] = MemoryOn(*context, 1 << 20);
    std::atomic<int> called{0};
    constexpr int kAll = 50;
    for (int i = 0; i < kAll; ++i) {
      a.Write(std::string("x"), {}, [&, i](absl::Status) {
        if (i == kAll / 2) delete context;
        ++called;
      });
    }
    ASSERT_TRUE(Eventually([&] { return called == kAll; }));
  }
}

TEST_P(CallbackTest, MayDestroyFlowContextAndExecutor) {
  std::promise<void> done;
  auto parked = b_.Read();
  a_.Read({}, [&](AsyncFlow::ReadResult) {
    a_ = AsyncFlow();
    context_.reset();
    executor_.reset();
    done.set_value();
  });
  EXPECT_THAT(b_.Write(std::string("x")).get(), IsOk());
  done.get_future().get();
  EXPECT_TRUE(IsReady(parked));
}

// A chain goes on for as long as its own operations let it.
TEST_P(CallbackTest, MayStartTheNextOperation) {
  std::promise<int> done;
  int left = 1000;
  std::function<void()> step = [&] {
    a_.Write(std::string("x"), {}, [&](absl::Status sent) {
      ASSERT_THAT(sent, IsOk());
      b_.Read({}, [&](AsyncFlow::ReadResult got) {
        ASSERT_THAT(got, IsData("x"));
        if (--left == 0) return done.set_value(left);
        step();
      });
    });
  };
  step();
  EXPECT_EQ(done.get_future().get(), 0);
}

INSTANTIATE_TEST_SUITE_P(Executors, CallbackTest,
                         testing::Values(Kind{"Inline", 0}, Kind{"PoolOf1", 1},
                                         Kind{"PoolOf4", 4}),
                         testing::PrintToStringParamName());

// Operations that begin while the context and its pool go away in another
// thread: either refused or told, never handed to a pool that is gone.
// P8: "callbacks that destroy the flow or the pool they run on work", while
// others are under way and the context stays.
TEST(AsyncLifetime, ACallbackMayDestroyThePoolAlone) {
  auto pool = std::make_unique<ThreadPool>(1);
  AsyncContext context(*pool);
  auto pair = MemoryPair(16);
  AsyncFlow a = On(context, std::move(pair.first));
  AsyncFlow b = On(context, std::move(pair.second));
  absl::Notification gone, parked_is_told;
  absl::StatusOr<flow::OrEof<flow::Buffer>> parked =
      absl::UnknownError("not told");
  b.Read({}, [&](AsyncFlow::ReadResult) {
    pool.reset();
    gone.Notify();
  });
  b.Read({}, [&](AsyncFlow::ReadResult got) {
    parked = std::move(got);
    parked_is_told.Notify();
  });
  EXPECT_THAT(a.Write(std::string("x")).get(), IsOk());
  gone.WaitForNotification();
  EXPECT_THAT(a.Write(std::string("y")).get(), IsOk());
  parked_is_told.WaitForNotification();
  EXPECT_THAT(parked, StatusIs(absl::StatusCode::kCancelled));
  // Futures need no executor.
  auto read = a.Read();
  EXPECT_THAT(b.Write(std::string("z")).get(), IsOk());
  EXPECT_THAT(read.get(), IsData("z"));
}

TEST(AsyncLifetime, OperationsMayBeginWhileTheContextIsDestroyed) {
  for (int round = 0; round < 30; ++round) {
    auto pool = std::make_unique<ThreadPool>(1);
    auto context = std::make_unique<AsyncContext>(*pool);
    auto [a, b] = MemoryOn(*context, 1 << 20);
    std::atomic<int> begun{0};
    std::atomic<int> told{0};
    std::atomic<bool> stop{false};
    AsyncFlow& writer = a;
    std::thread submitter([&] {
      while (!stop) {
        ++begun;
        writer.Write(std::string("x"), {}, [&](absl::Status) { ++told; });
      }
    });
    while (begun < 10) std::this_thread::yield();
    context.reset();
    pool.reset();
    stop = true;
    submitter.join();
    EXPECT_EQ(begun, told);
  }
}

}  // namespace
}  // namespace flow_testing
