// File: tls.h
//
// TLS over any flow: a client's and a server's side, with calls that block.
//
//   absl::StatusOr<flow::TlsClient> client = flow::TlsClient::Create();
//   absl::StatusOr<flow::Flow> tcp = flow::Dial("tcp:example.org:443", limits);
//   absl::StatusOr<flow::TlsFlow> tls =
//       flow::TlsConnect(*std::move(tcp), *client, "example.org", limits);
//   if (!tls.ok()) return tls.status();
//   return tls->flow.Write("GET / HTTP/1.0\r\n\r\n", limits);
//
// A failure says which check it was: "UNAUTHENTICATED: the TLS handshake
// failed: the certificate is not for "example.org" but for *.example.net:
// hostname mismatch [62]; flow tcp 127.0.0.1:5432 -> ...".
//
// (flow/tls/tls_async.h has the same for futures.) What they give is a Flow
// like any other, with the contract of flow/flow.h: limits, cancellation,
// endings, one reader and one writer at once. It is a layer: it owns the flow
// below, which may be a socket, a pair in memory, a throttle, or TLS itself.
//
// Endings:
// - Eof is the peer's close_notify. A flow below that ends without it is
//   DATA_LOSS, kind kTruncated, again and again: somebody may have cut it.
// - Shutdown(kWrite) sends close_notify behind everything that was written, and
//   ends the write side below. The peer may go on sending, with TLS 1.2 too
//   (RFC 5246 lets it drop what it had still to send; flows don't).
// - Close, and the destructor, send close_notify if that can be done without
//   waiting. Who must not lose data uses CloseGracefully.
// - Abort sends no close_notify; the peer sees what Abort of the flow below
//   shows, and a cut stream at least.
//
// Errors (flow/status.h): UNAUTHENTICATED for a certificate, ours or the
// peer's, that is not accepted; FAILED_PRECONDITION if no version, cipher or
// protocol is common to both; DATA_LOSS if the peer breaks the protocol or
// doesn't speak it. Messages hold no plaintext, no key, and no character that a
// peer could forge.
//
// Renegotiation is refused. The keys of TLS 1.3 change when either side wants.
// OpenSSL's error queue of the calling thread is emptied by each call.
//
// Guarantees: TlsClient and TlsServer are handles to something that is shared
// and safe to use from any thread; connections keep what they were made of.

#ifndef FLOW_TLS_TLS_H_
#define FLOW_TLS_TLS_H_

#include <memory>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/tls/tls_facts.h"
#include "flow/tls/tls_options.h"

namespace flow {

namespace internal {
class TlsClientContext;
class TlsServerContext;
class TlsServerSlot;
}  // namespace internal

// What connects: roots, identity, cache of sessions. Made once, used for many
// connections.
class TlsClient {
 public:
  // Reads what `options` names. INVALID_ARGUMENT, NOT_FOUND and the like, with
  // the option's name, if it can't be used.
  [[nodiscard]] static absl::StatusOr<TlsClient> Create(
      const TlsClientOptions& options = {});

  // How many sessions are there to resume.
  size_t session_count() const;

  // "TLS client, 3 sessions".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const TlsClient& client) {
    sink.Append(client.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const TlsClient& client) {
    return os << client.ToString();
  }

  // Internal.
  const std::shared_ptr<internal::TlsClientContext>& context() const {
    return context_;
  }

 private:
  explicit TlsClient(std::shared_ptr<internal::TlsClientContext> context);

  std::shared_ptr<internal::TlsClientContext> context_;
};

// What accepts: certificates, keys, rules for clients. Copies are the same
// server.
class TlsServer {
 public:
  // As of TlsClient; a server needs a certificate and its key.
  [[nodiscard]] static absl::StatusOr<TlsServer> Create(
      const TlsServerOptions& options);

  // From now on accepts with `options`, such as a new certificate. Connections
  // that are there go on. On an error nothing has changed.
  [[nodiscard]] absl::Status Reload(const TlsServerOptions& options);

  // "TLS server, 2 identities": as it is now.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const TlsServer& server) {
    sink.Append(server.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const TlsServer& server) {
    return os << server.ToString();
  }

  // Internal: as it is now.
  std::shared_ptr<internal::TlsServerContext> context() const;

 private:
  explicit TlsServer(std::shared_ptr<internal::TlsServerSlot> slot);

  std::shared_ptr<internal::TlsServerSlot> slot_;
};

// A flow under TLS, and what its handshake has settled.
struct TlsFlow {
  Flow flow;       // of plaintext
  TlsFacts facts;  // as they were after the handshake

  // "flow tls over tcp ..., open, ...; TLSv1.3, ...".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const TlsFlow& made) {
    sink.Append(made.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const TlsFlow& made) {
    return os << made.ToString();
  }
};

// Puts TLS on `below` as a client of the server `server_name`, a host name or
// an IP address (which is sent, unless it is an address, and which the server's
// certificate has to be for). May be empty only if the options say so
// (insecurely_...).
//
// Blocks until the handshake is done, for at most `limits` and the options'
// handshake_timeout. On an error `below` is closed. INVALID_ARGUMENT for a name
// that can't be one; FAILED_PRECONDITION if `below` is in use or has ended on
// either side.
[[nodiscard]] absl::StatusOr<TlsFlow> TlsConnect(Flow below,
                                                 const TlsClient& client,
                                                 absl::string_view server_name,
                                                 const Limits& limits = {});

// The same as a server. To be called off the accepting thread, since a client
// may take its time.
[[nodiscard]] absl::StatusOr<TlsFlow> TlsAccept(Flow below,
                                                const TlsServer& server,
                                                const Limits& limits = {});

}  // namespace flow

#endif  // FLOW_TLS_TLS_H_
