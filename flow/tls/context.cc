#include "flow/tls/context.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "flow/status.h"
#include "flow/tls/failure.h"
#include "flow/tls/names.h"

namespace flow {
namespace internal {
namespace {

constexpr size_t kMaxProtocol = 255;
constexpr size_t kMaxProtocols = 65535;
constexpr size_t kNamesInMessage = 8;

int Number(TlsVersion version) {
  return version == TlsVersion::kTls13 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

// Each protocol with its length before it (RFC 7301).
absl::StatusOr<std::string> ProtocolList(
    const std::vector<std::string>& protocols) {
  std::string list;
  for (const std::string& protocol : protocols) {
    if (protocol.empty() || protocol.size() > kMaxProtocol) {
      return InvalidArgument("alpn: a protocol's name has 1 to 255 bytes");
    }
    list.push_back(static_cast<char>(protocol.size()));
    list.append(protocol);
  }
  if (list.size() > kMaxProtocols) return InvalidArgument("alpn: too many");
  return list;
}

// " since 2026-01-31 12:00:00 UTC", of one that is not valid now.
std::string SinceOrUntil(int error, const X509* certificate) {
  if (certificate == nullptr) return "";
  const bool old = error == X509_V_ERR_CERT_HAS_EXPIRED;
  if (!old && error != X509_V_ERR_CERT_NOT_YET_VALID) return "";
  return absl::StrCat(
      old ? " since " : " until ",
      absl::FormatTime("%Y-%m-%d %H:%M:%S UTC",
                       old ? NotAfter(certificate) : NotBefore(certificate),
                       absl::UTCTimeZone()));
}

std::string Refusal(const TlsConnection& connection, int error, int depth,
                    const X509* certificate) {
  const std::vector<std::string> names = certificate == nullptr
                                             ? std::vector<std::string>()
                                             : NamesOf(certificate);
  const absl::string_view reason = X509_verify_cert_error_string(error);
  if (error == X509_V_ERR_HOSTNAME_MISMATCH ||
      error == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    std::vector<std::string> first = names;
    if (first.size() > kNamesInMessage) first.resize(kNamesInMessage);
    return absl::StrCat("the certificate is not for \"",
                        connection.expected_name, "\" but for ",
                        first.empty() ? "nobody" : absl::StrJoin(first, ", "),
                        names.size() > first.size() ? ", ..." : "", ": ",
                        reason, " [", error, "]");
  }
  return absl::StrCat(
      "the peer's certificate is not accepted: ", reason,
      SinceOrUntil(error, certificate), " [", error, "], at depth ", depth,
      certificate == nullptr ? "" : absl::StrCat(", ", SubjectOf(certificate)),
      connection.expected_name.empty()
          ? ""
          : absl::StrCat(", of the server \"", connection.expected_name, "\""));
}

}  // namespace

int NoteVerification(int good, X509_STORE_CTX* store) {
  if (good == 1) return good;
  const SSL* const ssl = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  TlsConnection* const connection =
      ssl == nullptr ? nullptr : TlsConnection::Of(ssl);
  if (connection != nullptr && connection->refusal.empty()) {
    connection->refusal = Refusal(*connection, X509_STORE_CTX_get_error(store),
                                  X509_STORE_CTX_get_error_depth(store),
                                  X509_STORE_CTX_get_current_cert(store));
  }
  return good;
}

absl::Status TlsContext::Set(const TlsCommonOptions& options) {
  if (options.min_version > options.max_version) {
    return InvalidArgument("min_version is above max_version");
  }
  if (options.handshake_timeout <= absl::ZeroDuration()) {
    return InvalidArgument("handshake_timeout must be more than 0");
  }
  absl::StatusOr<std::string> protocols = ProtocolList(options.alpn);
  if (!protocols.ok()) return protocols.status();
  if (options.require_alpn && protocols->empty()) {
    return InvalidArgument("require_alpn: alpn is empty");
  }
  alpn = *std::move(protocols);
  engine.require_alpn = options.require_alpn;
  engine.rekey_after_records = options.rekey_after_records;
  handshake_timeout = options.handshake_timeout;
  ClearTlsErrors();
  ssl.reset(SSL_CTX_new(TLS_method()));
  if (ssl == nullptr ||
      SSL_CTX_set_min_proto_version(ssl.get(), Number(options.min_version)) !=
          1 ||
      SSL_CTX_set_max_proto_version(ssl.get(), Number(options.max_version)) !=
          1) {
    return TakeLoadFailure("TLS can't be set up");
  }
  SSL_CTX_set_options(ssl.get(),
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // A retried write may come from elsewhere: nothing of the first was taken.
  SSL_CTX_set_mode(ssl.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
  return absl::OkStatus();
}

}  // namespace internal
}  // namespace flow
