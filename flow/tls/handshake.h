// File: handshake.h (internal)
//
// HandshakeTransport: a handshake as a stream of a single byte. It alone knows
// how a handshake is waited for: not at all. A Flow over it is read, which
// blocks, or parks, under the limits, the token and the Close of any Read; when
// the byte comes, the handshake is done, and the transport gives its engine
// away.

#ifndef FLOW_TLS_HANDSHAKE_H_
#define FLOW_TLS_HANDSHAKE_H_

#include <sys/uio.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/endpoint.h"
#include "flow/sys/syscalls.h"
#include "flow/tls/engine.h"
#include "flow/transport.h"
#include "flow/wait_join.h"

namespace flow {
namespace internal {

class HandshakeTransport final : public Transport {
 public:
  HandshakeTransport(std::unique_ptr<TlsEngine> engine, Syscalls* sys);

  // After the byte.
  std::unique_ptr<TlsEngine> TakeEngine();

  // One byte once the handshake is done and all of it is sent.
  Attempt TryRead(absl::Span<const iovec> into) override;
  // Nobody writes.
  Attempt TryWrite(absl::Span<const iovec> from) override;
  Attempt TryShutdown(ShutdownMode /*half*/) override {
    return Attempt::Transferred(0);
  }
  void Abort() override { below_->Abort(); }
  absl::Status Close() override { return below_->Close(); }
  void CloseAfterFork() override { below_->CloseAfterFork(); }
  absl::Status last_error() const override { return words_; }
  int native_handle() const override { return below_->native_handle(); }
  int read_handle() const override { return below_->read_handle(); }
  int write_handle() const override { return below_->write_handle(); }
  std::string layers() const override { return below_->layers(); }
  absl::string_view read_name() const override { return "tls_handshake"; }
  Endpoint local() const override { return below_->local(); }
  Endpoint peer() const override { return below_->peer(); }

 private:
  Attempt Fail();
  Attempt FailBelow(const Attempt& failed);

  std::unique_ptr<TlsEngine> engine_;
  Transport* const below_;  // engine_'s
  WaitJoin waits_;
  bool done_ = false;
  absl::Status words_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_TLS_HANDSHAKE_H_
