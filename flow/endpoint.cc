#include "flow/endpoint.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace flow {
namespace {

std::string UnixName(const sockaddr_un& address, socklen_t length) {
  constexpr size_t kHead = offsetof(sockaddr_un, sun_path);
  if (length <= kHead) return "";  // unnamed: a socketpair, an unbound client
  absl::string_view path(static_cast<const char*>(address.sun_path),
                         length - kHead);
  if (path[0] == '\0') {
    // Abstract: the name is every byte up to `length` (unix(7)).
    return absl::StrCat("@", path.substr(1));
  }
  return std::string(path.substr(0, path.find('\0')));
}

}  // namespace

Endpoint::Endpoint(const Endpoint& other) { *this = other; }

Endpoint& Endpoint::operator=(const Endpoint& other) {
  if (this == &other) return *this;
  std::memcpy(address_, other.address_, sizeof(address_));
  scope_id_ = other.scope_id_;
  port_ = other.port_;
  kind_ = other.kind_;
  name_ = other.name_ == nullptr
              ? nullptr
              : std::make_unique<const std::string>(*other.name_);
  return *this;
}

Endpoint Endpoint::FromSockaddr(const sockaddr* address, socklen_t length) {
  Endpoint endpoint;
  if (address == nullptr || length < sizeof(address->sa_family)) {
    return endpoint;
  }
  if (address->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof(in));
    endpoint.kind_ = Kind::kTcp4;
    endpoint.port_ = ntohs(in.sin_port);
    std::memcpy(endpoint.address_, &in.sin_addr, sizeof(in.sin_addr));
  } else if (address->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in6;
    std::memcpy(&in6, address, sizeof(in6));
    endpoint.kind_ = Kind::kTcp6;
    endpoint.port_ = ntohs(in6.sin6_port);
    endpoint.scope_id_ = in6.sin6_scope_id;
    std::memcpy(endpoint.address_, &in6.sin6_addr, sizeof(in6.sin6_addr));
  } else if (address->sa_family == AF_UNIX) {
    sockaddr_un un = {};
    const socklen_t fits =
        length < sizeof(un) ? length : static_cast<socklen_t>(sizeof(un));
    std::memcpy(&un, address, fits);
    endpoint.kind_ = Kind::kUnix;
    const std::string name = UnixName(un, fits);
    if (!name.empty()) {
      endpoint.name_ = std::make_unique<const std::string>(name);
    }
  }
  return endpoint;
}

Endpoint Endpoint::Named(absl::string_view name) {
  Endpoint endpoint;
  endpoint.kind_ = Kind::kOther;
  endpoint.name_ = std::make_unique<const std::string>(name);
  return endpoint;
}

uint16_t Endpoint::port() const { return port_; }

absl::string_view Endpoint::scheme() const {
  switch (kind_) {
    case Kind::kTcp4:
    case Kind::kTcp6:
      return "tcp";
    case Kind::kUnix:
      return "unix";
    case Kind::kUnknown:
    case Kind::kOther:
      return "";
  }
  return "";
}

std::string Endpoint::ToString() const {
  char text[INET6_ADDRSTRLEN] = "";
  switch (kind_) {
    case Kind::kTcp4:
      inet_ntop(AF_INET, address_, text, sizeof(text));
      return absl::StrCat(text, ":", port_);
    case Kind::kTcp6: {
      inet_ntop(AF_INET6, address_, text, sizeof(text));
      if (scope_id_ == 0) return absl::StrCat("[", text, "]:", port_);
      char name[IF_NAMESIZE] = "";
      if (if_indextoname(scope_id_, name) != nullptr) {
        return absl::StrCat("[", text, "%", name, "]:", port_);
      }
      return absl::StrCat("[", text, "%", scope_id_, "]:", port_);
    }
    case Kind::kUnix:
      return name_ == nullptr ? "(unnamed)" : absl::CHexEscape(*name_);
    case Kind::kOther:
      return absl::CHexEscape(*name_);
    case Kind::kUnknown:
      return "?";
  }
  return "?";
}

std::string EndpointPair(const Endpoint& local, const Endpoint& peer) {
  const absl::string_view scheme =
      local.scheme().empty() ? peer.scheme() : local.scheme();
  return absl::StrCat(scheme, scheme.empty() ? "" : " ", local.ToString(),
                      " -> ", peer.ToString());
}

absl::string_view EndpointKindName(Endpoint::Kind kind) {
  switch (kind) {
    case Endpoint::Kind::kUnknown:
      return "unknown";
    case Endpoint::Kind::kTcp4:
      return "tcp4";
    case Endpoint::Kind::kTcp6:
      return "tcp6";
    case Endpoint::Kind::kUnix:
      return "unix";
    case Endpoint::Kind::kOther:
      return "other";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, Endpoint::Kind kind) {
  return os << EndpointKindName(kind);
}

}  // namespace flow
