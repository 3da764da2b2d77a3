// File: tls_schemes.h
//
// tls: and tls-listen: for the grammar of addresses (flow/net/address.h).
//
//   flow::Schemes schemes;
//   absl::Status s = flow::AddTlsSchemes(schemes);
//   flow::OpenOptions options;
//   options.schemes = &schemes;
//   auto f = flow::Open("tls:example.org:443,alpn=http/1.1",
//                       absl::Seconds(5), options);
//   auto l = flow::OpenListener(
//       "tls-listen:0.0.0.0:443,cert=chain.pem,key=key.pem", options);
//
// Both stand on TCP, and have the options of tcp: and tcp-listen: besides:
//
// | option     | tls                              | tls-listen                |
// |------------|----------------------------------|---------------------------|
// | ca         | whom to trust (PEM file) instead | asks clients for a certi- |
// |            | of the system's roots            | ficate that these vouch   |
// |            |                                  | for, and refuses others   |
// | cert, key  | shown if the server asks         | have to be given          |
// | servername | who the server has to be, and is | -                         |
// |            | told to be (SNI); else HOST      |                           |
// | alpn       | protocols, the preferred ones    | those to choose from      |
// |            | first: h2:http/1.1               |                           |
// | min        | 1.2 or 1.3: refuses older TLS    | the same                  |
// | insecurely-| verifies nothing                 | -                         |
// | accept-any-|                                  |                           |
// | certificate|                                  |                           |
//
// A server's certificate and name are verified unless that last option says
// not to (P12). Open returns when the handshake is done, within its limits and
// 30 seconds. A listener's handshakes are in OpenedListener::upgrade, off the
// accepting thread, and bounded in the same way.
//
// Files are read when Open or OpenListener is called. Who dials often makes one
// TlsClient instead, and who changes certificates while serving one TlsServer
// (flow/tls/tls.h).
//
// Guarantees: any thread, one at a time for one Schemes.

#ifndef FLOW_TLS_TLS_SCHEMES_H_
#define FLOW_TLS_TLS_SCHEMES_H_

#include <string>

#include "absl/status/status.h"
#include "flow/net/address.h"
#include "flow/net/schemes.h"
#include "flow/tls/tls_options.h"

namespace flow {

// INVALID_ARGUMENT: `schemes` has one of the two already.
absl::Status AddTlsSchemes(Schemes& schemes);

// What the options of a tls: address ask for, and the name that the server has
// to have, for who makes the steps by himself (Dial, TlsConnect): to see
// TlsFacts, or the time that each takes.
TlsClientOptions TlsClientOptionsOf(const Address& address);
std::string TlsServerNameOf(const Address& address);

}  // namespace flow

#endif  // FLOW_TLS_TLS_SCHEMES_H_
