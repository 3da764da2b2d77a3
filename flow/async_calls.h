// File: async_calls.h (internal)
//
// The calls of AsyncFlow: of which operations (flow/async_jobs.h) each is made,
// and what is answered without one. Each sink is told once.

#ifndef FLOW_ASYNC_CALLS_H_
#define FLOW_ASYNC_CALLS_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/types/span.h"
#include "flow/async_jobs.h"
#include "flow/async_op.h"
#include "flow/async_sink.h"
#include "flow/buffer.h"
#include "flow/limits.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

// `flow` may be null in all of these.
using AsyncFlowPtr = std::shared_ptr<AsyncCore>;

void StartRead(const AsyncFlowPtr& flow, const Limits& limits,
               Sink<AsyncRead::Result> sink);
void StartReadInto(const AsyncFlowPtr& flow, absl::Span<char> into,
                   const Limits& limits, Sink<AsyncReadInto::Result> sink);
void StartWrite(const AsyncFlowPtr& flow, std::unique_ptr<OwnedBytes> bytes,
                const Limits& limits, Sink<absl::Status> sink);
void StartWrite(const AsyncFlowPtr& flow, std::string bytes,
                const Limits& limits, Sink<absl::Status> sink);
void StartWrite(const AsyncFlowPtr& flow, Buffer bytes, const Limits& limits,
                Sink<absl::Status> sink);
void StartWriteSome(const AsyncFlowPtr& flow, std::string bytes,
                    const Limits& limits, Sink<AsyncWriteSome::Result> sink);
void StartShutdown(const AsyncFlowPtr& flow, ShutdownMode mode,
                   const Limits& limits, Sink<absl::Status> sink);
void StartCloseGracefully(const AsyncFlowPtr& flow, const Limits& limits,
                          Sink<absl::Status> sink);
void StartClose(const AsyncFlowPtr& flow, bool abort, Sink<absl::Status> sink);
void StartWaitPeerEnd(const AsyncFlowPtr& flow, PeerEnd at_least,
                      const Limits& limits, Sink<AsyncPeerEnd::Result> sink);

// What a Write of several pieces owns.
std::unique_ptr<OwnedBytes> Own(std::vector<std::string> strings);
std::unique_ptr<OwnedBytes> Own(absl::Cord cord);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_ASYNC_CALLS_H_
