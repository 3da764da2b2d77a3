// File: engine.h (internal)
//
// TlsEngine: one TLS connection, as OpenSSL sees it, and the flow below that it
// owns. It alone calls OpenSSL's SSL_*: a step at a time, never blocking, with
// every failure taken out of OpenSSL's error queue at once.
//
// Not thread-safe: used under the transport's mutex.

#ifndef FLOW_TLS_ENGINE_H_
#define FLOW_TLS_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "flow/tls/openssl_ptr.h"
#include "flow/tls/session_cache.h"
#include "flow/tls/tls_facts.h"
#include "flow/tls/wire.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

// What OpenSSL's callbacks know of the connection that they are called for.
struct TlsConnection {
  std::string expected_name;            // of the server, at a client
  std::string refusal;                  // why the certificate was not accepted
  TlsSessionCache* sessions = nullptr;  // where new sessions go; outlives it
  std::shared_ptr<const void> context;  // keeps what the SSL was made of

  // Makes `ssl` known by this, and back.
  void AttachTo(SSL* ssl);
  static TlsConnection* Of(const SSL* ssl);
};

class TlsEngine {
 public:
  struct Options {
    bool require_alpn = false;
    uint64_t rekey_after_records = 0;  // 0: never
  };

  // `ssl` is set up but for its BIO; `connection` is attached to it.
  TlsEngine(std::unique_ptr<Transport> below, UniqueSsl ssl,
            std::unique_ptr<TlsConnection> connection, const Options& options);
  ~TlsEngine();
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;

  TlsWire& wire() { return wire_; }
  const TlsWire& wire() const { return wire_; }

  enum class Result : uint8_t {
    kDone,
    kEnd,         // Read: the peer's close_notify
    kWantInput,   // wire().input() says what there is
    kWantOutput,  // too much output is held
    kFailed,      // for good: failure()
  };

  // All are called inside a TlsWire::Use.
  Result Handshake();
  Result Read(char* to, size_t size, size_t* done);
  // At most a record. Whatever it answers but kDone, nothing was taken.
  Result Write(const char* from, size_t size, size_t* done);
  // Puts close_notify behind everything that was written. Once it is kDone it
  // does nothing.
  Result Shutdown();

  bool failed() const { return !failure_.ok(); }
  // Without endpoints; OK while nothing has failed.
  const absl::Status& failure() const { return failure_; }
  // The input ended where it must not: the failure for that.
  Result CutShort();
  bool was_cut() const { return was_cut_; }

  // After the handshake.
  TlsFacts Facts() const;

 private:
  Result ResultOf(int code, absl::string_view what);
  Result Fail(absl::Status failure);
  void MaybeRekey();

  TlsWire wire_;  // outlives ssl_'s BIO
  const std::unique_ptr<TlsConnection> connection_;
  const UniqueSsl ssl_;
  const Options options_;
  uint64_t records_ = 0;  // since the last change of our key
  bool shut_ = false;
  bool handshaken_ = false;
  bool was_cut_ = false;
  absl::Status failure_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_TLS_ENGINE_H_
