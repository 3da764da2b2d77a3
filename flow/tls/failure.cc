#include "flow/tls/failure.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>
#include <openssl/tls1.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "flow/status.h"
#include "flow/sys/errno_table.h"

namespace flow {
namespace internal {
namespace {

using Code = absl::StatusCode;

// The earliest error is the cause, the others tell through whom it came.
unsigned long TakeFirst() {
  const unsigned long first = ERR_get_error();
  ClearTlsErrors();
  return first;
}

std::string ReasonOf(unsigned long error) {
  if (ERR_SYSTEM_ERROR(error)) return ErrnoText(ERR_GET_REASON(error));
  const char* const reason = ERR_reason_error_string(error);
  if (reason != nullptr) return reason;
  return error == 0 ? "no reason given" : absl::StrCat("error ", error);
}

// What the peer's alert says of us.
Code CodeOfAlert(int alert) {
  switch (alert) {
    case SSL3_AD_NO_CERTIFICATE:
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED:
    case SSL_AD_BAD_CERTIFICATE_STATUS_RESPONSE:
    case SSL_AD_UNKNOWN_PSK_IDENTITY:
      return Code::kUnauthenticated;
    case SSL_AD_HANDSHAKE_FAILURE:
    case SSL_AD_PROTOCOL_VERSION:
    case SSL_AD_INSUFFICIENT_SECURITY:
    case SSL_AD_INAPPROPRIATE_FALLBACK:
    case SSL_AD_UNRECOGNIZED_NAME:
    case SSL_AD_NO_APPLICATION_PROTOCOL:
      return Code::kFailedPrecondition;
    case SSL_AD_INTERNAL_ERROR:
    case SSL_AD_USER_CANCELLED:
      return Code::kUnavailable;
    default:
      return Code::kDataLoss;
  }
}

// What this side found wrong by itself.
Code CodeOfReason(int reason) {
  switch (reason) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_BAD_SIGNATURE:  // it can't prove that the certificate is its own
      return Code::kUnauthenticated;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNSUPPORTED_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED:  // an old server
      return Code::kFailedPrecondition;
    case ERR_R_MALLOC_FAILURE:
      return Code::kResourceExhausted;
    default:
      return Code::kDataLoss;
  }
}

// What a peer that does not speak TLS looks like.
bool LooksForeign(int reason) {
  return reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST ||
         reason == SSL_R_WRONG_VERSION_NUMBER;
}

}  // namespace

void ClearTlsErrors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

absl::Status TakeTlsFailure(absl::string_view what) {
  const unsigned long error = TakeFirst();
  const int reason = ERR_GET_REASON(error);
  if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET &&
      reason < SSL_AD_REASON_OFFSET + 256) {
    const int alert = reason - SSL_AD_REASON_OFFSET;
    return absl::Status(
        CodeOfAlert(alert),
        absl::StrCat(what, "the peer refuses: alert \"",
                     SSL_alert_desc_string_long(alert), "\" [", alert, "]"));
  }
  const bool ssl = ERR_GET_LIB(error) == ERR_LIB_SSL;
  return absl::Status(
      ssl || reason == ERR_R_MALLOC_FAILURE ? CodeOfReason(reason)
                                            : Code::kDataLoss,
      absl::StrCat(
          what,
          ssl && LooksForeign(reason) ? "the peer does not speak TLS: " : "",
          ReasonOf(error)));
}

absl::Status TakeLoadFailure(absl::string_view what) {
  const unsigned long error = TakeFirst();
  if (ERR_SYSTEM_ERROR(error)) {
    const int number = ERR_GET_REASON(error);
    ErrorDetail detail;
    detail.kind = MeaningOf(number).kind;
    detail.error = number;
    return MakeStatus(MeaningOf(number).code,
                      absl::StrCat(what, ": ", ErrnoText(number)), detail);
  }
  return InvalidArgument(absl::StrCat(what, ": ", ReasonOf(error)));
}

}  // namespace internal
}  // namespace flow
