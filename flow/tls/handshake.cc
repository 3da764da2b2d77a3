#include "flow/tls/handshake.h"

#include <cerrno>
#include <utility>

#include "flow/tls/wire.h"

namespace flow {
namespace internal {
namespace {

// A peer that sends without end has its turn in pieces.
constexpr int kPullsPerTry = 16;

}  // namespace

HandshakeTransport::HandshakeTransport(std::unique_ptr<TlsEngine> engine,
                                       Syscalls* sys)
    : engine_(std::move(engine)),
      below_(&engine_->wire().below()),
      waits_(sys) {}

std::unique_ptr<TlsEngine> HandshakeTransport::TakeEngine() {
  return std::move(engine_);
}

Attempt HandshakeTransport::TryRead(absl::Span<const iovec> into) {
  TlsWire& wire = engine_->wire();
  waits_.Begin();
  const TlsWire::Use use(wire, kPullsPerTry);
  TlsEngine::Result result = TlsEngine::Result::kDone;
  if (!done_) {
    result = engine_->Handshake();
    done_ = result == TlsEngine::Result::kDone;
  }
  // Our flight, or the alert that says why.
  const Attempt sent = wire.Push();
  if (result == TlsEngine::Result::kFailed) return Fail();
  if (done_ && sent.transferred()) {
    *static_cast<char*>(into[0].iov_base) = 0;
    return Attempt::Transferred(1);
  }
  if (done_ || result == TlsEngine::Result::kWantOutput) {
    if (sent.failed()) return FailBelow(sent);
    if (sent.transferred()) return Attempt::Progressed(waits_.ForNothing());
    const Wait wait = waits_.For(sent.wait());
    return sent.progressed() ? Attempt::Progressed(wait)
                             : Attempt::WouldBlock(wait);
  }
  if (wire.input_is_rationed()) {
    return Attempt::Progressed(waits_.ForNothing());
  }
  // The peer may have said why before it stopped listening: only what it sent
  // counts, then what became of ours.
  if (!wire.input().would_block()) {
    if (wire.input().failed()) return FailBelow(wire.input());
    if (sent.failed()) return FailBelow(sent);
    engine_->CutShort();
    return Fail();
  }
  const Wait wait = waits_.For(wire.input().wait(),
                               sent.would_block() ? &sent.wait() : nullptr);
  return wire.pulled() || sent.progressed() ? Attempt::Progressed(wait)
                                            : Attempt::WouldBlock(wait);
}

Attempt HandshakeTransport::TryWrite(absl::Span<const iovec> /*from*/) {
  return Attempt::Failed(ENOSYS, ErrorScope::kDirection);
}

Attempt HandshakeTransport::Fail() {
  words_ = engine_->failure();
  return Attempt::Failed(
      engine_->was_cut() ? ErrorKind::kTruncated : ErrorKind::kOther,
      ErrorScope::kFlow);
}

Attempt HandshakeTransport::FailBelow(const Attempt& failed) {
  words_ = engine_->wire().words();
  return failed;
}

}  // namespace internal
}  // namespace flow
