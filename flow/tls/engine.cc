#include "flow/tls/engine.h"

#include <openssl/ssl.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "flow/tls/failure.h"
#include "flow/tls/names.h"

namespace flow {
namespace internal {
namespace {

constexpr char kHandshakeFailed[] = "the TLS handshake failed: ";
constexpr char kStreamFailed[] = "the TLS stream failed: ";

int ConnectionIndex() {
  static const int index =
      SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

}  // namespace

void TlsConnection::AttachTo(SSL* ssl) {
  SSL_set_ex_data(ssl, ConnectionIndex(), this);
}

TlsConnection* TlsConnection::Of(const SSL* ssl) {
  return static_cast<TlsConnection*>(SSL_get_ex_data(ssl, ConnectionIndex()));
}

TlsEngine::TlsEngine(std::unique_ptr<Transport> below, UniqueSsl ssl,
                     std::unique_ptr<TlsConnection> connection,
                     const Options& options)
    : wire_(std::move(below)),
      connection_(std::move(connection)),
      ssl_(std::move(ssl)),
      options_(options) {
  UniqueBio bio = wire_.MakeBio();
  if (bio == nullptr) {
    Fail(absl::ResourceExhaustedError("no memory for a TLS connection"));
    return;
  }
  BIO* const both = bio.release();
  SSL_set_bio(ssl_.get(), both, both);
}

TlsEngine::~TlsEngine() {
  // Or OpenSSL would hold an unclean end against the session, which can be
  // resumed all the same; a failure does forbid that.
  if (!failed() && handshaken_) {
    SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }
}

TlsEngine::Result TlsEngine::Fail(absl::Status failure) {
  failure_ = std::move(failure);
  return Result::kFailed;
}

TlsEngine::Result TlsEngine::CutShort() {
  was_cut_ = true;
  return Fail(absl::DataLossError(
      handshaken_
          ? "the TLS stream was cut: the peer ended the flow below "
            "without close_notify"
          : "the TLS handshake was cut: the peer ended the flow below"));
}

TlsEngine::Result TlsEngine::ResultOf(int code, absl::string_view what) {
  switch (SSL_get_error(ssl_.get(), code)) {
    case SSL_ERROR_NONE:
      return Result::kDone;
    case SSL_ERROR_ZERO_RETURN:
      return Result::kEnd;
    case SSL_ERROR_WANT_READ:
      return Result::kWantInput;
    case SSL_ERROR_WANT_WRITE:
      return Result::kWantOutput;
    default:
      break;
  }
  absl::Status failure = TakeTlsFailure(what);
  if (!connection_->refusal.empty()) {
    failure =
        absl::UnauthenticatedError(absl::StrCat(what, connection_->refusal));
  }
  return Fail(std::move(failure));
}

TlsEngine::Result TlsEngine::Handshake() {
  if (failed()) return Result::kFailed;
  ClearTlsErrors();
  const Result result =
      ResultOf(SSL_do_handshake(ssl_.get()), kHandshakeFailed);
  if (result == Result::kEnd) {
    return Fail(absl::DataLossError(
        absl::StrCat(kHandshakeFailed, "the peer closed in the middle of it")));
  }
  if (result != Result::kDone) return result;
  const unsigned char* alpn = nullptr;
  unsigned int length = 0;
  SSL_get0_alpn_selected(ssl_.get(), &alpn, &length);
  if (options_.require_alpn && length == 0) {
    return Fail(absl::FailedPreconditionError(absl::StrCat(
        kHandshakeFailed, "no application protocol (ALPN) in common")));
  }
  handshaken_ = true;
  return result;
}

TlsEngine::Result TlsEngine::Read(char* to, size_t size, size_t* done) {
  if (failed()) return Result::kFailed;
  ClearTlsErrors();
  const int code = SSL_read_ex(ssl_.get(), to, size, done);
  return code == 1 ? Result::kDone : ResultOf(code, kStreamFailed);
}

TlsEngine::Result TlsEngine::Write(const char* from, size_t size,
                                   size_t* done) {
  if (failed()) return Result::kFailed;
  ClearTlsErrors();
  MaybeRekey();
  const int code = SSL_write_ex(ssl_.get(), from, size, done);
  if (code != 1) return ResultOf(code, kStreamFailed);
  ++records_;
  return Result::kDone;
}

// A key is good for so many records (RFC 8446, 5.5). Each side counts its own,
// so the peer is not asked to change too.
void TlsEngine::MaybeRekey() {
  if (options_.rekey_after_records == 0 ||
      records_ < options_.rekey_after_records ||
      SSL_version(ssl_.get()) != TLS1_3_VERSION ||
      SSL_is_init_finished(ssl_.get()) == 0) {
    return;
  }
  records_ = 0;
  if (SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED) != 1) {
    ClearTlsErrors();  // the old key goes on
  }
}

TlsEngine::Result TlsEngine::Shutdown() {
  if (failed()) return Result::kFailed;
  if (shut_) return Result::kDone;
  ClearTlsErrors();
  if (SSL_in_init(ssl_.get()) != 0) {
    // A message of the peer's, such as KeyUpdate, has come in part: OpenSSL has
    // to have all of it before it can end the stream.
    const Result rest = ResultOf(SSL_do_handshake(ssl_.get()), kStreamFailed);
    if (rest != Result::kDone) return rest;
  }
  // 0: sent, and the peer's has not come yet.
  const int code = SSL_shutdown(ssl_.get());
  if (code < 0) return ResultOf(code, kStreamFailed);
  shut_ = true;
  return Result::kDone;
}

TlsFacts TlsEngine::Facts() const {
  SSL* const ssl = ssl_.get();
  TlsFacts facts;
  facts.version = SSL_version(ssl) == TLS1_3_VERSION ? TlsVersion::kTls13
                                                     : TlsVersion::kTls12;
  const char* const cipher = SSL_get_cipher_name(ssl);
  if (cipher != nullptr) facts.cipher = cipher;
  const unsigned char* alpn = nullptr;
  unsigned int length = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &length);
  facts.alpn.assign(reinterpret_cast<const char*>(alpn), length);
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  facts.server_name =
      name != nullptr ? absl::CEscape(name) : connection_->expected_name;
  facts.resumed = SSL_session_reused(ssl) == 1;
  const X509* const peer = SSL_get0_peer_certificate(ssl);
  if (peer != nullptr) {
    facts.peer_subject = SubjectOf(peer);
    facts.peer_names = NamesOf(peer);
    facts.peer_issuer = IssuerOf(peer);
    facts.peer_not_before = NotBefore(peer);
    facts.peer_not_after = NotAfter(peer);
    facts.peer_verified = (SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER) != 0 &&
                          SSL_get_verify_result(ssl) == X509_V_OK;
  }
  ClearTlsErrors();
  return facts;
}

}  // namespace internal
}  // namespace flow
