#include "flow/async_calls.h"

#include <limits>
#include <memory>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "flow/core.h"
#include "flow/reading.h"
#include "flow/shutting.h"
#include "flow/writing.h"

namespace flow {
namespace internal {

// --------------------------------------------------------------------- reading

void StartRead(const AsyncFlowPtr& flow, const Limits& limits,
               Sink<AsyncRead::Result> sink) {
  if (flow == nullptr) return std::move(sink)(NoFlowStatus("read"));
  flow->Submit(std::make_unique<AsyncRead>(flow, limits, std::move(sink)));
}

void StartReadInto(const AsyncFlowPtr& flow, absl::Span<char> into,
                   const Limits& limits, Sink<AsyncReadInto::Result> sink) {
  if (flow == nullptr) return std::move(sink)(NoFlowStatus("read"));
  if (absl::Status refusal = flow->Refusal(); !refusal.ok()) {
    return std::move(sink)(refusal);
  }
  // Nothing to wait for: the blocking form answers at once, also with what is
  // wrong about `into`.
  if (into.empty() || into.data() == nullptr ||
      into.size() > std::numeric_limits<ssize_t>::max()) {
    return std::move(sink)(LookForRead(flow->core(), into.size(), limits));
  }
  flow->Submit(
      std::make_unique<AsyncReadInto>(flow, into, limits, std::move(sink)));
}

// --------------------------------------------------------------------- writing

namespace {

// `Operation` is made of `bytes`, `size` long.
template <typename Operation, typename Bytes>
void StartWriteAs(const AsyncFlowPtr& flow, Bytes bytes, uint64_t size,
                  const Limits& limits, Sink<absl::Status> sink) {
  if (flow == nullptr) return std::move(sink)(NoFlowStatus("write"));
  if (absl::Status refusal = flow->Refusal(); !refusal.ok()) {
    return std::move(sink)(refusal);
  }
  if (size == 0) return std::move(sink)(WriteNothing(flow->core(), limits));
  flow->Submit(std::make_unique<Operation>(flow, std::move(bytes), limits,
                                           std::move(sink)));
}

}  // namespace

void StartWrite(const AsyncFlowPtr& flow, std::unique_ptr<OwnedBytes> bytes,
                const Limits& limits, Sink<absl::Status> sink) {
  const uint64_t size = bytes->size();
  StartWriteAs<AsyncWrite>(flow, std::move(bytes), size, limits,
                           std::move(sink));
}

void StartWrite(const AsyncFlowPtr& flow, std::string bytes,
                const Limits& limits, Sink<absl::Status> sink) {
  const uint64_t size = bytes.size();
  StartWriteAs<AsyncWriteOf<std::string>>(flow, std::move(bytes), size, limits,
                                          std::move(sink));
}

void StartWrite(const AsyncFlowPtr& flow, Buffer bytes, const Limits& limits,
                Sink<absl::Status> sink) {
  const uint64_t size = bytes.size();
  StartWriteAs<AsyncWriteOf<Buffer>>(flow, std::move(bytes), size, limits,
                                     std::move(sink));
}

void StartWriteSome(const AsyncFlowPtr& flow, std::string bytes,
                    const Limits& limits, Sink<AsyncWriteSome::Result> sink) {
  if (flow == nullptr) return std::move(sink)(NoFlowStatus("write"));
  if (absl::Status refusal = flow->Refusal(); !refusal.ok()) {
    return std::move(sink)(refusal);
  }
  if (bytes.empty()) {
    return std::move(sink)(WriteOneStep(flow->core(), bytes, limits));
  }
  flow->Submit(std::make_unique<AsyncWriteSome>(flow, std::move(bytes), limits,
                                                std::move(sink)));
}

std::unique_ptr<OwnedBytes> Own(std::vector<std::string> strings) {
  auto bytes = std::make_unique<OwnedBytes>();
  bytes->strings = std::move(strings);
  bytes->ViewStrings();
  return bytes;
}

std::unique_ptr<OwnedBytes> Own(absl::Cord cord) {
  auto bytes = std::make_unique<OwnedBytes>();
  bytes->cord = std::move(cord);
  return bytes;
}

// ------------------------------------------------------------------- shutting

namespace {

// The last part of an operation that is made of several: it is outstanding
// until now.
Sink<absl::Status> Last(const AsyncFlowPtr& flow, Sink<absl::Status> sink) {
  return [hold = AsyncCore::Hold(flow),
          sink = std::move(sink)](absl::Status status) mutable {
    hold.Reset();
    std::move(sink)(std::move(status));
  };
}

// What a Shutdown does last: a layer whose both sides are shut closes the flow
// below, in order.
void CloseBelowThen(const AsyncFlowPtr& flow, const Limits& limits,
                    absl::Status status, Sink<absl::Status> sink) {
  Core& core = flow->core();
  if (!core.is_layer() || !core.state().BothSidesEnded()) {
    return std::move(sink)(std::move(status));
  }
  Sink<absl::Status> then =
      [flow, status, sink = std::move(sink)](const absl::Status&) mutable {
        RetireLayer(flow->core());
        std::move(sink)(std::move(status));
      };
  if (core.state().read_end() != ReadEnd::kOpen) {
    return std::move(then)(absl::OkStatus());
  }
  flow->Submit(std::make_unique<AsyncDrain>(
      flow, /*below=*/true, kBelowBytes,
      limits.Within(core.sys()->Now() + kBelowWait), std::move(then)));
}

}  // namespace

void StartShutdown(const AsyncFlowPtr& flow, ShutdownMode mode,
                   const Limits& limits, Sink<absl::Status> sink) {
  if (flow == nullptr) return std::move(sink)(absl::OkStatus());
  if (absl::Status refusal = flow->Refusal(); !refusal.ok()) {
    return std::move(sink)(refusal);
  }
  if (absl::Status s = LimitsOfShutdown(flow->core(), mode, limits); !s.ok()) {
    return std::move(sink)(std::move(s));
  }
  Sink<absl::Status> then = [flow, limits, last = Last(flow, std::move(sink))](
                                absl::Status status) mutable {
    CloseBelowThen(flow, limits, std::move(status), std::move(last));
  };
  if (mode != ShutdownMode::kWrite) ShutRead(flow->core());
  if (mode == ShutdownMode::kRead) return std::move(then)(absl::OkStatus());
  flow->Submit(std::make_unique<AsyncShutdown>(flow, limits, std::move(then)));
}

void StartClose(const AsyncFlowPtr& flow, bool abort, Sink<absl::Status> sink) {
  if (flow == nullptr) return std::move(sink)(absl::OkStatus());
  AsyncClose::Start(flow, abort, std::move(sink));
}

void StartCloseGracefully(const AsyncFlowPtr& flow, const Limits& limits,
                          Sink<absl::Status> sink) {
  if (flow == nullptr) return std::move(sink)(absl::OkStatus());
  if (flow->poller().in_forked_child()) return std::move(sink)(flow->Refusal());
  // Shutdown(kWrite), then drain, then Close.
  const auto farewell = std::make_shared<Farewell>(flow->core());
  absl::AnyInvocable<void()&&> close =
      [flow, farewell, last = Last(flow, std::move(sink))]() mutable {
        StartClose(flow, /*abort=*/false,
                   [farewell, last = std::move(last)](
                       const absl::Status& closed) mutable {
                     std::move(last)(farewell->Result(closed));
                   });
      };
  flow->Submit(std::make_unique<AsyncShutdown>(
      flow, limits,
      [flow, farewell, limits,
       close = std::move(close)](absl::Status shut) mutable {
        if (!farewell->WaitsForPeer(flow->core(), std::move(shut))) {
          return std::move(close)();
        }
        flow->Submit(std::make_unique<AsyncDrain>(
            flow, /*below=*/false, std::numeric_limits<uint64_t>::max(), limits,
            [flow, farewell,
             close = std::move(close)](absl::Status drained) mutable {
              farewell->Drained(flow->core(), std::move(drained));
              std::move(close)();
            }));
      }));
}

void StartWaitPeerEnd(const AsyncFlowPtr& flow, PeerEnd at_least,
                      const Limits& limits, Sink<AsyncPeerEnd::Result> sink) {
  if (flow == nullptr) return std::move(sink)(NoFlowStatus("wait_peer_end"));
  AsyncPeerEnd::Start(flow, at_least, limits, std::move(sink));
}

}  // namespace internal
}  // namespace flow
