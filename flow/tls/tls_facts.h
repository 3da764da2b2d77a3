// File: tls_facts.h
//
// TlsFacts: what a handshake has settled.

#ifndef FLOW_TLS_TLS_FACTS_H_
#define FLOW_TLS_TLS_FACTS_H_

#include <ostream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "flow/tls/tls_options.h"

namespace flow {

struct TlsFacts {
  TlsVersion version = TlsVersion::kTls13;  // what is spoken
  std::string cipher;                       // "TLS_AES_256_GCM_SHA384"
  std::string alpn;         // the application protocol; empty: none
  std::string server_name;  // whom the client asked for, escaped; empty: nobody
  bool resumed = false;     // an earlier session went on: no new certificates

  // The peer's certificate; empty if it showed none. Escaped: no control
  // character.
  std::string peer_subject;             // "CN=example.org,O=Example"
  std::vector<std::string> peer_names;  // "example.org", "*.example.org",
                                        // "192.0.2.1"
  std::string peer_issuer;              // who has signed it: as peer_subject
  // From when to when it is good. Infinite: it doesn't say.
  absl::Time peer_not_before = absl::InfinitePast();
  absl::Time peer_not_after = absl::InfiniteFuture();
  // It is good, and at a client for the server's name (as far as that was
  // asked).
  bool peer_verified = false;

  // "TLS 1.3, TLS_AES_256_GCM_SHA384, alpn h2, peer CN=example.org".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const TlsFacts& facts) {
    sink.Append(facts.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const TlsFacts& facts) {
    return os << facts.ToString();
  }
};

}  // namespace flow

#endif  // FLOW_TLS_TLS_FACTS_H_
