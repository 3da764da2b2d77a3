// File: raw_peer_test_support.h
//
// RawPeer: the other end of TLS, played by plain OpenSSL on memory, so that a
// test decides which bytes go out, when, and what is wrong with them.

#ifndef FLOW_TLS_RAW_PEER_TEST_SUPPORT_H_
#define FLOW_TLS_RAW_PEER_TEST_SUPPORT_H_

#include <openssl/ssl.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "flow/flow.h"
#include "flow/tls/openssl_ptr.h"
#include "flow/tls/tls_options.h"

namespace flow_testing {

class RawPeer {
 public:
  enum class Side { kClient, kServer };

  // Talks through `below`. As a server it shows SharedIdentity().
  RawPeer(flow::Flow below, Side side,
          flow::TlsVersion version = flow::TlsVersion::kTls13);

  SSL* ssl() { return ssl_.get(); }
  flow::Flow& below() { return below_; }

  // Blocks until the handshake is done; false if it fails.
  bool Handshake();

  // What OpenSSL wants to send, taken from it.
  std::string TakeOutput();
  // Sends that, or `bytes`.
  void Send();
  void SendBytes(absl::string_view bytes);

  // Encrypts `text` and gives the records; sends nothing.
  std::string Seal(absl::string_view text);
  // close_notify, sealed.
  std::string SealEnd();

  // Blocks for one read from below, and gives it to OpenSSL. False at its end.
  bool Receive();
  // Decrypted; empty once the peer's end, or a failure, has come.
  std::string Read();

 private:
  flow::Flow below_;
  flow::internal::UniqueSslCtx context_;
  flow::internal::UniqueSsl ssl_;
  BIO* input_ = nullptr;   // ssl_'s
  BIO* output_ = nullptr;  // ssl_'s
};

}  // namespace flow_testing

#endif  // FLOW_TLS_RAW_PEER_TEST_SUPPORT_H_
