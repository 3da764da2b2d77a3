#include "flow/net/async_listener.h"

#include <utility>

#include "absl/types/span.h"
#include "flow/async_access.h"
#include "flow/async_calls.h"
#include "flow/async_home.h"
#include "flow/async_jobs.h"
#include "flow/async_op.h"
#include "flow/async_sink.h"
#include "flow/core.h"
#include "flow/flow.h"
#include "flow/net/acceptor.h"
#include "flow/net/listener_facts.h"

namespace flow {
namespace {

using internal::AcceptedRecord;
using internal::AsyncAccess;
using internal::AsyncCore;
using internal::AsyncReadInto;
using internal::ListenerFacts;
using internal::Sink;

using Result = AsyncListener::AcceptResult;

// Reads one record. The sink owns it, and so whatever was accepted.
void StartAccept(const std::shared_ptr<AsyncCore>& core,
                 const std::shared_ptr<const ListenerFacts>& facts,
                 const Limits& limits, Sink<Result> sink) {
  if (core == nullptr) {
    return std::move(sink)(internal::NoFlowStatus("accept"));
  }
  auto record = std::make_unique<AcceptedRecord>();
  const auto into = absl::MakeSpan(reinterpret_cast<char*>(record.get()),
                                   sizeof(AcceptedRecord));
  internal::StartReadInto(
      core, into, limits,
      [record = std::move(record), facts, home = core->home(),
       sink = std::move(sink)](const AsyncReadInto::Result& got) mutable {
        absl::StatusOr<Flow> flow = facts->Accepted(*record, got.status());
        std::move(sink)(flow.ok()
                            ? Result(AsyncAccess::Make(*std::move(flow), home))
                            : Result(flow.status()));
      });
}

}  // namespace

absl::StatusOr<AsyncListener> AsyncListener::From(Listener&& listener,
                                                  AsyncContext& context) {
  absl::StatusOr<AsyncFlow> flow =
      AsyncFlow::From(std::move(listener.flow_), context);
  if (!flow.ok()) return flow.status();
  AsyncListener async;
  async.flow_ = *std::move(flow);
  async.facts_ = std::move(listener.facts_);
  return async;
}

absl::StatusOr<Listener> AsyncListener::Release() {
  absl::StatusOr<Flow> flow = flow_.Release();
  if (!flow.ok()) return flow.status();
  Listener listener;
  listener.flow_ = *std::move(flow);
  listener.facts_ = std::move(facts_);
  return listener;
}

std::future<Result> AsyncListener::Accept(const Limits& limits) {
  std::future<Result> future;
  StartAccept(AsyncAccess::CoreOf(flow_), facts_, limits,
              internal::ToPromise(future));
  return future;
}

void AsyncListener::Accept(const Limits& limits,
                           AsyncFlow::Callback<Result> done) {
  const std::shared_ptr<AsyncCore>& core = AsyncAccess::CoreOf(flow_);
  StartAccept(core, facts_, limits,
              core == nullptr
                  ? internal::ToCallbackHere(std::move(done))
                  : internal::ToCallback(core->home(), std::move(done)));
}

std::string AsyncListener::address() const {
  return facts_ == nullptr ? "" : facts_->address();
}

std::vector<std::string> AsyncListener::addresses() const {
  return facts_ == nullptr ? std::vector<std::string>() : facts_->addresses();
}

uint16_t AsyncListener::port() const {
  return facts_ == nullptr ? uint16_t{0} : facts_->port();
}

ListenerStats AsyncListener::GetStats() const {
  return facts_ == nullptr ? ListenerStats() : facts_->GetStats();
}

std::string AsyncListener::ToString() const {
  return facts_ == nullptr ? "no listener" : facts_->ToString();
}

}  // namespace flow
