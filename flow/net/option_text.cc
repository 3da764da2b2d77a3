#include "flow/net/option_text.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"

namespace flow {
namespace internal {
namespace {

constexpr int kMaxBuffer = 1 << 30;         // the kernel doubles it
constexpr int64_t kMaxIdleSeconds = 32767;  // tcp(7), MAX_TCP_KEEPIDLE
constexpr size_t kMaxInterface = 15;        // IFNAMSIZ less the end mark

constexpr char kYesOrNo[] = "yes or no";
constexpr char kSize[] = "bytes, from 1 to 2^30: 65536, 64k, 1M";

bool AllDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
}

std::optional<int> ParseSize(absl::string_view value) {
  int64_t unit = 1;
  if (absl::ConsumeSuffix(&value, "k") || absl::ConsumeSuffix(&value, "K")) {
    unit = 1 << 10;
  } else if (absl::ConsumeSuffix(&value, "M")) {
    unit = 1 << 20;
  }
  int32_t number = 0;
  if (!AllDigits(value) || !absl::SimpleAtoi(value, &number)) {
    return std::nullopt;
  }
  const int64_t bytes = number * unit;
  if (bytes < 1 || bytes > kMaxBuffer) return std::nullopt;
  return static_cast<int>(bytes);
}

std::optional<Keepalive> ParseKeepalive(absl::string_view value) {
  if (const std::optional<bool> on = ParseYesNo(value); on.has_value()) {
    return Keepalive{*on, absl::ZeroDuration()};
  }
  absl::Duration idle;
  if (!absl::ParseDuration(value, &idle) || idle < absl::Seconds(1) ||
      idle > absl::Seconds(kMaxIdleSeconds) ||
      absl::Trunc(idle, absl::Seconds(1)) != idle) {
    return std::nullopt;
  }
  return Keepalive{true, idle};
}

std::string KeepaliveText(const Keepalive& keepalive) {
  return !keepalive.on || keepalive.idle == absl::ZeroDuration()
             ? YesNo(keepalive.on)
             : absl::FormatDuration(keepalive.idle);
}

std::optional<BindAddress> ParseBind(absl::string_view value) {
  BindAddress bind;
  absl::string_view port;
  if (absl::ConsumePrefix(&value, "[")) {
    const size_t end = value.find(']');
    if (end == absl::string_view::npos) return std::nullopt;
    const std::optional<std::string> ip = CanonicalIp6(value.substr(0, end));
    if (!ip.has_value()) return std::nullopt;
    bind.host = *ip;
    port = value.substr(end + 1);
  } else {
    const size_t end = std::min(value.find(':'), value.size());
    const std::optional<std::string> ip = CanonicalIp4(value.substr(0, end));
    if (!ip.has_value()) return std::nullopt;
    bind.host = *ip;
    port = value.substr(end);
  }
  if (port.empty()) return bind;
  if (!absl::ConsumePrefix(&port, ":")) return std::nullopt;
  const std::optional<uint16_t> number = ParsePortNumber(port);
  if (!number.has_value()) return std::nullopt;
  bind.port = *number;
  return bind;
}

std::string BindText(const BindAddress& bind) {
  const bool v6 = bind.host.find(':') != std::string::npos;
  return absl::StrCat(v6 ? "[" : "", bind.host, v6 ? "]:" : ":", bind.port);
}

// What the kernel takes for the name of an interface (dev_valid_name).
std::optional<std::string> ParseInterface(absl::string_view value) {
  const bool fine = std::all_of(value.begin(), value.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c)) && c != '/' &&
           c != ':';
  });
  if (value.empty() || value.size() > kMaxInterface || !fine || value == "." ||
      value == "..") {
    return std::nullopt;
  }
  return std::string(value);
}

std::optional<bool> ParseLinger(absl::string_view value) {
  if (value == "0" || value == "0s") return true;
  if (value == "no") return false;
  return std::nullopt;
}

template <typename T>
bool Store(std::optional<T> parsed, std::optional<T>& into) {
  if (!parsed.has_value()) return false;
  into = *std::move(parsed);
  return true;
}

// An option that is on or off.
template <std::optional<bool> SocketOptions::*field>
constexpr SocketOptionText Switch(const char* name) {
  return {name, kYesOrNo, true,
          [](absl::string_view value, SocketOptions& into) {
            return Store(ParseYesNo(value), into.*field);
          },
          [](const SocketOptions& from) -> std::optional<std::string> {
            if (!(from.*field).has_value()) return std::nullopt;
            return YesNo(*(from.*field));
          }};
}

