#include "flow/net/serve.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/changed_fields.h"
#include "flow/net/server_core.h"
#include "flow/status.h"

namespace flow {
namespace {

// Nothing that can be served with.
absl::Status Refusal(const ServeOptions& options) {
  const absl::Duration zero = absl::ZeroDuration();
  const char* wrong = nullptr;
  if (options.max_connections < 1) wrong = "max_connections must be positive";
  if (options.total_limit <= zero) wrong = "total_limit must be positive";
  if (options.idle_limit <= zero) wrong = "idle_limit must be positive";
  if (options.idle_bytes < 1) wrong = "idle_bytes must be positive";
  if (options.cut_grace < zero) wrong = "cut_grace must not be negative";
  return wrong == nullptr
             ? absl::OkStatus()
             : InvalidArgument(absl::StrCat("serve refused: ", wrong));
}

absl::Status InChild(absl::string_view operation) {
  return MakeStatus(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat(operation,
                   "() refused: the server is not in this forked child"),
      {});
}

ConnectionHandler OnConnections(ServeHandler handler) {
  if (!handler) return nullptr;
  return [handler = std::move(handler)](ServerConnection& connection) {
    return handler(connection.flow(), connection.cut());
  };
}

}  // namespace

// ----------------------------------------------------------- ServerConnection

Flow& ServerConnection::flow() const { return served_->flow(); }
const CancelToken& ServerConnection::cut() const { return served_->cut(); }
const CancelToken& ServerConnection::stopping() const {
  return served_->stopping();
}
uint64_t ServerConnection::id() const { return served_->id(); }
Flow ServerConnection::Take() { return served_->Take(); }
void ServerConnection::Replace(Flow flow) { served_->Replace(std::move(flow)); }

// --------------------------------------------------------------------- Server

absl::StatusOr<Server> Server::Start(Listener listener, ServeHandler handler,
                                     ServeOptions options) {
  return Start(std::move(listener), OnConnections(std::move(handler)),
               std::move(options));
}

absl::StatusOr<Server> Server::Start(Listener listener,
                                     ConnectionHandler handler,
                                     ServeOptions options) {
  if (absl::Status refused = Refusal(options); !refused.ok()) return refused;
  if (!handler) return InvalidArgument("serve refused: there is no handler");
  if (listener.closed()) {
    ErrorDetail detail;
    detail.kind = ErrorKind::kClosedLocally;
    detail.operation = "serve";
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "serve refused: the listener is closed", detail);
  }
  auto core = std::make_shared<internal::ServerCore>(
      std::move(listener), std::move(handler), std::move(options));
  if (absl::Status failed = core->Start(); !failed.ok()) return failed;
  return Server(std::move(core));
}

Server::Server(std::shared_ptr<internal::ServerCore> core)
    : core_(std::move(core)) {}

Server& Server::operator=(Server&& other) noexcept {
  if (this == &other) return *this;
  End();
  core_ = std::move(other.core_);
  return *this;
}

Server::~Server() { End(); }

void Server::End() {
  if (core_ == nullptr) return;
  if (core_->IsForeign()) {
    core_->CloseAfterFork();
    // Its locks may be held by threads that do not exist here.
    // NOLINTNEXTLINE(bugprone-unhandled-exception-at-new): ends the child then
    new std::shared_ptr<internal::ServerCore>(std::move(core_));
    return;
  }
  core_->BeginStop(MonoTime::Past());
  if (core_->IsHandler()) {
    core_->LetGo();
  } else {
    core_->AwaitEnd({}, "stop").IgnoreError();
  }
  core_ = nullptr;
}

absl::Status Server::Stop() {
  if (core_ == nullptr) return absl::OkStatus();
  if (core_->IsForeign()) return InChild("stop");
  core_->BeginStop();
  if (core_->IsHandler()) return absl::OkStatus();
  return core_->AwaitEnd({}, "stop");
}

absl::Status Server::Stop(MonoTime drained_by) {
  if (core_ == nullptr) return absl::OkStatus();
  if (core_->IsForeign()) return InChild("stop");
  core_->BeginStop(drained_by);
  if (core_->IsHandler()) return absl::OkStatus();
  return core_->AwaitEnd({}, "stop");
}

absl::Status Server::Wait(const Limits& limits) {
  if (core_ == nullptr) return absl::OkStatus();
  if (core_->IsForeign()) return InChild("wait");
  if (core_->IsHandler()) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      "wait() refused: a handler can't wait for its own server",
                      {});
  }
  return core_->AwaitEnd(limits, "wait");
}

bool Server::ended() const {
  return core_ == nullptr || (!core_->IsForeign() && core_->ended());
}

std::string Server::address() const {
  return core_ == nullptr ? "" : core_->listener().address();
}

uint16_t Server::port() const {
  return core_ == nullptr ? uint16_t{0} : core_->listener().port();
}

ServeStats Server::GetStats() const {
  return core_ == nullptr || core_->IsForeign() ? ServeStats()
                                                : core_->GetStats();
}

std::string Server::ToString() const {
  if (core_ == nullptr) return "no server";
  return absl::StrCat("server ", address(), ", ", GetStats().ToString());
}

std::string ServeStats::ToString() const {
  return absl::StrCat(active, " active (at most ", max_active, "), ", accepted,
                      " accepted, ", completed, " completed, ", failed,
                      " failed, ", threw, " threw, cut: ", cut_total,
                      " total, ", cut_idle, " idle, ", cut_drain, " drain, ",
                      threads, " threads, ", thread_failures,
                      " thread failures, ", listener.shortages, " shortages");
}

absl::Status Serve(Listener listener, ServeHandler handler,
                   ServeOptions options) {
  return Serve(std::move(listener), OnConnections(std::move(handler)),
               std::move(options));
}

absl::Status Serve(Listener listener, ConnectionHandler handler,
                   ServeOptions options) {
  absl::StatusOr<Server> server = Server::Start(
      std::move(listener), std::move(handler), std::move(options));
  return server.ok() ? server->Wait() : server.status();
}

std::string ServeOptions::ToString() const {
  const ServeOptions usual;
  return internal::ChangedFields()
      .Add("max_connections", max_connections, usual.max_connections)
      .Add("total_limit", total_limit, usual.total_limit)
      .Add("idle_limit", idle_limit, usual.idle_limit)
      .Add("idle_bytes", idle_bytes, usual.idle_bytes)
      .Add("cut_grace", cut_grace, usual.cut_grace)
      .Nest("stop", stop.ToString(), usual.stop.ToString())
      .Add("drain", drain, usual.drain)
      .Add("end_reads_at_stop", end_reads_at_stop, usual.end_reads_at_stop)
      .Add("linger", linger, usual.linger)
      .Given("prepare", prepare != nullptr)
      .Given("on_failure", on_failure != nullptr)
      .Add("thread_linger", thread_linger, usual.thread_linger)
      .Given("sys", sys != nullptr)
      .Text();
}

std::string ServerConnection::ToString() const {
  return absl::StrCat("connection ", id(), ": ", flow().ToString());
}

}  // namespace flow
