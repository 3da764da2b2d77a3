#include "flow/net/address.h"

#include <sys/un.h>

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "flow/status.h"

namespace flow {
namespace {

static_assert(kMaxUnixPath + 1 == sizeof(sockaddr_un::sun_path),
              "a path and its end mark fill sun_path");

// A message must stay readable whatever is passed for an address.
constexpr size_t kMaxShown = 200;
// RFC 1035, 2.3.4: 255 octets on the wire are 253 characters.
constexpr size_t kMaxHost = 253;

absl::Status Bad(absl::string_view text, absl::string_view expected) {
  return InvalidArgument(absl::StrCat(
      "bad address \"", absl::CHexEscape(text.substr(0, kMaxShown)),
      text.size() > kMaxShown ? "..." : "", "\": ", expected));
}

bool AllDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
}

// Visible and not a blank: what neither a name nor an address has is refused
// here, before a resolver sees it.
bool AllGraphic(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c)) ||
           static_cast<unsigned char>(c) >= 0x80;
  });
}

std::optional<uint16_t> PortNumber(absl::string_view port) {
  uint32_t number = 0;
  if (!AllDigits(port) || !absl::SimpleAtoi(port, &number) || number > 65535) {
    return std::nullopt;
  }
  return static_cast<uint16_t>(number);
}

bool IsServiceName(absl::string_view port) {
  return !port.empty() &&
         absl::ascii_isalpha(static_cast<unsigned char>(port[0])) &&
         std::all_of(port.begin(), port.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  c == '-' || c == '_' || c == '.';
         });
}

absl::StatusOr<Address> ParseUnix(absl::string_view text,
                                  absl::string_view path) {
  if (path.empty()) return Bad(text, "expected unix:PATH, but PATH is empty");
  if (path.find('\0') != absl::string_view::npos) {
    return Bad(text, "a path can't contain a NUL byte");
  }
  if (path.size() > kMaxUnixPath) {
    return Bad(text, absl::StrCat("the path is of ", path.size(),
                                  " bytes, a unix socket's of at most ",
                                  kMaxUnixPath));
  }
  if (path[0] == '@') {
    return Bad(text,
               "a path that begins with @ is kept for abstract names; "
               "write ./@... for a file");
  }
  Address address;
  address.scheme = Address::Scheme::kUnix;
  address.path = std::string(path);
  return address;
}

absl::StatusOr<Address> ParseTcp(absl::string_view text,
                                 absl::string_view rest) {
  const size_t colon = rest.rfind(':');
  if (colon == absl::string_view::npos) {
    return Bad(text, "expected tcp:HOST:PORT, but there is no PORT");
  }
  absl::string_view host = rest.substr(0, colon);
  const absl::string_view port = rest.substr(colon + 1);
  const bool bracketed = absl::ConsumePrefix(&host, "[");
  if (bracketed && !absl::ConsumeSuffix(&host, "]")) {
    return Bad(text, "expected tcp:[IPV6]:PORT, but there is no ]");
  }
  if (host.empty()) return Bad(text, "expected tcp:HOST:PORT, HOST is empty");
  if (!bracketed && host.find(':') != absl::string_view::npos) {
    return Bad(text, "write an IPv6 address in brackets: tcp:[::1]:80");
  }
  if (bracketed && host.find(':') == absl::string_view::npos) {
    return Bad(text, "what is in brackets must be an IPv6 address");
  }
  if (host.size() > kMaxHost || !AllGraphic(host) ||
      host.find_first_of("[]") != absl::string_view::npos) {
    return Bad(text, "HOST is neither an IP address nor a name");
  }
  if (!PortNumber(port).has_value() && !IsServiceName(port)) {
    return Bad(text,
               "PORT must be a number from 0 to 65535 or a service's "
               "name");
  }
  Address address;
  address.host = std::string(host);
  address.port = std::string(port);
  return address;
}

}  // namespace

std::optional<uint16_t> Address::numeric_port() const {
  return PortNumber(port);
}

std::string Address::ToString() const {
  if (scheme == Scheme::kUnix) {
    return absl::StrCat("unix:", absl::CHexEscape(path));
  }
  const bool v6 = host.find(':') != std::string::npos;
  return absl::StrCat("tcp:", v6 ? "[" : "", absl::CHexEscape(host),
                      v6 ? "]" : "", ":", port);
}

absl::StatusOr<Address> ParseAddress(absl::string_view text) {
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "tcp:")) return ParseTcp(text, rest);
  if (absl::ConsumePrefix(&rest, "unix:")) return ParseUnix(text, rest);
  return Bad(text, "expected tcp:HOST:PORT or unix:PATH");
}

}  // namespace flow
