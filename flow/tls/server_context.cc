#include <openssl/ssl.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/status.h"
#include "flow/tls/context.h"
#include "flow/tls/failure.h"
#include "flow/tls/names.h"

namespace flow {
namespace internal {

absl::StatusOr<std::shared_ptr<TlsServerContext>> TlsServerContext::Create(
    const TlsServerOptions& options) {
  std::shared_ptr<TlsServerContext> context(new TlsServerContext());
  absl::Status set = context->Set(options);
  ClearTlsErrors();
  if (!set.ok()) return set;
  return context;
}

absl::Status TlsServerContext::Set(const TlsServerOptions& options) {
  if (absl::Status s = common_.Set(options); !s.ok()) return s;
  SSL_CTX* const ctx = common_.ssl.get();
  if (options.identities.empty()) {
    return InvalidArgument("identities: a TLS server needs a certificate");
  }
  for (size_t i = 0; i < options.identities.size(); ++i) {
    absl::StatusOr<LoadedIdentity> loaded = LoadIdentity(
        options.identities[i], absl::StrCat("identities[", i, "]"));
    if (!loaded.ok()) return loaded.status();
    identities_.push_back(*std::move(loaded));
  }
  if (absl::Status s = UseIdentity(ctx, identities_[0]); !s.ok()) return s;
  SSL_CTX_set_cert_cb(ctx, ChooseIdentity, this);
  if (!common_.alpn.empty()) {
    SSL_CTX_set_alpn_select_cb(ctx, ChooseProtocol, this);
  }
  if (options.session_tickets < 0) {
    return InvalidArgument("session_tickets must not be negative");
  }
  // A client resumes with a ticket or not at all: nothing is kept here.
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ctx, static_cast<size_t>(options.session_tickets));
  if (options.session_tickets == 0) SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
  return SetClientVerification(options);
}

absl::Status TlsServerContext::SetClientVerification(
    const TlsServerOptions& options) const {
  SSL_CTX* const ctx = common_.ssl.get();
  if (options.client_certificate == TlsClientCertificate::kNone) {
    return absl::OkStatus();
  }
  if (absl::Status s = TrustOnly(ctx, options.client_roots, "client_roots");
      !s.ok()) {
    return s;
  }
  // Tells clients whose certificates are wanted.
  absl::StatusOr<std::vector<UniqueX509>> roots =
      LoadCertificates(options.client_roots, "client_roots");
  if (!roots.ok()) return roots.status();
  for (const UniqueX509& root : *roots) {
    if (SSL_CTX_add_client_CA(ctx, root.get()) != 1) {
      return TakeLoadFailure("bad root in client_roots");
    }
  }
  int mode = SSL_VERIFY_PEER;
  if (options.client_certificate == TlsClientCertificate::kRequired) {
    mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  }
  SSL_CTX_set_verify(ctx, mode, NoteVerification);
  // OpenSSL resumes sessions with client certificates only within a context
  // that has a name. Tickets of another server object can't be read anyway.
  static constexpr unsigned char kName[] = "flow";
  SSL_CTX_set_session_id_context(ctx, kName, sizeof(kName) - 1);
  return absl::OkStatus();
}

int TlsServerContext::ChooseIdentity(SSL* ssl, void* context) {
  const auto& self = *static_cast<const TlsServerContext*>(context);
  if (self.identities_.size() == 1) return 1;
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return 1;
  for (const LoadedIdentity& identity : self.identities_) {
    if (!IsFor(identity.chain[0].get(), name)) continue;
    // One of another type of key would only stand beside the first, and the
    // client's taste in types would choose between the names.
    SSL_certs_clear(ssl);
    const bool used = UseIdentity(ssl, identity).ok();
    ClearTlsErrors();
    return used ? 1 : 0;
  }
  return 1;
}

int TlsServerContext::ChooseProtocol(SSL* /*ssl*/, const unsigned char** chosen,
                                     unsigned char* length,
                                     const unsigned char* offered,
                                     unsigned int offered_length,
                                     void* context) {
  const std::string& ours =
      static_cast<const TlsServerContext*>(context)->common_.alpn;
  unsigned char* found = nullptr;
  const int result = SSL_select_next_proto(
      &found, length, reinterpret_cast<const unsigned char*>(ours.data()),
      static_cast<unsigned int>(ours.size()), offered, offered_length);
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

absl::StatusOr<std::unique_ptr<TlsEngine>> TlsServerContext::Accept(
    std::unique_ptr<Transport> below) {
  ClearTlsErrors();
  UniqueSsl ssl(SSL_new(common_.ssl.get()));
  if (ssl == nullptr) return TakeLoadFailure("no TLS connection can be made");
  SSL_set_accept_state(ssl.get());
  auto connection = std::make_unique<TlsConnection>();
  connection->AttachTo(ssl.get());
  connection->context = shared_from_this();
  auto engine = std::make_unique<TlsEngine>(
      std::move(below), std::move(ssl), std::move(connection), common_.engine);
  ClearTlsErrors();
  return engine;
}

}  // namespace internal
}  // namespace flow
