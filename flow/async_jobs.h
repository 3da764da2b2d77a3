// File: async_jobs.h (internal)
//
// The operations of AsyncFlow: for each, what it owns, what it does
// (flow/job.h), and how its result is told.

#ifndef FLOW_ASYNC_JOBS_H_
#define FLOW_ASYNC_JOBS_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/aside.h"
#include "flow/async_op.h"
#include "flow/async_sink.h"
#include "flow/buffer.h"
#include "flow/job.h"
#include "flow/or_eof.h"
#include "flow/pieces.h"
#include "flow/poller.h"
#include "flow/transport.h"
#include "flow/watch.h"

namespace flow {
namespace internal {

// Read: a fresh buffer.
class AsyncRead final : public AsyncOp {
 public:
  using Result = absl::StatusOr<OrEof<Buffer>>;
  AsyncRead(const std::shared_ptr<AsyncCore>& flow, const Limits& limits,
            Sink<Result> sink)
      : AsyncOp(flow, Role::kRead, limits, flow->core().read_name(), 0),
        sink_(std::move(sink)) {}

 private:
  Job& job() override;
  void Deliver(bool done) override;

  FreshReadJob job_;
  Sink<Result> sink_;
};

// ReadInto: the caller's memory. An empty span asks for the state alone.
class AsyncReadInto final : public AsyncOp {
 public:
  using Result = absl::StatusOr<OrEof<size_t>>;
  AsyncReadInto(const std::shared_ptr<AsyncCore>& flow, absl::Span<char> into,
                const Limits& limits, Sink<Result> sink)
      : AsyncOp(flow, Role::kRead, limits, flow->core().read_name(), 0),
        job_(into),
        sink_(std::move(sink)) {}

 private:
  Job& job() override { return job_; }
  void Deliver(bool done) override;

  ReadJob job_;
  Sink<Result> sink_;
};

// Write of what lies in one piece, which is all that it owns.
template <typename Bytes>
class AsyncWriteOf final : public AsyncOp {
 public:
  AsyncWriteOf(std::shared_ptr<AsyncCore> flow, Bytes bytes,
               const Limits& limits, Sink<absl::Status> sink)
      : AsyncOp(std::move(flow), Role::kWrite, limits, "write", bytes.size()),
        bytes_(std::move(bytes)),
        job_(ViewOf(bytes_)),
        sink_(std::move(sink)) {}

 private:
  static absl::string_view ViewOf(const std::string& bytes) { return bytes; }
  static absl::string_view ViewOf(const Buffer& bytes) { return bytes.view(); }

  Job& job() override { return job_; }
  void Deliver(bool done) override {
    std::move(sink_)(done ? absl::OkStatus() : status());
  }

  const Bytes bytes_;  // not moved once `job_` points into it
  WriteViewJob job_;
  Sink<absl::Status> sink_;
};

// What a Write of several pieces owns until it is done.
struct OwnedBytes {
  std::vector<std::string> strings;
  absl::Cord cord;
  std::vector<absl::string_view> views;  // of strings

  void ViewStrings();
  uint64_t size() const;
};

class AsyncWrite final : public AsyncOp {
 public:
  AsyncWrite(std::shared_ptr<AsyncCore> flow, std::unique_ptr<OwnedBytes> bytes,
             const Limits& limits, Sink<absl::Status> sink);

 private:
  Job& job() override { return *job_; }
  void Deliver(bool done) override;

  const std::unique_ptr<const OwnedBytes> bytes_;
  const std::unique_ptr<Pieces> pieces_;
  std::vector<iovec> space_;
  const std::unique_ptr<WriteJob> job_;
  Sink<absl::Status> sink_;
};

// WriteSome: one step.
class AsyncWriteSome final : public AsyncOp {
 public:
  using Result = absl::StatusOr<size_t>;
  AsyncWriteSome(std::shared_ptr<AsyncCore> flow, std::string bytes,
                 const Limits& limits, Sink<Result> sink)
      : AsyncOp(std::move(flow), Role::kWrite, limits, "write", bytes.size()),
        bytes_(std::move(bytes)),
        job_(bytes_),
        sink_(std::move(sink)) {}

 private:
  Job& job() override { return job_; }
  void Deliver(bool done) override;

  const std::string bytes_;
  WriteSomeJob job_;
  Sink<Result> sink_;
};

// Shutdown(kWrite).
class AsyncShutdown final : public AsyncOp {
 public:
  AsyncShutdown(std::shared_ptr<AsyncCore> flow, const Limits& limits,
                Sink<absl::Status> sink)
      : AsyncOp(std::move(flow), Role::kShutdown, limits, "shutdown", 0),
        sink_(std::move(sink)) {}

 private:
  Job& job() override { return job_; }
  void Deliver(bool done) override;

  ShutdownJob job_;
  Sink<absl::Status> sink_;
};

// Reads and drops until the end; see DrainJob.
class AsyncDrain final : public AsyncOp {
 public:
  AsyncDrain(std::shared_ptr<AsyncCore> flow, bool below, uint64_t at_most,
             const Limits& limits, Sink<absl::Status> sink)
      : AsyncOp(std::move(flow), Role::kDrain, limits, "close", 0),
        job_(below, at_most),
        sink_(std::move(sink)) {}

 private:
  Job& job() override { return job_; }
  void Deliver(bool done) override;

  DrainJob job_;
  Sink<absl::Status> sink_;
};

// Waits until the transport is closed, for at most 100 ms. Destroys itself.
class AsyncClose final : public Parked {
 public:
  static void Start(const std::shared_ptr<AsyncCore>& flow, bool abort,
                    Sink<absl::Status> sink);
  void OnReady() override;

 private:
  AsyncClose(std::shared_ptr<AsyncCore> flow, Aside told,
             Sink<absl::Status> sink);

  const std::shared_ptr<AsyncCore> flow_;
  Sink<absl::Status> sink_;
  const MonoTime give_up_;
  Aside told_;
};

// Waits for the peer's end, without a direction. Destroys itself.
class AsyncPeerEnd final : public Parked {
 public:
  using Result = absl::StatusOr<PeerEnd>;
  static void Start(const std::shared_ptr<AsyncCore>& flow, PeerEnd at_least,
                    const Limits& limits, Sink<Result> sink);
  void OnReady() override;

 private:
  AsyncPeerEnd(std::shared_ptr<AsyncCore> flow, PeerEnd at_least,
               const Limits& limits, Sink<Result> sink);

  void Look();
  void Finish(Result result);

  const std::shared_ptr<AsyncCore> flow_;
  const Limits limits_;
  Sink<Result> sink_;
  std::optional<Watch> watch_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_ASYNC_JOBS_H_