// Any other: `Parse` and `Print` are the two ways.
template <auto field, auto Parse, auto Print>
constexpr SocketOptionText Value(const char* name, const char* expected,
                                 bool may_be_bare = false) {
  return {name, expected, may_be_bare,
          [](absl::string_view value, SocketOptions& into) {
            return Store(Parse(value), into.*field);
          },
          [](const SocketOptions& from) -> std::optional<std::string> {
            if (!(from.*field).has_value()) return std::nullopt;
            return Print(*(from.*field));
          }};
}

std::string SizeText(int size) { return absl::StrCat(size); }
std::string LingerText(bool reset) { return reset ? "0" : "no"; }
std::string SameText(const std::string& text) { return text; }

using O = SocketOptions;

constexpr SocketOptionText kAll[] = {
    Switch<&O::nodelay>("nodelay"),
    Value<&O::keepalive, ParseKeepalive, KeepaliveText>(
        "keepalive", "yes, no, or whole seconds up to 32767s, such as 60s",
        true),
    Value<&O::send_buffer, ParseSize, SizeText>("send-buffer", kSize),
    Value<&O::receive_buffer, ParseSize, SizeText>("receive-buffer", kSize),
    Value<&O::reset_at_close, ParseLinger, LingerText>(
        "linger",
        "no, or 0 (Close resets, and what the peer has not got is lost); any "
        "other time would block Close"),
    Switch<&O::reuse_address>("reuse-address"),
    Switch<&O::reuse_port>("reuse-port"),
    Value<&O::bind, ParseBind, BindText>(
        "bind",
        "an IP address as a number, with or without a port: 10.0.0.1, "
        "[::1]:5000"),
    Value<&O::interface_name, ParseInterface, SameText>(
        "interface", "the name of a network interface, 1 to 15 characters"),
    Switch<&O::v6only>("v6only"),
    Value<&O::mode, ParseMode, ModeText>("mode",
                                         "octal digits, from 0000 to 0777"),
    Switch<&O::reclaim>("reclaim"),
};

}  // namespace

absl::Span<const SocketOptionText> AllSocketOptions() { return kAll; }

const SocketOptionText* FindSocketOption(absl::string_view name) {
  for (const SocketOptionText& option : kAll) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

std::optional<bool> ParseYesNo(absl::string_view value) {
  for (const absl::string_view yes : {"yes", "on", "true", "1"}) {
    if (value == yes) return true;
  }
  for (const absl::string_view no : {"no", "off", "false", "0"}) {
    if (value == no) return false;
  }
  return std::nullopt;
}

const char* YesNo(bool value) { return value ? "yes" : "no"; }

std::optional<mode_t> ParseMode(absl::string_view value) {
  if (value.empty() || value.size() > 6) return std::nullopt;
  mode_t mode = 0;
  for (const char digit : value) {
    if (digit < '0' || digit > '7') return std::nullopt;
    mode = mode * 8 + static_cast<mode_t>(digit - '0');
  }
  if (mode > 0777) return std::nullopt;
  return mode;
}

std::string ModeText(mode_t mode) { return absl::StrFormat("%04o", mode); }

std::optional<uint16_t> ParsePortNumber(absl::string_view value) {
  uint32_t number = 0;
  if (!AllDigits(value) || !absl::SimpleAtoi(value, &number) ||
      number > 65535) {
    return std::nullopt;
  }
  return static_cast<uint16_t>(number);
}

std::optional<std::string> CanonicalIp4(absl::string_view text) {
  in_addr address;
  char canonical[INET_ADDRSTRLEN];
  if (text.find('\0') != absl::string_view::npos ||
      inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) {
    return std::nullopt;
  }
  return inet_ntop(AF_INET, &address, canonical, sizeof(canonical));
}

std::optional<std::string> CanonicalIp6(absl::string_view text) {
  const size_t percent = std::min(text.find('%'), text.size());
  const absl::string_view number = text.substr(0, percent);
  const absl::string_view scope = text.substr(percent);  // with its %
  in6_addr address;
  char canonical[INET6_ADDRSTRLEN];
  if (text.find('\0') != absl::string_view::npos ||
      inet_pton(AF_INET6, std::string(number).c_str(), &address) != 1) {
    return std::nullopt;
  }
  if (!scope.empty() && (scope.find('%', 1) != absl::string_view::npos ||
                         !ParseInterface(scope.substr(1)).has_value())) {
    return std::nullopt;
  }
  return absl::StrCat(
      inet_ntop(AF_INET6, &address, canonical, sizeof(canonical)), scope);
}

}  // namespace internal
}  // namespace flow
