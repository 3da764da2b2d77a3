// File: address.h
//
// The grammar of addresses, for the library and for command lines: what Dial,
// Listen and Open (flow/net/open.h) are told.
//
//   SCHEME:TARGET[,OPTION=VALUE]...
//
// | address                   | what it is                                   |
// |---------------------------|----------------------------------------------|
// | tcp:HOST:PORT             | connects; tcp:127.0.0.1:80, tcp:[::1]:443,   |
// |                           | tcp:[fe80::1%eth0]:80, tcp:localhost:http    |
// | tcp-listen:HOST:PORT      | listens there; PORT 0 is any that is free    |
// | unix:PATH                 | connects to a unix socket                    |
// | unix-listen:PATH          | makes one and listens                        |
// | unix-abstract:NAME        | the same without a file (Linux, unix(7))     |
// | unix-abstract-listen:NAME |                                              |
// | fd:N  fd:IN:OUT           | descriptors that are there already           |
// | file:PATH                 | a file, a FIFO, a device                     |
// | stdio:  -                 | standard input and output                    |
// | pty:                      | a new pseudo-terminal                        |
// | exec:COMMAND              | a command, run by /bin/sh -c                 |
// | activate:NAME             | the listening sockets of that name which the |
// |                           | program was started with (sd_listen_fds(3))  |
//
// A program can add schemes of its own, such as tls: (flow/net/schemes.h).
//
// HOST is an IPv4 address, an IPv6 address in brackets, with a scope if need
// be, or a name. PORT is a number from 0 to 65535, or the name of a service,
// which does not begin with a digit. PATH of a unix socket is of 1 to 107
// bytes, the most that a sockaddr_un holds with its end mark; nothing is ever
// cut. One that begins with @, as other programs write abstract names, is
// refused (write ./@x for a file of that name). An abstract NAME is of 1 to 107
// bytes, of which any may be anything, NUL too.
//
// In TARGET and VALUE, but not in brackets, %XX is the byte with that number.
// So a comma is written %2C, since it ends the target, and a percent sign %25.
//
// The options of sockets, and which scheme has which, are in
// flow/net/socket_options.h. Others:
//
// | scheme | option          | meaning                                     |
// |--------|-----------------|---------------------------------------------|
// | fd     | own             | the flow owns and closes the descriptors;   |
// |        |                 | else they are borrowed, and left as found   |
// | file   | read write      | how it is opened; read if nothing is said   |
// |        | append truncate | append is to write, always at the end       |
// |        | create          | makes it if need be; create and truncate    |
// |        |                 | need write or append                        |
// |        | mode=0666       | of what create makes, less the umask        |
// | pty    | raw             | no echo, no signals, no line editing; on    |
// |        |                 | unless raw=no                               |
// | exec   | pty             | the command is on a terminal of its own     |
//
// A switch is NAME=yes or NAME=no; NAME alone is NAME=yes. No option may be
// given twice.
//
// Guarantees: pure; any thread. What ParseAddress has given, ToString writes in
// one canonical form (numbers, order of options), and ParseAddress reads that
// form back as an equal Address.

#ifndef FLOW_NET_ADDRESS_H_
#define FLOW_NET_ADDRESS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/net/socket_options.h"

namespace flow {

class Schemes;

// The longest path of a unix socket, and the longest abstract name, in bytes.
inline constexpr size_t kMaxUnixPath = 107;

// An option that is not one of SocketOptions; its value is in canonical form,
// without %XX.
struct AddressOption {
  // Before and behind the `=`.
  std::string name;
  std::string value;

  friend bool operator==(const AddressOption& a, const AddressOption& b) {
    return a.name == b.name && a.value == b.value;
  }

  // "keepalive=60s".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const AddressOption& option) {
    sink.Append(option.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const AddressOption& option) {
    return os << option.ToString();
  }
};

// An address in its parts.
struct Address {
  // What kind of address it is.
  enum class Scheme : uint8_t {
    kTcp,                 // tcp:
    kTcpListen,           // tcp-listen:
    kUnix,                // unix:
    kUnixListen,          // unix-listen:
    kUnixAbstract,        // unix-abstract:
    kUnixAbstractListen,  // unix-abstract-listen:
    kFd,                  // fd:
    kFile,                // file:
    kStdio,               // stdio, and -
    kPty,                 // pty:
    kExec,                // exec:
    kActivate,            // activate:
    kOther,               // one that the program has added
  };

  // Which of them this is.
  Scheme scheme = Scheme::kTcp;
  // "tcp-listen": as it is written, without the colon.
  std::string scheme_name = "tcp";
  std::string host;  // of tcp and its like; without brackets
  std::string port;  // likewise; a number or a service's name
  // Any other target: PATH, NAME, COMMAND, without %XX.
  std::string path;
  // kFd: to read from and to write to; equal if they are one.
  int in_fd = -1;
  int out_fd = -1;
  SocketOptions socket;
  // The rest, in the order of the scheme's own list.
  std::vector<AddressOption> options;

  // The number, if `port` is one.
  std::optional<uint16_t> numeric_port() const;

  // True for tcp and tcp-listen; for unix in its four forms; for those two of
  // them that have no file.
  bool is_tcp() const;
  bool is_unix() const;
  bool is_unix_abstract() const;
  // Flows come from it by being accepted: all whose names end with "-listen",
  // and activate.
  bool listens() const;

  // The value of one of `options`; null if it is not given.
  const std::string* FindOption(absl::string_view name) const;
  // Of a switch: not given counts as `otherwise`.
  bool IsOn(absl::string_view name, bool otherwise = false) const;

  // Of a scheme that stands on TCP: what it stands on, that is HOST, PORT and
  // the options of the socket as tcp:, or as tcp-listen: if it listens.
  Address AsTcp() const;

  // The canonical form: printable ASCII.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Address& address) {
    sink.Append(address.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Address& address) {
    return os << address.ToString();
  }
  friend bool operator==(const Address& a, const Address& b);
  friend bool operator!=(const Address& a, const Address& b) {
    return !(a == b);
  }
};

// "tcp", "tcp-listen", ...; "other" for one that the program has added.
absl::string_view AddressSchemeName(Address::Scheme scheme);
std::ostream& operator<<(std::ostream& os, Address::Scheme scheme);
template <typename Sink>
void AbslStringify(Sink& sink, Address::Scheme scheme) {
  sink.Append(AddressSchemeName(scheme));
}

// INVALID_ARGUMENT, with the offending text escaped and what was expected, if
// `text` is none of the above, nor of a scheme in `schemes` (null: none are
// added). Opens nothing, looks up nothing.
[[nodiscard]] absl::StatusOr<Address> ParseAddress(
    absl::string_view text, const Schemes* schemes = nullptr);

// The same for who is to listen in any case: "tcp:" is read as "tcp-listen:",
// with the options of that, and so is every scheme that has such a twin.
[[nodiscard]] absl::StatusOr<Address> ParseListenAddress(
    absl::string_view text, const Schemes* schemes = nullptr);

}  // namespace flow

#endif  // FLOW_NET_ADDRESS_H_
