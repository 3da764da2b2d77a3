// File: tls_transport.h (internal)
//
// TlsTransport: an encrypted stream on the flow below. It alone knows how the
// two directions share one TLS connection.
//
// One mutex, held only inside a try, so by nobody who waits. What a direction
// waits for:
//
// clang-format off
// | direction | when                                               | waits for               |
// |-----------|----------------------------------------------------|-------------------------|
// | read      | no whole record is there                           | input                   |
// |           | the same, and output is held                       | input or room below     |
// | write     | output is held                                     | room below              |
// |           | OpenSSL wants input first (the peer's KeyUpdate    | input (and room below)  |
// |           | came in part)                                      |                         |
// clang-format on
//
// and each also for the other: the reader is told when output stays held, or
// when the writer has pulled input; the writer when the reader has sent what
// was held, or has pulled input that the writer waits for. Whoever is inside
// does what is to be done, since the other may have left at a limit.

#ifndef FLOW_TLS_TLS_TRANSPORT_H_
#define FLOW_TLS_TLS_TRANSPORT_H_

#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "flow/adaptive_reads.h"
#include "flow/endpoint.h"
#include "flow/sys/syscalls.h"
#include "flow/tls/engine.h"
#include "flow/tls/wire.h"
#include "flow/transport.h"
#include "flow/wait_join.h"

namespace flow {
namespace internal {

class TlsTransport final : public Transport {
 public:
  // `engine` has done its handshake.
  TlsTransport(std::unique_ptr<TlsEngine> engine, Syscalls* sys);

  Attempt TryRead(absl::Span<const iovec> into) override;
  Attempt TryWrite(absl::Span<const iovec> from) override;
  Attempt TryFlush() override;
  Attempt TryShutdown(ShutdownMode half) override;
  Attempt TryPeerEnd(PeerEnd at_least) override;
  void Abort() override;
  absl::Status Close() override;
  void CloseAfterFork() override;
  absl::Status last_error() const override;
  bool is_layer() const override { return true; }
  Attempt TryDrain(absl::Span<const iovec> scratch) override;

  bool can_read() const override { return below_.can_read(); }
  bool can_write() const override { return below_.can_write(); }
  bool abort_is_visible() const override { return below_.abort_is_visible(); }
  // close_notify tells, whatever is below.
  bool ends_are_visible() const override { return true; }
  // Spins as what is below would; but what is held here poll knows nothing of.
  AdaptiveReads adaptive_reads() const override {
    return {/*waits_first=*/false, below_.adaptive_reads().spins};
  }
  int native_handle() const override { return below_.native_handle(); }
  int read_handle() const override { return below_.read_handle(); }
  int write_handle() const override { return below_.write_handle(); }
  std::string layers() const override { return "tls over " + below_.layers(); }
  Endpoint local() const override { return below_.local(); }
  Endpoint peer() const override { return below_.peer(); }

 private:
  using Result = TlsEngine::Result;

  // The words of a failure that a thread was told last; see last_error().
  struct Told {
    std::thread::id who;
    absl::Status words;
  };

  Result ReadRecords(absl::Span<const iovec> into, size_t& got)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Result WriteRecords(absl::Span<const iovec> from, size_t& taken)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Nothing was read: what to wait for, or why nothing ever will be.
  Attempt NothingRead(Result result) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The same for the write direction, whose step OpenSSL could not do.
  Attempt NothingWritten(Result result) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The answer of the write direction while `sent`, a Push's answer, is not
  // Transferred.
  Attempt OutputStays(const Attempt& sent) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Sends what is held, on behalf of the other direction.
  Attempt PushForWriter() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The end that input() is.
  Attempt InputIsOver(Told& told) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Attempt TellFailure(Told& told) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Attempt TellBelow(const Attempt& failed, Told& told)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Tell(Told& told, const absl::Status& words)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Transport& below_;  // engine_'s; for what needs no mutex
  std::atomic<bool> aborted_{false};

  mutable absl::Mutex mu_;
  const std::unique_ptr<TlsEngine> engine_ ABSL_PT_GUARDED_BY(mu_);
  WaitJoin reader_;  // Begin and For under mu_
  WaitJoin writer_;
  bool writer_wants_input_ ABSL_GUARDED_BY(mu_) = false;
  bool reader_sees_output_ ABSL_GUARDED_BY(mu_) = false;
  bool close_sent_ ABSL_GUARDED_BY(mu_) = false;
  // TlsWire::sent() when each direction last looked.
  uint64_t reader_saw_sent_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t writer_saw_sent_ ABSL_GUARDED_BY(mu_) = 0;
  Told reader_told_ ABSL_GUARDED_BY(mu_);
  Told writer_told_ ABSL_GUARDED_BY(mu_);
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_TLS_TLS_TRANSPORT_H_
