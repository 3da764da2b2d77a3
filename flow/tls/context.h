// File: context.h (internal)
//
// What many connections of one side share, made once from options and not
// changed after: OpenSSL's SSL_CTX and what its callbacks need. It alone knows
// how options become settings of OpenSSL's.
//
// Guarantees: any thread; a connection keeps the context that it was made of.

#ifndef FLOW_TLS_CONTEXT_H_
#define FLOW_TLS_CONTEXT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/tls/engine.h"
#include "flow/tls/openssl_ptr.h"
#include "flow/tls/pem.h"
#include "flow/tls/session_cache.h"
#include "flow/tls/tls_options.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

// What both sides have.
struct TlsContext {
  UniqueSslCtx ssl;
  TlsEngine::Options engine;
  absl::Duration handshake_timeout;
  std::string alpn;  // as OpenSSL wants it: each with its length before it

  absl::Status Set(const TlsCommonOptions& options);
};

// How a peer's certificate is looked at, for SSL_CTX_set_verify: notes what was
// wrong with it, for the message.
int NoteVerification(int good, X509_STORE_CTX* store);

class TlsClientContext : public std::enable_shared_from_this<TlsClientContext> {
 public:
  static absl::StatusOr<std::shared_ptr<TlsClientContext>> Create(
      const TlsClientOptions& options);

  const TlsContext& common() const { return common_; }

  // A connection that will ask for `server_name`.
  absl::StatusOr<std::unique_ptr<TlsEngine>> Connect(
      std::unique_ptr<Transport> below, absl::string_view server_name);
  size_t session_count() const {
    return sessions_ == nullptr ? 0 : sessions_->size();
  }
  // Whether `server_name` can be asked for.
  absl::Status Check(absl::string_view server_name) const;

 private:
  explicit TlsClientContext(const TlsClientOptions& options);
  absl::Status Set(const TlsClientOptions& options);
  static int KeepSession(SSL* ssl, SSL_SESSION* session);

  const bool any_certificate_;
  const bool any_name_;
  TlsContext common_;
  std::unique_ptr<TlsSessionCache> sessions_;  // null: none are kept
};

class TlsServerContext : public std::enable_shared_from_this<TlsServerContext> {
 public:
  static absl::StatusOr<std::shared_ptr<TlsServerContext>> Create(
      const TlsServerOptions& options);

  const TlsContext& common() const { return common_; }

  absl::StatusOr<std::unique_ptr<TlsEngine>> Accept(
      std::unique_ptr<Transport> below);
  size_t identity_count() const { return identities_.size(); }

 private:
  TlsServerContext() = default;
  absl::Status Set(const TlsServerOptions& options);
  absl::Status SetClientVerification(const TlsServerOptions& options) const;
  static int ChooseIdentity(SSL* ssl, void* context);
  static int ChooseProtocol(SSL* ssl, const unsigned char** chosen,
                            unsigned char* length, const unsigned char* offered,
                            unsigned int offered_length, void* context);

  TlsContext common_;
  std::vector<LoadedIdentity> identities_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_TLS_CONTEXT_H_
