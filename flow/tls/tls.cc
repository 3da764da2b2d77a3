#include "flow/tls/tls.h"

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "flow/or_eof.h"
#include "flow/tls/context.h"
#include "flow/tls/start.h"

namespace flow {
namespace internal {

// What the copies of a TlsServer share.
class TlsServerSlot {
 public:
  explicit TlsServerSlot(std::shared_ptr<TlsServerContext> context)
      : context_(std::move(context)) {}

  std::shared_ptr<TlsServerContext> Get() const {
    absl::MutexLock lock(&mu_);
    return context_;
  }
  void Set(std::shared_ptr<TlsServerContext> context) {
    absl::MutexLock lock(&mu_);
    context_.swap(context);
  }

 private:
  mutable absl::Mutex mu_;
  std::shared_ptr<TlsServerContext> context_ ABSL_GUARDED_BY(mu_);
};

namespace {

absl::StatusOr<TlsFlow> WaitFor(absl::StatusOr<TlsHandshake> handshake) {
  if (!handshake.ok()) return handshake.status();
  char byte = 0;
  const absl::StatusOr<OrEof<size_t>> done =
      handshake->flow.ReadInto(absl::MakeSpan(&byte, 1), handshake->limits);
  if (!done.ok()) return done.status();
  return FinishHandshake(std::move(handshake->flow));
}

}  // namespace
}  // namespace internal

TlsClient::TlsClient(std::shared_ptr<internal::TlsClientContext> context)
    : context_(std::move(context)) {}

absl::StatusOr<TlsClient> TlsClient::Create(const TlsClientOptions& options) {
  absl::StatusOr<std::shared_ptr<internal::TlsClientContext>> context =
      internal::TlsClientContext::Create(options);
  if (!context.ok()) return context.status();
  return TlsClient(*std::move(context));
}

size_t TlsClient::session_count() const { return context_->session_count(); }

TlsServer::TlsServer(std::shared_ptr<internal::TlsServerSlot> slot)
    : slot_(std::move(slot)) {}

absl::StatusOr<TlsServer> TlsServer::Create(const TlsServerOptions& options) {
  absl::StatusOr<std::shared_ptr<internal::TlsServerContext>> context =
      internal::TlsServerContext::Create(options);
  if (!context.ok()) return context.status();
  return TlsServer(
      std::make_shared<internal::TlsServerSlot>(*std::move(context)));
}

absl::Status TlsServer::Reload(const TlsServerOptions& options) {
  absl::StatusOr<std::shared_ptr<internal::TlsServerContext>> context =
      internal::TlsServerContext::Create(options);
  if (!context.ok()) return context.status();
  slot_->Set(*std::move(context));
  return absl::OkStatus();
}

std::shared_ptr<internal::TlsServerContext> TlsServer::context() const {
  return slot_->Get();
}

absl::StatusOr<TlsFlow> TlsConnect(Flow below, const TlsClient& client,
                                   absl::string_view server_name,
                                   const Limits& limits) {
  return internal::WaitFor(
      internal::StartConnect(std::move(below), client, server_name, limits));
}

absl::StatusOr<TlsFlow> TlsAccept(Flow below, const TlsServer& server,
                                  const Limits& limits) {
  return internal::WaitFor(
      internal::StartAccept(std::move(below), server, limits));
}

std::string TlsFlow::ToString() const {
  return absl::StrCat(flow.ToString(), "; ", facts.ToString());
}

std::string TlsClient::ToString() const {
  return context_ == nullptr
             ? "no TLS client"
             : absl::StrCat("TLS client, ", session_count(), " sessions");
}

std::string TlsServer::ToString() const {
  return slot_ == nullptr
             ? "no TLS server"
             : absl::StrCat("TLS server, ", context()->identity_count(),
                            " identities");
}

}  // namespace flow
