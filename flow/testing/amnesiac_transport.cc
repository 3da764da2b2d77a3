#include "flow/testing/amnesiac_transport.h"

#include <sys/uio.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/endpoint.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"

namespace flow_testing {
namespace {

using ::flow::Attempt;
using ::flow::ErrorScope;
using ::flow::PeerEnd;
using ::flow::ShutdownMode;
using ::flow::Wait;

Attempt NotNow() { return Attempt::WouldBlock(Wait::Until(flow::MonoTime())); }

// One direction: used by one thread at a time.
struct Side {
  explicit Side(uint64_t seed) : random(seed) {}
  // One of `n` choices.
  uint64_t Choose(uint64_t n) { return random() % n; }

  std::mt19937_64 random;
  bool told = false;     // this direction has been told of its end
  bool put_off = false;  // the last answer after that was "not now"
};

class Forgetful final : public flow::Transport {
 public:
  Forgetful(std::unique_ptr<flow::Transport> below, uint64_t seed)
      : below_(std::move(below)), read_(seed), write_(seed + 1) {}

  Attempt TryRead(absl::Span<const iovec> into) override {
    if (read_.told) return AnyRead(into);
    const Attempt real = below_->TryRead(into);
    if (real.transferred() || real.would_block()) return real;
    if (real.failed() && real.scope() == ErrorScope::kFlow &&
        failure_told_.exchange(true)) {
      // The other direction took the failure, so this one finds nothing.
      return read_.Choose(2) == 0 ? Attempt::Eof() : NotNow();
    }
    read_.told = true;
    return real;
  }

  Attempt TryWrite(absl::Span<const iovec> from) override {
    if (write_.told) return AnyWrite(from);
    return Remember(below_->TryWrite(from));
  }

  Attempt TryFlush() override {
    if (write_.told) return Attempt::Transferred(0);
    return Remember(below_->TryFlush());
  }

  Attempt TryShutdown(ShutdownMode half) override {
    return below_->TryShutdown(half);
  }
  Attempt TryPeerEnd(PeerEnd at_least) override {
    return below_->TryPeerEnd(at_least);
  }
  void Abort() override { below_->Abort(); }
  absl::Status Close() override { return below_->Close(); }
  void CloseAfterFork() override { below_->CloseAfterFork(); }
  absl::Status last_error() const override { return below_->last_error(); }
  bool is_layer() const override { return below_->is_layer(); }
  Attempt TryDrain(absl::Span<const iovec> scratch) override {
    return below_->TryDrain(scratch);
  }
  bool can_read() const override { return below_->can_read(); }
  bool can_write() const override { return below_->can_write(); }
  bool abort_is_visible() const override { return below_->abort_is_visible(); }
  bool ends_are_visible() const override { return below_->ends_are_visible(); }
  bool PollIsTruth() const override { return below_->PollIsTruth(); }
  int native_handle() const override { return below_->native_handle(); }
  int read_handle() const override { return below_->read_handle(); }
  int write_handle() const override { return below_->write_handle(); }
  absl::string_view read_name() const override { return below_->read_name(); }
  flow::Endpoint local() const override { return below_->local(); }
  flow::Endpoint peer() const override { return below_->peer(); }

 private:
  // What a write direction that has not been told yet is told of `real`.
  Attempt Remember(const Attempt& real) {
    if (!real.failed()) return real;
    write_.told = true;
    if (real.scope() == ErrorScope::kFlow && failure_told_.exchange(true)) {
      return Attempt::Failed(EPIPE);
    }
    return real;
  }

  Attempt AnyRead(absl::Span<const iovec> into) {
    const uint64_t choice = read_.Choose(read_.put_off ? 2 : 3);
    read_.put_off = choice == 2;
    if (choice == 2) return NotNow();
    if (choice == 1) return Attempt::Eof();
    // Bytes that nobody sent.
    std::memset(into[0].iov_base, '!', into[0].iov_len);
    return Attempt::Transferred(into[0].iov_len);
  }

  Attempt AnyWrite(absl::Span<const iovec> from) {
    write_.put_off = !write_.put_off && write_.Choose(2) == 0;
    if (write_.put_off) return NotNow();
    return Attempt::Transferred(from[0].iov_len);
  }

  const std::unique_ptr<flow::Transport> below_;
  Side read_;
  Side write_;
  // A failure of the whole flow has been told, to either direction.
  std::atomic<bool> failure_told_{false};
};

}  // namespace

std::unique_ptr<flow::Transport> AmnesiacTransport(
    std::unique_ptr<flow::Transport> below, uint64_t seed) {
  return std::make_unique<Forgetful>(std::move(below), seed);
}

absl::StatusOr<flow::Flow> Amnesiac(flow::Flow below, uint64_t seed) {
  flow::Syscalls* const sys = below.syscalls();
  absl::StatusOr<std::unique_ptr<flow::Transport>> transport =
      below.ReleaseTransport();
  if (!transport.ok()) return transport.status();
  return flow::Flow(AmnesiacTransport(*std::move(transport), seed), sys);
}

}  // namespace flow_testing
