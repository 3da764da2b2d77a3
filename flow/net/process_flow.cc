// A flow that owns a program (SpawnFlow, IntoFlow of flow/net/subprocess.h).

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/endpoint.h"
#include "flow/flow.h"
#include "flow/net/child_process.h"
#include "flow/net/subprocess.h"
#include "flow/net/subprocess_access.h"
#include "flow/transport.h"

namespace flow {
namespace {

using internal::ChildProcess;
using internal::SubprocessAccess;

// The transport of a program's streams, which it hands all calls to, and the
// program, which goes when they are closed.
class ProcessTransport final : public Transport {
 public:
  ProcessTransport(std::unique_ptr<Transport> streams,
                   std::shared_ptr<ChildProcess> child, bool kill)
      : streams_(std::move(streams)), child_(std::move(child)), kill_(kill) {}
  ~ProcessTransport() override { Drop(); }

  Attempt TryRead(absl::Span<const iovec> into) override {
    return streams_->TryRead(into);
  }
  Attempt TryWrite(absl::Span<const iovec> from) override {
    return streams_->TryWrite(from);
  }
  Attempt TryFlush() override { return streams_->TryFlush(); }
  Attempt TryShutdown(ShutdownMode half) override {
    return streams_->TryShutdown(half);
  }
  Attempt TryPeerEnd(PeerEnd at_least) override {
    return streams_->TryPeerEnd(at_least);
  }
  void Abort() override {
    streams_->Abort();
    kill_.store(true);
  }
  absl::Status Close() override {
    const absl::Status closed = streams_->Close();
    Drop();
    return closed;
  }
  void CloseAfterFork() override { streams_->CloseAfterFork(); }
  absl::Status last_error() const override { return streams_->last_error(); }

  bool can_read() const override { return streams_->can_read(); }
  bool can_write() const override { return streams_->can_write(); }
  bool ends_are_visible() const override {
    return streams_->ends_are_visible();
  }
  bool PollIsTruth() const override { return streams_->PollIsTruth(); }
  int native_handle() const override { return streams_->native_handle(); }
  int read_handle() const override { return streams_->read_handle(); }
  int write_handle() const override { return streams_->write_handle(); }
  Endpoint local() const override { return streams_->local(); }
  Endpoint peer() const override { return streams_->peer(); }

 private:
  void Drop() {
    if (child_ == nullptr) return;
    ChildProcess::Abandon(std::move(child_), kill_.load());
  }

  const std::unique_ptr<Transport> streams_;
  std::shared_ptr<ChildProcess> child_;
  std::atomic<bool> kill_;
};

}  // namespace

absl::StatusOr<Flow> IntoFlow(Subprocess process) {
  Syscalls* const sys = process.stdio_flow().syscalls();
  absl::StatusOr<std::unique_ptr<Transport>> streams =
      process.stdio_flow().ReleaseTransport();
  if (!streams.ok()) return streams.status();
  const bool kill = SubprocessAccess::KillsOnClose(process);
  return Flow(
      std::make_unique<ProcessTransport>(
          *std::move(streams), SubprocessAccess::TakeChild(process), kill),
      sys);
}

absl::StatusOr<Flow> SpawnFlow(const std::vector<std::string>& argv,
                               const SpawnOptions& options) {
  SpawnOptions duplex = options;
  duplex.duplex = true;
  absl::StatusOr<Subprocess> process = Spawn(argv, duplex);
  if (!process.ok()) return process.status();
  return IntoFlow(*std::move(process));
}

}  // namespace flow
