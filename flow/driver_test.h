// What the driver's tests are made of: a transport whose every try is a
// function of the test's, and ways to wait for what a flow does without a
// clock.

#ifndef FLOW_DRIVER_TEST_H_
#define FLOW_DRIVER_TEST_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "flow/flow.h"
#include "flow/signal.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"

namespace flow_testing {

// A transport's behaviour and what was done to it. Outlives the transport, so
// that a test can look after the end. By default reads wait for `signal`,
// writes take everything, and the rest is done at once.
struct Hooks {
  std::function<flow::Attempt(absl::Span<const iovec>)> read;
  std::function<flow::Attempt(absl::Span<const iovec>)> write;
  std::function<flow::Attempt()> flush;
  std::function<flow::Attempt(flow::ShutdownMode)> shutdown;
  std::function<flow::Attempt(flow::PeerEnd)> peer_end;
  std::function<flow::Attempt()> drain;
  std::function<void()> abort;
  std::function<absl::Status()> close;
  absl::Status words;  // last_error
  bool can_read = true;
  bool can_write = true;
  bool layer = false;

  flow::Signal signal;
  std::atomic<int> reads{0}, writes{0}, flushes{0}, drains{0};
  std::atomic<int> read_shuts{0}, write_shuts{0};
  std::atomic<int> aborts{0}, closes{0}, fork_closes{0};
  std::atomic<int> live{0};  // transports that have not been destroyed

  // Until the signal is notified.
  flow::Attempt Blocked() { return BlockedSince(signal.seq()); }
  flow::Attempt BlockedSince(uint64_t seq) {
    return flow::Attempt::WouldBlock(flow::Wait::For(&signal, seq));
  }
};

class HookTransport final : public flow::Transport {
 public:
  explicit HookTransport(std::shared_ptr<Hooks> hooks)
      : hooks_(std::move(hooks)) {
    ++hooks_->live;
  }
  ~HookTransport() override { --hooks_->live; }

  flow::Attempt TryRead(absl::Span<const iovec> into) override {
    ++hooks_->reads;
    const uint64_t seq = hooks_->signal.seq();
    return hooks_->read ? hooks_->read(into) : hooks_->BlockedSince(seq);
  }
  flow::Attempt TryWrite(absl::Span<const iovec> from) override {
    ++hooks_->writes;
    if (hooks_->write) return hooks_->write(from);
    size_t n = 0;
    for (const iovec& piece : from) n += piece.iov_len;
    return flow::Attempt::Transferred(n);
  }
  flow::Attempt TryFlush() override {
    ++hooks_->flushes;
    return hooks_->flush ? hooks_->flush() : flow::Attempt::Transferred(0);
  }
  flow::Attempt TryShutdown(flow::ShutdownMode half) override {
    ++(half == flow::ShutdownMode::kRead ? hooks_->read_shuts
                                         : hooks_->write_shuts);
    return hooks_->shutdown ? hooks_->shutdown(half)
                            : flow::Attempt::Transferred(0);
  }
  flow::Attempt TryPeerEnd(flow::PeerEnd at_least) override {
    return hooks_->peer_end ? hooks_->peer_end(at_least)
                            : Transport::TryPeerEnd(at_least);
  }
  flow::Attempt TryDrain(absl::Span<const iovec> scratch) override {
    ++hooks_->drains;
    return hooks_->drain ? hooks_->drain() : Transport::TryDrain(scratch);
  }
  void Abort() override {
    ++hooks_->aborts;
    if (hooks_->abort) hooks_->abort();
  }
  absl::Status Close() override {
    ++hooks_->closes;
    return hooks_->close ? hooks_->close() : absl::OkStatus();
  }
  void CloseAfterFork() override { ++hooks_->fork_closes; }
  absl::Status last_error() const override { return hooks_->words; }
  bool is_layer() const override { return hooks_->layer; }
  bool can_read() const override { return hooks_->can_read; }
  bool can_write() const override { return hooks_->can_write; }
  flow::Endpoint local() const override { return flow::Endpoint::Named("a"); }
  flow::Endpoint peer() const override { return flow::Endpoint::Named("b"); }

 private:
  const std::shared_ptr<Hooks> hooks_;
};

inline flow::Flow FlowOn(const std::shared_ptr<Hooks>& hooks,
                         flow::Syscalls* sys = nullptr) {
  return flow::Flow(std::make_unique<HookTransport>(hooks), sys);
}

// A call in a thread of its own. Joined at the latest when it is destroyed.
template <typename T>
class Background {
 public:
  template <typename Function>
  explicit Background(Function function)
      : thread_([this, function = std::move(function)]() mutable {
          result_ = std::make_unique<T>(function());
        }) {}
  ~Background() {
    if (thread_.joinable()) thread_.join();
  }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Waits for the call to end.
  T Get() {
    thread_.join();
    return std::move(*result_);
  }

 private:
  std::unique_ptr<T> result_;
  std::thread thread_;
};
template <typename Function>
Background(Function) -> Background<decltype(std::declval<Function&>()())>;

// Waits until `condition` holds; false if it does not within 30 s. For what can
// be seen but has no event of its own.
template <typename Condition>
bool Eventually(Condition condition) {
  const flow::MonoTime late = flow::MonoTime::In(absl::Seconds(30));
  while (!condition()) {
    if (flow::MonoTime::Now() > late) return false;
    std::this_thread::yield();
  }
  return true;
}

// The kernel, and how many threads are in its poll: a call that is there has
// got as far as it can, into the queue of its direction among other places.
class SleepCounter : public flow::Syscalls {
 public:
  int Poll(pollfd* fds, nfds_t count, int timeout_ms) override {
    ++polls_;  // first: who has seen the sleeper counts its poll too
    ++sleeping_;
    const int n = Syscalls::Poll(fds, count, timeout_ms);
    while (frozen_) std::this_thread::yield();
    --sleeping_;
    return n;
  }
  bool WaitFor(int sleepers) const {
    return Eventually([&] { return sleeping_ == sleepers; });
  }
  int polls() const { return polls_; }
  // Sleepers stay asleep, whatever has come, until Thaw.
  void Freeze() { frozen_ = true; }
  void Thaw() { frozen_ = false; }

 private:
  std::atomic<bool> frozen_{false};
  std::atomic<int> sleeping_{0};
  std::atomic<int> polls_{0};
};

inline bool Asleep(flow::Activity activity) {
  return activity == flow::Activity::kFd ||
         activity == flow::Activity::kSignal ||
         activity == flow::Activity::kTime;
}
inline bool ReaderSleeps(const flow::Flow& f) {
  return Eventually([&f] { return Asleep(f.GetStats().reading); });
}
inline bool WriterSleeps(const flow::Flow& f) {
  return Eventually([&f] { return Asleep(f.GetStats().writing); });
}

}  // namespace flow_testing

#endif  // FLOW_DRIVER_TEST_H_
