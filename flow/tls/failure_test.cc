// What a failure of OpenSSL is called (failure.h). P6, P12: the code says whose
// fault it is, and the text has the cause.

#include "flow/tls/failure.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/sslerr.h>
#include <openssl/tls1.h>

#include <cerrno>

#include "absl/status/status.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace internal {
namespace {

using ::flow_testing::StatusIs;
using ::testing::HasSubstr;
using Code = absl::StatusCode;

// As OpenSSL tells it.
absl::Status FailureOf(int library, int reason) {
  ERR_new();
  ERR_set_error(library, reason, nullptr);
  return TakeTlsFailure("handshake: ");
}

// "UNAUTHENTICATED for certificates, FAILED_PRECONDITION if the two sides have
// no version, cipher or protocol in common".
TEST(TlsFailureTest, AnAlertOfThePeerHasACodeAndItsName) {
  const struct {
    int alert;
    Code code;
  } kAlerts[] = {
      {SSL3_AD_NO_CERTIFICATE, Code::kUnauthenticated},
      {SSL_AD_BAD_CERTIFICATE, Code::kUnauthenticated},
      {SSL_AD_UNSUPPORTED_CERTIFICATE, Code::kUnauthenticated},
      {SSL_AD_CERTIFICATE_REVOKED, Code::kUnauthenticated},
      {SSL_AD_CERTIFICATE_EXPIRED, Code::kUnauthenticated},
      {SSL_AD_CERTIFICATE_UNKNOWN, Code::kUnauthenticated},
      {SSL_AD_UNKNOWN_CA, Code::kUnauthenticated},
      {SSL_AD_ACCESS_DENIED, Code::kUnauthenticated},
      {SSL_AD_CERTIFICATE_REQUIRED, Code::kUnauthenticated},
      {SSL_AD_BAD_CERTIFICATE_STATUS_RESPONSE, Code::kUnauthenticated},
      {SSL_AD_UNKNOWN_PSK_IDENTITY, Code::kUnauthenticated},
      {SSL_AD_HANDSHAKE_FAILURE, Code::kFailedPrecondition},
      {SSL_AD_PROTOCOL_VERSION, Code::kFailedPrecondition},
      {SSL_AD_INSUFFICIENT_SECURITY, Code::kFailedPrecondition},
      {SSL_AD_INAPPROPRIATE_FALLBACK, Code::kFailedPrecondition},
      {SSL_AD_UNRECOGNIZED_NAME, Code::kFailedPrecondition},
      {SSL_AD_NO_APPLICATION_PROTOCOL, Code::kFailedPrecondition},
      {SSL_AD_INTERNAL_ERROR, Code::kUnavailable},
      {SSL_AD_USER_CANCELLED, Code::kUnavailable},
      {SSL_AD_DECODE_ERROR, Code::kDataLoss},
  };
  for (const auto& c : kAlerts) {
    const absl::Status status =
        FailureOf(ERR_LIB_SSL, SSL_AD_REASON_OFFSET + c.alert);
    EXPECT_EQ(status.code(), c.code) << c.alert;
    EXPECT_THAT(status.message(),
                HasSubstr(SSL_alert_desc_string_long(c.alert)));
  }
}

TEST(TlsFailureTest, WhatThisSideFindsWrongHasACode) {
  const struct {
    int reason;
    Code code;
  } kReasons[] = {
      {SSL_R_CERTIFICATE_VERIFY_FAILED, Code::kUnauthenticated},
      {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, Code::kUnauthenticated},
      {SSL_R_BAD_SIGNATURE, Code::kUnauthenticated},
      {SSL_R_UNSUPPORTED_PROTOCOL, Code::kFailedPrecondition},
      {SSL_R_UNSUPPORTED_SSL_VERSION, Code::kFailedPrecondition},
      {SSL_R_VERSION_TOO_LOW, Code::kFailedPrecondition},
      {SSL_R_VERSION_TOO_HIGH, Code::kFailedPrecondition},
      {SSL_R_NO_PROTOCOLS_AVAILABLE, Code::kFailedPrecondition},
      {SSL_R_NO_SHARED_CIPHER, Code::kFailedPrecondition},
      {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, Code::kFailedPrecondition},
      {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, Code::kFailedPrecondition},
      {SSL_R_NO_SUITABLE_GROUPS, Code::kFailedPrecondition},
      {SSL_R_NO_SUITABLE_KEY_SHARE, Code::kFailedPrecondition},
      {SSL_R_NO_APPLICATION_PROTOCOL, Code::kFailedPrecondition},
      {SSL_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED, Code::kFailedPrecondition},
      {ERR_R_MALLOC_FAILURE, Code::kResourceExhausted},
      {SSL_R_UNEXPECTED_RECORD, Code::kDataLoss},
  };
  for (const auto& c : kReasons) {
    EXPECT_EQ(FailureOf(ERR_LIB_SSL, c.reason).code(), c.code) << c.reason;
  }
  EXPECT_EQ(FailureOf(ERR_LIB_X509, ERR_R_MALLOC_FAILURE).code(),
            Code::kResourceExhausted);
  EXPECT_EQ(FailureOf(ERR_LIB_X509, 1).code(), Code::kDataLoss);
}

// Case 106: a plaintext port that is taken for a TLS one is told as such.
TEST(TlsFailureTest, APeerThatSpeaksNoTlsIsNamed) {
  for (const int reason : {SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST,
                           SSL_R_WRONG_VERSION_NUMBER}) {
    EXPECT_THAT(FailureOf(ERR_LIB_SSL, reason).message(),
                HasSubstr("the peer does not speak TLS"));
  }
}

TEST(TlsFailureTest, WhatHasNoNameHasItsNumber) {
  EXPECT_EQ(TakeTlsFailure("x: ").message(), "x: no reason given");
  EXPECT_THAT(FailureOf(ERR_LIB_SSL, 3999).message(), HasSubstr("error "));
}

TEST(TlsFailureTest, AFileThatIsNotThereIsNotFound) {
  ERR_new();
  ERR_set_error(ERR_LIB_SYS, ENOENT, nullptr);
  EXPECT_THAT(TakeLoadFailure("roots"), StatusIs(Code::kNotFound));
  ERR_new();
  ERR_set_error(ERR_LIB_PEM, 108, nullptr);
  EXPECT_THAT(TakeLoadFailure("roots"), StatusIs(Code::kInvalidArgument));
}

}  // namespace
}  // namespace internal
}  // namespace flow
