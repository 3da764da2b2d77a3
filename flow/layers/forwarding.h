// File: forwarding.h (internal)
//
// ForwardingTransport: a layer that changes nothing. Each layer derives from it
// and overrides the few calls that it is about.
//
//   class Shouting final : public ForwardingTransport {
//    public:
//     explicit Shouting(std::unique_ptr<Transport> below)
//         : ForwardingTransport("shouting", std::move(below)) {}
//     Attempt TryRead(absl::Span<const iovec> into) override {
//       const Attempt a = below().TryRead(into);
//       if (a.transferred()) { ... }
//       return a;
//     }
//   };
//
//   absl::StatusOr<Flow> Shout(Flow flow) {
//     return Layered(std::move(flow), [](auto transport, Syscalls*) {
//       return std::make_unique<Shouting>(std::move(transport));
//     });
//   }
//
// It alone knows what every layer does alike:
// - It owns the transport below; closing, aborting and half-closing pass
//   through, and so do endpoints, properties and the words of errors.
// - Spans are passed on as they are, so that a vectored write stays one.
// - Shutdown(kRead) is the layer's own matter: the read half below stays open,
//   so that what the peer still sends can be drained when both sides are shut
//   (a close with bytes unread would reset the peer).
// - In messages its name stands before those below: "flow shouting over tcp
//   127.0.0.1:1 -> ...".

#ifndef FLOW_LAYERS_FORWARDING_H_
#define FLOW_LAYERS_FORWARDING_H_

#include <sys/uio.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "flow/endpoint.h"
#include "flow/flow.h"
#include "flow/sys/errno_table.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

class ForwardingTransport : public Transport {
 public:
  // `name` is a literal.
  ForwardingTransport(absl::string_view name, std::unique_ptr<Transport> below)
      : name_(name), below_(std::move(below)) {}

  Attempt TryRead(absl::Span<const iovec> into) override {
    return below_->TryRead(into);
  }
  Attempt TryWrite(absl::Span<const iovec> from) override {
    return below_->TryWrite(from);
  }
  Attempt TryFlush() override { return below_->TryFlush(); }
  Attempt TryShutdown(ShutdownMode half) override;
  Attempt TryPeerEnd(PeerEnd at_least) override {
    return below_->TryPeerEnd(at_least);
  }
  void Abort() override { below_->Abort(); }
  absl::Status Close() override { return below_->Close(); }
  void CloseAfterFork() override { below_->CloseAfterFork(); }
  // The layer's own words, if the failure was its own; else those below.
  absl::Status last_error() const override;

  bool is_layer() const override { return true; }
  Attempt TryDrain(absl::Span<const iovec> scratch) override;

  bool can_read() const override { return below_->can_read(); }
  bool can_write() const override { return below_->can_write(); }
  bool abort_is_visible() const override { return below_->abort_is_visible(); }
  bool ends_are_visible() const override { return below_->ends_are_visible(); }
  int native_handle() const override { return below_->native_handle(); }
  int read_handle() const override { return below_->read_handle(); }
  int write_handle() const override { return below_->write_handle(); }
  absl::string_view read_name() const override { return below_->read_name(); }
  std::string layers() const override;
  Endpoint local() const override { return below_->local(); }
  Endpoint peer() const override { return below_->peer(); }

 protected:
  Transport& below() const { return *below_; }

  // A failure of the layer's own. `words` say the call ("write() failed: ...")
  // and the code.
  Attempt FailWith(absl::Status words, ErrorKind kind, ErrorScope scope)
      ABSL_LOCKS_EXCLUDED(mu_) {
    Tell(std::move(words));
    return Attempt::Failed(kind, scope);
  }
  // What last_error() is to give to this thread, about the failure that it is
  // being told. A layer that has asked below for words passes them on with it.
  void Tell(absl::Status words) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // What a thread that met a failure is about to ask for: both directions may
  // fail at once.
  struct Told {
    std::thread::id who;
    absl::Status words;
  };

  const absl::string_view name_;
  const std::unique_ptr<Transport> below_;
  mutable absl::Mutex mu_;
  mutable absl::InlinedVector<Told, 1> told_ ABSL_GUARDED_BY(mu_);
};

// What `below` waits with.
Syscalls* SyscallsOf(const Flow& below);

// `below` with a layer on it: `make` is given its transport and its syscalls.
// FAILED_PRECONDITION if `below` is in use or has ended on either side; it is
// then closed.
template <typename Make>
absl::StatusOr<Flow> Layered(Flow below, Make make) {
  Syscalls* const sys = SyscallsOf(below);
  absl::StatusOr<std::unique_ptr<Transport>> transport =
      below.ReleaseTransport();
  if (!transport.ok()) return transport.status();
  return Flow(make(*std::move(transport), sys), sys);
}

}  // namespace internal
}  // namespace flow

#endif  // FLOW_LAYERS_FORWARDING_H_
