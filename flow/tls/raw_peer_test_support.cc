#include "flow/tls/raw_peer_test_support.h"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <utility>

#include "flow/buffer.h"
#include "flow/or_eof.h"
#include "flow/tls/pem.h"
#include "flow/tls/tls_test_support.h"
#include "gtest/gtest.h"

namespace flow_testing {

RawPeer::RawPeer(flow::Flow below, Side side, flow::TlsVersion version)
    : below_(std::move(below)), context_(SSL_CTX_new(TLS_method())) {
  const int number =
      version == flow::TlsVersion::kTls13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  SSL_CTX_set_min_proto_version(context_.get(), number);
  SSL_CTX_set_max_proto_version(context_.get(), number);
  SSL_CTX_set_num_tickets(context_.get(), 0);
  if (side == Side::kServer) {
    auto identity =
        flow::internal::LoadIdentity(SharedIdentity().AsOption(), "raw");
    EXPECT_TRUE(identity.ok());
    EXPECT_TRUE(flow::internal::UseIdentity(context_.get(), *identity).ok());
  }
  ssl_.reset(SSL_new(context_.get()));
  input_ = BIO_new(BIO_s_mem());
  output_ = BIO_new(BIO_s_mem());
  BIO_ctrl(input_, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, nullptr);
  SSL_set_bio(ssl_.get(), input_, output_);
  if (side == Side::kServer) {
    SSL_set_accept_state(ssl_.get());
  } else {
    SSL_set_connect_state(ssl_.get());
  }
}

bool RawPeer::Handshake() {
  for (;;) {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_.get());
    const int error = SSL_get_error(ssl_.get(), done);
    Send();
    if (done == 1) return true;
    if (error != SSL_ERROR_WANT_READ || !Receive()) return false;
  }
}

std::string RawPeer::TakeOutput() {
  std::string bytes(BIO_ctrl_pending(output_), '\0');
  if (!bytes.empty()) {
    BIO_read(output_, bytes.data(), static_cast<int>(bytes.size()));
  }
  return bytes;
}

void RawPeer::Send() { SendBytes(TakeOutput()); }

void RawPeer::SendBytes(absl::string_view bytes) {
  if (!bytes.empty()) below_.Write(bytes, kTlsLong).IgnoreError();
}

std::string RawPeer::Seal(absl::string_view text) {
  ERR_clear_error();
  EXPECT_EQ(SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())),
            static_cast<int>(text.size()));
  return TakeOutput();
}

std::string RawPeer::SealEnd() {
  ERR_clear_error();
  EXPECT_GE(SSL_shutdown(ssl_.get()), 0);
  return TakeOutput();
}

bool RawPeer::Receive() {
  absl::StatusOr<flow::OrEof<flow::Buffer>> got = below_.Read(kTlsLong);
  if (!got.ok() || got->is_eof()) return false;
  const absl::string_view bytes = got->data().view();
  BIO_write(input_, bytes.data(), static_cast<int>(bytes.size()));
  return true;
}

std::string RawPeer::Read() {
  for (;;) {
    char buffer[16384];
    ERR_clear_error();
    const int n = SSL_read(ssl_.get(), buffer, sizeof(buffer));
    if (n > 0) return std::string(buffer, static_cast<size_t>(n));
    const int error = SSL_get_error(ssl_.get(), n);
    Send();
    if (error != SSL_ERROR_WANT_READ || !Receive()) return "";
  }
}

}  // namespace flow_testing
