#include "flow/net/address.h"

#include <tuple>

#include "absl/strings/str_cat.h"
#include "flow/net/grammar.h"
#include "flow/net/option_text.h"
#include "flow/net/percent.h"

namespace flow {
namespace {

std::string TargetText(const Address& address) {
  if (address.scheme == Address::Scheme::kFd) {
    return address.in_fd == address.out_fd
               ? absl::StrCat(address.in_fd)
               : absl::StrCat(address.in_fd, ":", address.out_fd);
  }
  if (address.host.empty()) return internal::PercentEncode(address.path);
  // The scope of an IPv6 address has a % that is no %XX.
  const bool v6 = address.host.find(':') != std::string::npos;
  return v6 ? absl::StrCat("[", address.host, "]:", address.port)
            : absl::StrCat(internal::PercentEncode(address.host), ":",
                           address.port);
}

}  // namespace

std::optional<uint16_t> Address::numeric_port() const {
  return internal::ParsePortNumber(port);
}

bool Address::is_tcp() const {
  return scheme == Scheme::kTcp || scheme == Scheme::kTcpListen;
}

bool Address::is_unix() const {
  return scheme == Scheme::kUnix || scheme == Scheme::kUnixListen ||
         is_unix_abstract();
}

bool Address::is_unix_abstract() const {
  return scheme == Scheme::kUnixAbstract ||
         scheme == Scheme::kUnixAbstractListen;
}

bool Address::listens() const {
  return scheme == Scheme::kActivate || internal::ListensByName(scheme_name);
}

const std::string* Address::FindOption(absl::string_view name) const {
  for (const AddressOption& option : options) {
    if (option.name == name) return &option.value;
  }
  return nullptr;
}

bool Address::IsOn(absl::string_view name, bool otherwise) const {
  const std::string* const value = FindOption(name);
  return value == nullptr ? otherwise : *value == internal::YesNo(true);
}

Address Address::AsTcp() const {
  Address tcp;
  tcp.scheme = listens() ? Scheme::kTcpListen : Scheme::kTcp;
  tcp.scheme_name = listens() ? "tcp-listen" : "tcp";
  tcp.host = host;
  tcp.port = port;
  tcp.socket = socket;
  return tcp;
}

std::string Address::ToString() const {
  std::string out = absl::StrCat(scheme_name, ":", TargetText(*this));
  const std::string of_socket = socket.ToString();
  if (!of_socket.empty()) absl::StrAppend(&out, ",", of_socket);
  for (const AddressOption& option : options) {
    absl::StrAppend(&out, ",", option.name, "=",
                    internal::PercentEncode(option.value));
  }
  return out;
}

bool operator==(const Address& a, const Address& b) {
  const auto tie = [](const Address& x) {
    return std::tie(x.scheme, x.scheme_name, x.host, x.port, x.path, x.in_fd,
                    x.out_fd, x.socket, x.options);
  };
  return tie(a) == tie(b);
}

std::string AddressOption::ToString() const {
  return absl::StrCat(name, "=", value);
}

absl::string_view AddressSchemeName(Address::Scheme scheme) {
  switch (scheme) {
    case Address::Scheme::kTcp:
      return "tcp";
    case Address::Scheme::kTcpListen:
      return "tcp-listen";
    case Address::Scheme::kUnix:
      return "unix";
    case Address::Scheme::kUnixListen:
      return "unix-listen";
    case Address::Scheme::kUnixAbstract:
      return "unix-abstract";
    case Address::Scheme::kUnixAbstractListen:
      return "unix-abstract-listen";
    case Address::Scheme::kFd:
      return "fd";
    case Address::Scheme::kFile:
      return "file";
    case Address::Scheme::kStdio:
      return "stdio";
    case Address::Scheme::kPty:
      return "pty";
    case Address::Scheme::kExec:
      return "exec";
    case Address::Scheme::kActivate:
      return "activate";
    case Address::Scheme::kOther:
      return "other";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, Address::Scheme scheme) {
  return os << AddressSchemeName(scheme);
}

}  // namespace flow
