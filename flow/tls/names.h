// File: names.h (internal)
//
// It alone knows whom a certificate is for, and which names a client may ask
// for.

#ifndef FLOW_TLS_NAMES_H_
#define FLOW_TLS_NAMES_H_

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace flow {
namespace internal {

// A server's name as a client looks for it in certificates.
struct ServerName {
  std::string text;
  bool is_address = false;  // an IP address: no SNI, and IP names only
};

// A DNS name (a final dot is dropped) or an IP address (brackets around one of
// version 6 too). INVALID_ARGUMENT for anything else, such as ".example.org",
// which OpenSSL would take for a whole domain.
absl::StatusOr<ServerName> ParseServerName(absl::string_view name);

// Has `ssl`, a client's, ask for `name` and accept a certificate for it alone:
// RFC 9525, by subject alternative names; a wildcard stands for a whole
// leftmost label.
absl::Status ExpectName(SSL* ssl, const ServerName& name);

// Whether `certificate` is for the DNS name `name`, by the same rules.
bool IsFor(const X509* certificate, const std::string& name);

// The certificate's names, DNS and IP, escaped; at most 100.
std::vector<std::string> NamesOf(const X509* certificate);
// Its subject, and who has signed it: RFC 2253, escaped.
std::string SubjectOf(const X509* certificate);
std::string IssuerOf(const X509* certificate);
// From when to when it is good; infinite where it doesn't say.
absl::Time NotBefore(const X509* certificate);
absl::Time NotAfter(const X509* certificate);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_TLS_NAMES_H_
