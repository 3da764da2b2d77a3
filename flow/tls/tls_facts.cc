#include "flow/tls/tls_facts.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace flow {

const char* TlsVersionName(TlsVersion version) {
  switch (version) {
    case TlsVersion::kTls12:
      return "TLS 1.2";
    case TlsVersion::kTls13:
      return "TLS 1.3";
  }
  return "TLS";
}

std::ostream& operator<<(std::ostream& os, TlsVersion version) {
  return os << TlsVersionName(version);
}

std::string TlsFacts::ToString() const {
  std::string text = absl::StrCat(TlsVersionName(version), ", ", cipher);
  if (!alpn.empty()) absl::StrAppend(&text, ", alpn ", absl::CEscape(alpn));
  if (resumed) absl::StrAppend(&text, ", resumed");
  if (!peer_subject.empty() || !peer_names.empty()) {
    absl::StrAppend(&text, ", peer ",
                    peer_subject.empty() ? peer_names[0] : peer_subject,
                    peer_verified ? "" : " (not verified)");
  }
  return text;
}

absl::string_view TlsClientCertificateName(TlsClientCertificate certificate) {
  switch (certificate) {
    case TlsClientCertificate::kNone:
      return "none";
    case TlsClientCertificate::kOptional:
      return "optional";
    case TlsClientCertificate::kRequired:
      return "required";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, TlsClientCertificate certificate) {
  return os << TlsClientCertificateName(certificate);
}

}  // namespace flow
