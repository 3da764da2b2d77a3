// A kind of stream of one's own: what it has to supply (flow/transport.h), and
// how the conformance suite proves that flows on it keep the whole contract.

#include <sys/uio.h>

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
  flow::Signal changed;
  std::string bytes;   // at most 1000
  bool ended = false;  // by either end

  void End(bool drop_bytes) {
    absl::MutexLock lock(&mu);
    ended = true;
    if (drop_bytes) bytes.clear();
    changed.Notify();
  }
};

class Mailbox : public flow::Transport {
 public:
  Mailbox(std::shared_ptr<Channel> in, std::shared_ptr<Channel> out)
      : in_(std::move(in)), out_(std::move(out)) {}
  ~Mailbox() override { Close().IgnoreError(); }

  flow::Attempt TryRead(absl::Span<const iovec> into) override {
    absl::MutexLock lock(&in_->mu);
    const flow::Wait change =
        flow::Wait::For(&in_->changed, in_->changed.seq());
    const size_t n = std::min(into[0].iov_len, in_->bytes.size());
    if (n == 0 && in_->ended) return flow::Attempt::Eof();
    if (n == 0) return flow::Attempt::WouldBlock(change);
    std::memcpy(into[0].iov_base, in_->bytes.data(), n);
    in_->bytes.erase(0, n);
    in_->changed.Notify();
    return flow::Attempt::Transferred(n);
  }
  flow::Attempt TryWrite(absl::Span<const iovec> from) override {
    absl::MutexLock lock(&out_->mu);
    const flow::Wait change =
        flow::Wait::For(&out_->changed, out_->changed.seq());
    const size_t n = std::min(from[0].iov_len, 1000 - out_->bytes.size());
    if (out_->ended) return flow::Attempt::Failed(EPIPE);
    if (n == 0) return flow::Attempt::WouldBlock(change);
    out_->bytes.append(static_cast<const char*>(from[0].iov_base), n);
    out_->changed.Notify();
    return flow::Attempt::Transferred(n);
  }
  flow::Attempt TryShutdown(flow::ShutdownMode half) override {
    const bool write = half == flow::ShutdownMode::kWrite;
    (write ? out_ : in_)->End(/*drop_bytes=*/!write);
    return flow::Attempt::Transferred(0);
  }
  absl::Status Close() override {
    in_->End(/*drop_bytes=*/true);
    out_->End(/*drop_bytes=*/false);
    return absl::OkStatus();
  }

 private:
  const std::shared_ptr<Channel> in_, out_;
};

using flow_testing::FlowConformance;  // the macro wants a simple name

flow_testing::ConformanceTarget Mailboxes() {
  flow_testing::ConformanceTarget target;
  target.name = "Mailboxes";
  target.make = [] {
    auto one = std::make_shared<Channel>(), two = std::make_shared<Channel>();
    return std::make_pair(flow::Flow(std::make_unique<Mailbox>(one, two)),
                          flow::Flow(std::make_unique<Mailbox>(two, one)));
  };
  target.abort_is_visible = target.peer_end = false;
  target.more_than_fits = 100'000;
  return target;
}

INSTANTIATE_TEST_SUITE_P(Own, FlowConformance, testing::Values(Mailboxes()),
                         flow_testing::ConformanceName);
