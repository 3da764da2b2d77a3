// A kind of stream of one's own: what it has to supply (flow/transport.h), and
// how the conformance suite proves that flows on it keep the whole contract.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "flow/flow.h"
#include "flow/testing/conformance.h"
#include "flow/transport.h"

struct Channel {  // one way of the stream
  absl::Mutex mu;
  std::string bytes;     // at most 1000
  bool ended = false;    // by either end
  flow::Signal changed;  // notified under mu, so its seq() may be read there
  flow::Wait Change() { return flow::Wait::For(&changed, changed.seq()); }
};

class Mailbox : public flow::Transport {
 public:
  Mailbox(std::shared_ptr<Channel> in, std::shared_ptr<Channel> out)
      : in_(std::move(in)), out_(std::move(out)) {}

  flow::Attempt TryRead(absl::Span<const iovec> into) override {
    absl::MutexLock lock(&in_->mu);
    const size_t n = std::min(into[0].iov_len, in_->bytes.size());
    if (n == 0 && in_->ended) return flow::Attempt::Eof();
    if (n == 0) return flow::Attempt::WouldBlock(in_->Change());
    std::memcpy(into[0].iov_base, in_->bytes.data(), n);
    in_->bytes.erase(0, n);
    in_->changed.Notify();
    return flow::Attempt::Transferred(n);
  }
  flow::Attempt TryWrite(absl::Span<const iovec> from) override {
    absl::MutexLock lock(&out_->mu);
    const size_t n = std::min(from[0].iov_len, 1000 - out_->bytes.size());
    if (out_->ended) return flow::Attempt::Failed(EPIPE);
    if (n == 0) return flow::Attempt::WouldBlock(out_->Change());
    out_->bytes.append(static_cast<const char*>(from[0].iov_base), n);
    out_->changed.Notify();
    return flow::Attempt::Transferred(n);
  }
  flow::Attempt TryShutdown(flow::ShutdownMode half) override {
    Channel& channel = half == flow::ShutdownMode::kRead ? *in_ : *out_;
    absl::MutexLock lock(&channel.mu);
    channel.ended = true;
    if (&channel == in_.get()) channel.bytes.clear();
    channel.changed.Notify();
    return flow::Attempt::Transferred(0);
  }
  absl::Status Close() override {
    TryShutdown(flow::ShutdownMode::kRead);
    TryShutdown(flow::ShutdownMode::kWrite);
    return absl::OkStatus();
  }

 private:
  const std::shared_ptr<Channel> in_, out_;
};

using flow_testing::FlowConformance;  // the macro below wants a simple name
flow_testing::ConformanceTarget Mine() {
  flow_testing::ConformanceTarget mine;
  mine.name = "Mailbox";
  mine.abort_is_visible = mine.peer_end = false;
  mine.make = [] {
    auto a = std::make_shared<Channel>(), b = std::make_shared<Channel>();
    return std::make_pair(flow::Flow(std::make_unique<Mailbox>(a, b)),
                          flow::Flow(std::make_unique<Mailbox>(b, a)));
  };
  return mine;
}
INSTANTIATE_TEST_SUITE_P(Own, FlowConformance, testing::Values(Mine()),
                         flow_testing::ConformanceName);
