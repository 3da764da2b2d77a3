#include "flow/layers/tee.h"

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "flow/layers/forwarding.h"
#include "flow/layers/iovecs.h"
#include "flow/layers/tee_copy.h"
#include "flow/sys/errno_table.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"

namespace flow {
namespace {

using internal::TeeCopy;

class TeeTransport final : public internal::ForwardingTransport {
 public:
  TeeTransport(std::unique_ptr<Transport> below,
               std::unique_ptr<Transport> read_to,
               std::unique_ptr<Transport> written_to, TeeOptions options,
               Syscalls* sys)
      : ForwardingTransport("tee", std::move(below)),
        hook_(std::make_shared<TeeCopy::Hook>()),
        reads_(std::move(read_to), options.on_failure, hook_, sys),
        writes_(std::move(written_to), options.on_failure, hook_, sys) {
    absl::MutexLock lock(&hook_->mu);
    hook_->failed = std::move(options.failed);
  }

  Attempt TryRead(absl::Span<const iovec> into) override {
    if (!held_.empty()) return GiveHeld(into);
    const Attempt a = ReadSome(into);
    if (a.failed()) Spoil(reads_, a);
    if (!a.transferred() || !reads_.active()) return a;
    reads_.Offer(into, a.n());
    const Attempt pushed = reads_.Push();
    if (pushed.transferred()) return a;
    // The sink has them first: until then they are kept here.
    internal::ForFirst(into, a.n(), [this](absl::Span<char> piece) {
      held_.append(piece.data(), piece.size());
    });
    if (pushed.failed()) return SinkFailed(read_name(), reads_);
    return Attempt::Progressed(pushed.wait());
  }

  Attempt TryWrite(absl::Span<const iovec> from) override {
    const Attempt pushed = writes_.Push();
    if (pushed.failed()) return SinkFailed("write", writes_);
    if (pushed.would_block()) return pushed;
    const Attempt a = WriteSome(from);
    if (a.failed()) Spoil(writes_, a);
    if (a.transferred()) writes_.Offer(from, a.n());
    return a;
  }

  Attempt TryFlush() override {
    const Attempt a = below().TryFlush();
    if (a.failed()) Spoil(writes_, a);
    if (!a.transferred()) return a;
    const Attempt pushed = writes_.Push();
    return pushed.failed() ? SinkFailed("write", writes_) : pushed;
  }

  Attempt TryShutdown(ShutdownMode half) override {
    if (half == ShutdownMode::kRead) held_ = {};
    return ForwardingTransport::TryShutdown(half);
  }

  void Abort() override {
    below().Abort();
    reads_.Abort();
    writes_.Abort();
  }
  absl::Status Close() override {
    absl::Status status = below().Close();
    status.Update(reads_.Close());
    status.Update(writes_.Close());
    return status;
  }
  void CloseAfterFork() override {
    below().CloseAfterFork();
    reads_.CloseAfterFork();
    writes_.CloseAfterFork();
  }

  int read_handle() const override {
    return reads_.disk() >= 0 ? reads_.disk() : below().read_handle();
  }
  int write_handle() const override {
    return writes_.disk() >= 0 ? writes_.disk() : below().write_handle();
  }

 private:
  Attempt ReadSome(absl::Span<const iovec> into) {
    return !reads_.active() || internal::TotalLength(into) <= TeeCopy::kAtMost
               ? below().TryRead(into)
               : below().TryRead(internal::FirstOf(into, TeeCopy::kAtMost));
  }
  Attempt WriteSome(absl::Span<const iovec> from) {
    return !writes_.active() || internal::TotalLength(from) <= TeeCopy::kAtMost
               ? below().TryWrite(from)
               : below().TryWrite(internal::FirstOf(from, TeeCopy::kAtMost));
  }

  Attempt GiveHeld(absl::Span<const iovec> into) {
    const Attempt pushed = reads_.Push();
    if (pushed.failed()) return SinkFailed(read_name(), reads_);
    if (pushed.would_block()) return pushed;
    const absl::string_view held = held_;
    const size_t n = internal::CopyInto(into, held.substr(held_given_));
    held_given_ += n;
    if (held_given_ == held_.size()) {
      held_ = {};
      held_given_ = 0;
    }
    return Attempt::Transferred(n);
  }

  void Spoil(TeeCopy& copy, const Attempt& failed) {
    copy.Spoil();
    if (failed.scope() != ErrorScope::kFlow) return;
    reads_.Spoil();
    writes_.Spoil();
  }

  Attempt SinkFailed(absl::string_view operation, const TeeCopy& copy) {
    return FailWith(
        absl::Status(copy.failure().code(),
                     absl::StrCat(operation, "() failed: the tee's sink: ",
                                  copy.failure().message())),
        ErrorKind::kOther, ErrorScope::kDirection);
  }

  const std::shared_ptr<TeeCopy::Hook> hook_;
  TeeCopy reads_;
  TeeCopy writes_;
  // Of the read direction: bytes that the sink has to take before the reader
  // gets them.
  std::string held_;
  size_t held_given_ = 0;
};

// The transport of a sink; null if there is none.
absl::StatusOr<std::unique_ptr<Transport>> Take(Flow& sink) {
  if (!sink) return std::unique_ptr<Transport>();
  return sink.ReleaseTransport();
}

}  // namespace

absl::StatusOr<Flow> Tee(Flow below, TeeOptions options) {
  absl::StatusOr<std::unique_ptr<Transport>> read_to = Take(options.read_to);
  if (!read_to.ok()) return read_to.status();
  absl::StatusOr<std::unique_ptr<Transport>> written_to =
      Take(options.written_to);
  if (!written_to.ok()) return written_to.status();
  return internal::Layered(
      std::move(below),
      [&](std::unique_ptr<Transport> transport, Syscalls* sys) {
        return std::make_unique<TeeTransport>(
            std::move(transport), *std::move(read_to), *std::move(written_to),
            std::move(options), sys);
      });
}

absl::string_view SinkFailureName(SinkFailure failure) {
  switch (failure) {
    case SinkFailure::kFail:
      return "fail";
    case SinkFailure::kDrop:
      return "drop";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, SinkFailure failure) {
  return os << SinkFailureName(failure);
}

std::string TeeOptions::ToString() const {
  return absl::StrCat("read to ", read_to.ToString(), ", written to ",
                      written_to.ToString(), ", on failure ",
                      SinkFailureName(on_failure), failed ? ", told" : "");
}

}  // namespace flow
