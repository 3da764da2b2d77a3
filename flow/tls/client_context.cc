#include <openssl/ssl.h>

#include <string>
#include <utility>

#include "flow/status.h"
#include "flow/tls/context.h"
#include "flow/tls/failure.h"
#include "flow/tls/names.h"

namespace flow {
namespace internal {
namespace {

// SSL_set_tlsext_host_name without its C casts.
bool SendName(SSL* ssl, std::string name) {
  return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                  name.data()) == 1;
}

}  // namespace

TlsClientContext::TlsClientContext(const TlsClientOptions& options)
    : any_certificate_(options.insecurely_accept_any_certificate),
      any_name_(options.insecurely_accept_any_server_name ||
                options.insecurely_accept_any_certificate) {
  if (options.max_sessions > 0) {
    sessions_ = std::make_unique<TlsSessionCache>(options.max_sessions);
  }
}

absl::StatusOr<std::shared_ptr<TlsClientContext>> TlsClientContext::Create(
    const TlsClientOptions& options) {
  std::shared_ptr<TlsClientContext> context(new TlsClientContext(options));
  absl::Status set = context->Set(options);
  ClearTlsErrors();
  if (!set.ok()) return set;
  return context;
}

absl::Status TlsClientContext::Set(const TlsClientOptions& options) {
  if (absl::Status s = common_.Set(options); !s.ok()) return s;
  SSL_CTX* const ctx = common_.ssl.get();
  if (!any_certificate_) {
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NoteVerification);
    if (options.roots.empty()) {
      if (SSL_CTX_set_default_verify_paths(ctx) != 1) {
        return TakeLoadFailure("the system's roots can't be used");
      }
    } else if (absl::Status s = TrustOnly(ctx, options.roots, "roots");
               !s.ok()) {
      return s;
    }
  }
  if (!options.identity.chain.empty() || !options.identity.key.empty()) {
    absl::StatusOr<LoadedIdentity> identity =
        LoadIdentity(options.identity, "identity");
    if (!identity.ok()) return identity.status();
    if (absl::Status s = UseIdentity(ctx, *identity); !s.ok()) return s;
  }
  // This one of OpenSSL's says 0 for success.
  if (!common_.alpn.empty() &&
      SSL_CTX_set_alpn_protos(
          ctx, reinterpret_cast<const unsigned char*>(common_.alpn.data()),
          static_cast<unsigned int>(common_.alpn.size())) != 0) {
    return TakeLoadFailure("alpn can't be set");
  }
  if (sessions_ == nullptr) {
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    return absl::OkStatus();
  }
  SSL_CTX_set_session_cache_mode(
      ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(ctx, KeepSession);
  return absl::OkStatus();
}

int TlsClientContext::KeepSession(SSL* ssl, SSL_SESSION* session) {
  TlsConnection* const connection = TlsConnection::Of(ssl);
  if (connection == nullptr || connection->sessions == nullptr) return 0;
  connection->sessions->Put(connection->expected_name,
                            UniqueSslSession(session));
  return 1;  // taken over
}

absl::Status TlsClientContext::Check(absl::string_view server_name) const {
  if (server_name.empty()) {
    if (any_name_) return absl::OkStatus();
    return InvalidArgument(
        "a TLS client must know the name of its server, or say "
        "insecurely_accept_any_server_name");
  }
  return ParseServerName(server_name).status();
}

absl::StatusOr<std::unique_ptr<TlsEngine>> TlsClientContext::Connect(
    std::unique_ptr<Transport> below, absl::string_view server_name) {
  if (absl::Status s = Check(server_name); !s.ok()) return s;
  ClearTlsErrors();
  UniqueSsl ssl(SSL_new(common_.ssl.get()));
  if (ssl == nullptr) return TakeLoadFailure("no TLS connection can be made");
  SSL_set_connect_state(ssl.get());
  auto connection = std::make_unique<TlsConnection>();
  connection->AttachTo(ssl.get());
  connection->context = shared_from_this();
  connection->sessions = sessions_.get();
  if (!server_name.empty()) {
    absl::StatusOr<ServerName> name = ParseServerName(server_name);
    if (!name.ok()) return name.status();
    if (!name->is_address && !SendName(ssl.get(), name->text)) {
      return TakeLoadFailure("the server's name can't be sent");
    }
    if (!any_name_) {
      if (absl::Status s = ExpectName(ssl.get(), *name); !s.ok()) return s;
    }
    connection->expected_name = name->text;
  }
  if (sessions_ != nullptr) {
    const UniqueSslSession session = sessions_->Take(connection->expected_name);
    if (session != nullptr) SSL_set_session(ssl.get(), session.get());
  }
  auto engine = std::make_unique<TlsEngine>(
      std::move(below), std::move(ssl), std::move(connection), common_.engine);
  ClearTlsErrors();
  return engine;
}

}  // namespace internal
}  // namespace flow
