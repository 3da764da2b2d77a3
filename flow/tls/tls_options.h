// File: tls_options.h
//
// What the two sides of TLS can be told: plain structs, safe as they stand.
//
//   flow::TlsServerOptions options;
//   options.identities = {{{"chain.pem"}, {"key.pem"}}};
//   options.alpn = {"h2", "http/1.1"};
//
// Defaults: TLS 1.2 and 1.3, the system's roots, certificates and host names
// verified, no session tickets, no client certificates. What weakens that has a
// long name that begins with "insecurely". Ciphers and their strength are the
// machine's policy (openssl.cnf).

#ifndef FLOW_TLS_TLS_OPTIONS_H_
#define FLOW_TLS_TLS_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace flow {

// What is spoken.
enum class TlsVersion : uint8_t {
  kTls12,  // RFC 5246
  kTls13,  // RFC 8446
};

// "TLS 1.2", "TLS 1.3".
const char* TlsVersionName(TlsVersion version);
std::ostream& operator<<(std::ostream& os, TlsVersion version);
template <typename Sink>
void AbslStringify(Sink& sink, TlsVersion version) {
  sink.Append(TlsVersionName(version));
}

// Something in PEM: in a file, or in memory. Neither: there is none. Both is
// INVALID_ARGUMENT.
struct TlsPem {
  // (With "= {}" gcc's -Wextra lets one of them be left out.)
  std::string file = {};  // its path
  std::string text = {};  // "-----BEGIN ..."

  // Neither is given.
  bool empty() const { return file.empty() && text.empty(); }

  // "file key.pem"; "1704 B in memory"; "none". Never the text itself.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const TlsPem& pem) {
    sink.Append(pem.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const TlsPem& pem) {
    return os << pem.ToString();
  }
};

// Who this side is.
struct TlsIdentity {
  // The certificate, then those that lead to the root.
  TlsPem chain;
  // Its private key, not encrypted.
  TlsPem key;

  // "chain: file chain.pem; key: file key.pem".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const TlsIdentity& identity) {
    sink.Append(identity.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const TlsIdentity& identity) {
    return os << identity.ToString();
  }
};

// What both sides have.
struct TlsCommonOptions {
  // The oldest and the newest version that is spoken.
  TlsVersion min_version = TlsVersion::kTls12;
  TlsVersion max_version = TlsVersion::kTls13;

  // Application protocols (ALPN), the preferred ones first: offered by a
  // client, chosen from by a server. A server that has some and finds none of
  // them in what a client offers refuses it; a side that offers none is let
  // through.
  std::vector<std::string> alpn;
  // Refuses a peer with which no protocol was agreed on. (One that has offered
  // none learns of it by an end without close_notify.)
  bool require_alpn = false;

  // The longest time that a handshake may take, also without Limits. Infinite:
  // no such limit.
  absl::Duration handshake_timeout = absl::Seconds(30);

  // TLS 1.3: after so many records our key changes. The default is well below
  // what a key is good for (RFC 8446, 5.5). 0: never.
  uint64_t rekey_after_records = uint64_t{1} << 22;

  // "min_version=TLS 1.3": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const TlsCommonOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const TlsCommonOptions& options) {
    return os << options.ToString();
  }
};

// How a client does TLS.
struct TlsClientOptions : TlsCommonOptions {
  // Whom to trust. Empty: the system's roots. Otherwise these alone.
  TlsPem roots;

  // Shown to servers that ask for a certificate.
  TlsIdentity identity;

  // How many sessions are kept for resumption, over all server names. 0: none;
  // then no two connections can be linked by the tickets they show.
  size_t max_sessions = 0;

  // The server may be anybody: neither its certificate nor its name is looked
  // at.
  bool insecurely_accept_any_certificate = false;
  // The certificate must be good, but may be anybody's.
  bool insecurely_accept_any_server_name = false;

  // "roots=(file ca.pem)": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const TlsClientOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const TlsClientOptions& options) {
    return os << options.ToString();
  }
};

// Whether clients have to say who they are.
enum class TlsClientCertificate : uint8_t {
  kNone,      // not asked
  kOptional,  // asked; a certificate that is shown has to be good
  kRequired,  // asked; who shows none is refused
};
// "none", "optional", "required"
absl::string_view TlsClientCertificateName(TlsClientCertificate certificate);
std::ostream& operator<<(std::ostream& os, TlsClientCertificate certificate);
template <typename Sink>
void AbslStringify(Sink& sink, TlsClientCertificate certificate) {
  sink.Append(TlsClientCertificateName(certificate));
}

// How a server does TLS.
struct TlsServerOptions : TlsCommonOptions {
  // At least one. A client that names a server (SNI) is shown the first whose
  // certificate is for that name; all others the first of all.
  std::vector<TlsIdentity> identities;

  // Whether clients have to show a certificate of theirs.
  TlsClientCertificate client_certificate = TlsClientCertificate::kNone;
  // Who may vouch for clients. Must be given if they are asked.
  TlsPem client_roots;

  // Session tickets that a client gets, to resume with. 0: none.
  int session_tickets = 0;

  // "session_tickets=2": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const TlsServerOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const TlsServerOptions& options) {
    return os << options.ToString();
  }
};

}  // namespace flow

#endif  // FLOW_TLS_TLS_OPTIONS_H_
