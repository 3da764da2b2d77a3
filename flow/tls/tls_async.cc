#include "flow/tls/tls_async.h"

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "flow/async_flow.h"
#include "flow/or_eof.h"
#include "flow/tls/start.h"

namespace flow {
namespace {

using Result = absl::StatusOr<TlsFlow>;

// A handshake under way. Its flow keeps nothing alive but itself, so the
// callback owns this.
struct Waiting {
  AsyncFlow flow;
  char byte = 0;
  TlsCallback done;
};

Result Finish(AsyncFlow& flow, const absl::StatusOr<OrEof<size_t>>& read) {
  if (!read.ok()) return read.status();
  absl::StatusOr<Flow> back = flow.Release();
  if (!back.ok()) return back.status();
  return internal::FinishHandshake(*std::move(back));
}

void Run(absl::StatusOr<internal::TlsHandshake> handshake,
         AsyncContext& context, TlsCallback done) {
  if (!handshake.ok()) return std::move(done)(handshake.status());
  absl::StatusOr<AsyncFlow> flow =
      AsyncFlow::From(std::move(handshake->flow), context);
  if (!flow.ok()) return std::move(done)(flow.status());
  auto waiting = std::make_unique<Waiting>();
  waiting->flow = *std::move(flow);
  waiting->done = std::move(done);
  Waiting& w = *waiting;
  w.flow.ReadInto(absl::MakeSpan(&w.byte, 1), handshake->limits,
                  [waiting = std::move(waiting)](
                      const absl::StatusOr<OrEof<size_t>>& read) mutable {
                    Result result = Finish(waiting->flow, read);
                    TlsCallback tell = std::move(waiting->done);
                    // Closed before the caller is told of a failure.
                    waiting.reset();
                    std::move(tell)(std::move(result));
                  });
}

TlsCallback Fulfil(std::future<Result>& future) {
  std::promise<Result> promise;
  future = promise.get_future();
  return [promise = std::move(promise)](Result result) mutable {
    promise.set_value(std::move(result));
  };
}

}  // namespace

std::future<Result> TlsConnect(Flow below, const TlsClient& client,
                               absl::string_view server_name,
                               AsyncContext& context, const Limits& limits) {
  std::future<Result> future;
  TlsConnect(std::move(below), client, server_name, context, limits,
             Fulfil(future));
  return future;
}

void TlsConnect(Flow below, const TlsClient& client,
                absl::string_view server_name, AsyncContext& context,
                const Limits& limits, TlsCallback done) {
  Run(internal::StartConnect(std::move(below), client, server_name, limits),
      context, std::move(done));
}

std::future<Result> TlsAccept(Flow below, const TlsServer& server,
                              AsyncContext& context, const Limits& limits) {
  std::future<Result> future;
  TlsAccept(std::move(below), server, context, limits, Fulfil(future));
  return future;
}

void TlsAccept(Flow below, const TlsServer& server, AsyncContext& context,
               const Limits& limits, TlsCallback done) {
  Run(internal::StartAccept(std::move(below), server, limits), context,
      std::move(done));
}

}  // namespace flow
