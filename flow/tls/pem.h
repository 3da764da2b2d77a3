// File: pem.h (internal)
//
// It alone reads certificates and keys. Messages name the file and what was
// wrong, never a byte of what it holds.

#ifndef FLOW_TLS_PEM_H_
#define FLOW_TLS_PEM_H_

#include <openssl/ssl.h>

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/tls/openssl_ptr.h"
#include "flow/tls/tls_options.h"

namespace flow {
namespace internal {

// A TlsIdentity that was read: chain[0] is its certificate, and the key is that
// one's.
struct LoadedIdentity {
  std::vector<UniqueX509> chain;
  UniqueKey key;
};

// `what` names the option in messages. All certificates of `pem`; at least one.
absl::StatusOr<std::vector<UniqueX509>> LoadCertificates(
    const TlsPem& pem, absl::string_view what);
absl::StatusOr<LoadedIdentity> LoadIdentity(const TlsIdentity& identity,
                                            absl::string_view what);

// Shows it to peers.
absl::Status UseIdentity(SSL_CTX* context, const LoadedIdentity& identity);
absl::Status UseIdentity(SSL* ssl, const LoadedIdentity& identity);

// Trusts `roots`, and nobody else.
absl::Status TrustOnly(SSL_CTX* context, const TlsPem& roots,
                       absl::string_view what);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_TLS_PEM_H_
