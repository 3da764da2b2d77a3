// File: address.h
//
// The grammar of addresses: what Dial and Listen are told.
//
//   tcp:HOST:PORT    tcp:127.0.0.1:80   tcp:[::1]:443   tcp:localhost:http
//   unix:PATH        unix:/run/app.sock
//
// HOST is an IPv4 address, an IPv6 address in brackets (with a scope, if need
// be: [fe80::1%eth0]), or a name. PORT is a number from 0 to 65535, or the name
// of a service, which does not begin with a digit. PATH is of 1 to 107 bytes,
// the most that a sockaddr_un holds with its end mark (unix(7)); nothing is
// ever cut. A PATH that begins with @ is refused: it is kept for abstract names
// (write ./@x for a file of that name).
//
// Guarantees: pure; any thread.

#ifndef FLOW_NET_ADDRESS_H_
#define FLOW_NET_ADDRESS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace flow {

// The longest PATH, in bytes.
inline constexpr size_t kMaxUnixPath = 107;

struct Address {
  enum class Scheme : uint8_t { kTcp, kUnix };

  Scheme scheme = Scheme::kTcp;
  std::string host;  // kTcp; without brackets
  std::string port;  // kTcp; a number or a service's name
  std::string path;  // kUnix

  // The number, if `port` is one.
  std::optional<uint16_t> numeric_port() const;

  // As it would be given to Dial, control characters escaped.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Address& address) {
    sink.Append(address.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Address& address) {
    return os << address.ToString();
  }
};

// INVALID_ARGUMENT, with the offending text escaped and what was expected, if
// `text` is none of the above. Looks up nothing.
[[nodiscard]] absl::StatusOr<Address> ParseAddress(absl::string_view text);

}  // namespace flow

#endif  // FLOW_NET_ADDRESS_H_
