#include "flow/testing/futures_driver.h"

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/executor.h"
#include "flow/testing/tested_flow.h"
#include "flow/thread_pool.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using ::flow::AsyncFlow;
using ::flow::Limits;

// What all flows of a target share. Not destroyed before the last of them.
struct Shared {
  explicit Shared(int threads)
      : executor(threads > 0 ? std::unique_ptr<flow::Executor>(
                                   std::make_unique<flow::ThreadPool>(threads))
                             : std::make_unique<flow::InlineExecutor>()),
        context(*executor) {}

  const std::unique_ptr<flow::Executor> executor;
  flow::AsyncContext context;
};

class FuturesDriver final : public FlowDriver {
 public:
  FuturesDriver(flow::Flow flow, std::shared_ptr<Shared> shared, bool callbacks)
      : shared_(std::move(shared)),
        callbacks_(callbacks),
        syscalls_(flow.syscalls()) {
    TakeOver(std::move(flow));
  }

  ReadResult Read(const Limits& limits) override {
    if (!callbacks_) return flow_.Read(limits).get();
    return Called<ReadResult>(
        [&](auto done) { flow_.Read(limits, std::move(done)); });
  }
  ReadIntoResult ReadInto(absl::Span<char> into,
                          const Limits& limits) override {
    if (!callbacks_) return flow_.ReadInto(into, limits).get();
    return Called<ReadIntoResult>(
        [&](auto done) { flow_.ReadInto(into, limits, std::move(done)); });
  }
  absl::Status Write(absl::string_view bytes, const Limits& limits) override {
    if (!callbacks_) return flow_.Write(std::string(bytes), limits).get();
    return Called<absl::Status>([&](auto done) {
      flow_.Write(std::string(bytes), limits, std::move(done));
    });
  }
  absl::Status Write(const absl::Cord& bytes, const Limits& limits) override {
    if (!callbacks_) return flow_.Write(bytes, limits).get();
    return Called<absl::Status>(
        [&](auto done) { flow_.Write(bytes, limits, std::move(done)); });
  }
  absl::Status Writev(absl::Span<const absl::string_view> pieces,
                      const Limits& limits) override {
    std::vector<std::string> own(pieces.begin(), pieces.end());
    if (!callbacks_) return flow_.Writev(std::move(own), limits).get();
    return Called<absl::Status>([&](auto done) {
      flow_.Writev(std::move(own), limits, std::move(done));
    });
  }
  absl::StatusOr<size_t> WriteSome(absl::string_view bytes,
                                   const Limits& limits) override {
    if (!callbacks_) return flow_.WriteSome(std::string(bytes), limits).get();
    return Called<absl::StatusOr<size_t>>([&](auto done) {
      flow_.WriteSome(std::string(bytes), limits, std::move(done));
    });
  }
  absl::Status Shutdown(flow::ShutdownMode mode,
                        const Limits& limits) override {
    if (!callbacks_) return flow_.Shutdown(mode, limits).get();
    return Called<absl::Status>(
        [&](auto done) { flow_.Shutdown(mode, limits, std::move(done)); });
  }
  absl::Status Close() override {
    if (!callbacks_) return flow_.Close().get();
    return Called<absl::Status>(
        [&](auto done) { flow_.Close(std::move(done)); });
  }
  absl::Status CloseGracefully(const Limits& limits) override {
    if (!callbacks_) return flow_.CloseGracefully(limits).get();
    return Called<absl::Status>(
        [&](auto done) { flow_.CloseGracefully(limits, std::move(done)); });
  }
  absl::Status Abort() override {
    if (!callbacks_) return flow_.Abort().get();
    return Called<absl::Status>(
        [&](auto done) { flow_.Abort(std::move(done)); });
  }
  absl::StatusOr<flow::PeerEnd> WaitPeerEnd(flow::PeerEnd at_least,
                                            const Limits& limits) override {
    if (!callbacks_) return flow_.WaitPeerEnd(at_least, limits).get();
    return Called<absl::StatusOr<flow::PeerEnd>>([&](auto done) {
      flow_.WaitPeerEnd(at_least, limits, std::move(done));
    });
  }

  // By way of the blocking flow, which it stays if it gave its transport away.
  ReleaseResult ReleaseTransport() override {
    absl::StatusOr<flow::Flow> flow = flow_.Release();
    if (!flow.ok()) return flow.status();
    ReleaseResult transport = flow->ReleaseTransport();
    if (!transport.ok()) TakeOver(*std::move(flow));
    return transport;
  }

  bool owns_bytes() const override { return true; }
  bool is_flow() const override { return static_cast<bool>(flow_); }
  flow::Endpoint local() const override { return flow_.local(); }
  flow::Endpoint peer() const override { return flow_.peer(); }
  flow::Stats GetStats() const override { return flow_.GetStats(); }
  bool abort_is_visible() const override { return flow_.abort_is_visible(); }
  bool ends_are_visible() const override { return flow_.ends_are_visible(); }
  int native_handle() const override { return flow_.native_handle(); }
  flow::Syscalls* syscalls() const override { return syscalls_; }
  std::string ToString() const override { return flow_.ToString(); }

 private:
  // Calls `start` with a callback, and waits for that.
  template <typename Result, typename Start>
  static Result Called(Start start) {
    std::promise<Result> promise;
    std::future<Result> future = promise.get_future();
    start([promise = std::move(promise)](Result result) mutable {
      promise.set_value(std::move(result));
    });
    return future.get();
  }

  void TakeOver(flow::Flow flow) {
    if (!flow) return;
    absl::StatusOr<AsyncFlow> async =
        AsyncFlow::From(std::move(flow), shared_->context);
    EXPECT_TRUE(async.ok()) << async.status();
    if (async.ok()) flow_ = *std::move(async);
  }

  const std::shared_ptr<Shared> shared_;
  const bool callbacks_;
  flow::Syscalls* const syscalls_;
  AsyncFlow flow_;
};

ConformanceTarget Through(ConformanceTarget target, int threads,
                          bool callbacks) {
  absl::StrAppend(&target.name, callbacks ? "Callbacks" : "Futures",
                  threads > 0 ? absl::StrCat("Pool", threads) : "Inline");
  // Made with the first flow: targets are made before main.
  auto shared = std::make_shared<std::shared_ptr<Shared>>();
  target.driver = [shared, threads, callbacks](flow::Flow flow) {
    if (*shared == nullptr) *shared = std::make_shared<Shared>(threads);
    return std::make_unique<FuturesDriver>(std::move(flow), *shared, callbacks);
  };
  return target;
}

}  // namespace

ConformanceTarget ThroughFutures(ConformanceTarget target, int threads) {
  return Through(std::move(target), threads, /*callbacks=*/false);
}

ConformanceTarget ThroughCallbacks(ConformanceTarget target, int threads) {
  return Through(std::move(target), threads, /*callbacks=*/true);
}

}  // namespace flow_testing
