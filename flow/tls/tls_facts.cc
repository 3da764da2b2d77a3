#include "flow/tls/tls_facts.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "flow/changed_fields.h"

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

std::string TlsPem::ToString() const {
  std::string words = file.empty() ? "" : absl::StrCat("file ", file);
  if (!text.empty()) {
    absl::StrAppend(&words, words.empty() ? "" : " and ", text.size(),
                    " B in memory");
  }
  return words.empty() ? "none" : words;
}

std::string TlsIdentity::ToString() const {
  return absl::StrCat("chain: ", chain.ToString(), "; key: ", key.ToString());
}

namespace {

internal::ChangedFields CommonFields(const TlsCommonOptions& options) {
  const TlsCommonOptions usual;
  internal::ChangedFields fields;
  fields.Add("min_version", options.min_version, usual.min_version)
      .Add("max_version", options.max_version, usual.max_version)
      .Add("alpn", options.alpn, usual.alpn)
      .Add("require_alpn", options.require_alpn, usual.require_alpn)
      .Add("handshake_timeout", options.handshake_timeout,
           usual.handshake_timeout)
      .Add("rekey_after_records", options.rekey_after_records,
           usual.rekey_after_records);
  return fields;
}

}  // namespace

std::string TlsCommonOptions::ToString() const {
  return CommonFields(*this).Text();
}

std::string TlsClientOptions::ToString() const {
  const TlsClientOptions usual;
  return CommonFields(*this)
      .Nest("roots", roots.ToString(), usual.roots.ToString())
      .Nest("identity", identity.ToString(), usual.identity.ToString())
      .Add("max_sessions", max_sessions, usual.max_sessions)
      .Add("insecurely_accept_any_certificate",
           insecurely_accept_any_certificate,
           usual.insecurely_accept_any_certificate)
      .Add("insecurely_accept_any_server_name",
           insecurely_accept_any_server_name,
           usual.insecurely_accept_any_server_name)
      .Text();
}

std::string TlsServerOptions::ToString() const {
  const TlsServerOptions usual;
  return CommonFields(*this)
      .Nest("identities",
            absl::StrJoin(identities, " | ", absl::StreamFormatter()), "")
      .Add("client_certificate", client_certificate, usual.client_certificate)
      .Nest("client_roots", client_roots.ToString(),
            usual.client_roots.ToString())
      .Add("session_tickets", session_tickets, usual.session_tickets)
      .Text();
}

}  // namespace flow
