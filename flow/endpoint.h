// File: endpoint.h
//
// Endpoint: one end of a flow, by the name that a person knows it by.
//
// Endpoints are captured when a flow is made, since the kernel forgets the peer
// of a socket as soon as it is reset (getpeername(2): ENOTCONN), and kept in
// binary: text is made only when somebody asks.
//
// Guarantees: a value; nothing here blocks or fails.

#ifndef FLOW_ENDPOINT_H_
#define FLOW_ENDPOINT_H_

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"

namespace flow {

class Endpoint {
 public:
  // The family of what is at this end.
  enum class Kind : uint8_t {
    kUnknown,  // nothing is known: prints as "?"
    kTcp4,     // TCP over IPv4
    kTcp6,     // TCP over IPv6
    kUnix,     // a path, an abstract name, or unnamed
    kOther,    // anything with a name only: a pipe, a tty, a layer
  };

  Endpoint() = default;
  Endpoint(const Endpoint& other);
  Endpoint& operator=(const Endpoint& other);
  Endpoint(Endpoint&&) noexcept = default;
  Endpoint& operator=(Endpoint&&) noexcept = default;

  // From what the kernel filled in. An address of a family that is not known
  // here, or one that is too short, gives kUnknown.
  static Endpoint FromSockaddr(const sockaddr* address, socklen_t length);

  // Something without an address: "pipe fd 3", "memory a".
  static Endpoint Named(absl::string_view name);

  // Of what family it is.
  Kind kind() const { return kind_; }

  // The port in host order; 0 if this is no TCP endpoint.
  uint16_t port() const;

  // "tcp", "unix", or "" when ToString() says it all.
  absl::string_view scheme() const;

  // The address without its scheme: `127.0.0.1:80`, `[::1]:80`, `/run/x.sock`,
  // `@abstract`, `(unnamed)`, "pipe fd 3". Control characters are escaped, so
  // that a hostile name can't forge lines in a log.
  std::string ToString() const;

  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Endpoint& endpoint) {
    sink.Append(endpoint.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Endpoint& endpoint) {
    return os << endpoint.ToString();
  }
  friend bool operator==(const Endpoint& a, const Endpoint& b) {
    return a.kind_ == b.kind_ && a.ToString() == b.ToString();
  }
  friend bool operator!=(const Endpoint& a, const Endpoint& b) {
    return !(a == b);
  }

 private:
  // Small, since every flow has two: an IPv6 address with port and scope
  // inside, anything longer on the heap.
  unsigned char address_[16] = {};
  uint32_t scope_id_ = 0;
  uint16_t port_ = 0;
  Kind kind_ = Kind::kUnknown;
  std::unique_ptr<const std::string> name_;
};

// "unknown", "tcp4", "tcp6", "unix", "other"
absl::string_view EndpointKindName(Endpoint::Kind kind);
std::ostream& operator<<(std::ostream& os, Endpoint::Kind kind);
template <typename Sink>
void AbslStringify(Sink& sink, Endpoint::Kind kind) {
  sink.Append(EndpointKindName(kind));
}

// "tcp 127.0.0.1:5432 -> 127.0.0.1:40112": a flow in words, for messages.
std::string EndpointPair(const Endpoint& local, const Endpoint& peer);

}  // namespace flow

#endif  // FLOW_ENDPOINT_H_
