// ParseAddress (address.h): the text of an address, piece by piece. What the
// pieces may be is in grammar.h and option_text.h.

#include <sys/un.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "flow/net/address.h"
#include "flow/net/grammar.h"
#include "flow/net/option_text.h"
#include "flow/net/options_parser.h"
#include "flow/net/percent.h"
#include "flow/status.h"

namespace flow {
namespace {

using internal::Quoted;
using internal::SchemeSpec;
using internal::TargetKind;

static_assert(kMaxUnixPath + 1 == sizeof(sockaddr_un::sun_path),
              "a path and its end mark fill sun_path");

// RFC 1035, 2.3.4: 255 octets on the wire are 253 characters.
constexpr size_t kMaxHost = 253;

// Visible and not a blank: what neither a name nor an address has is refused
// here, before a resolver sees it.
bool AllGraphic(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c)) ||
           static_cast<unsigned char>(c) >= 0x80;
  });
}

bool IsServiceName(absl::string_view port) {
  return !port.empty() &&
         absl::ascii_isalpha(static_cast<unsigned char>(port[0])) &&
         std::all_of(port.begin(), port.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  c == '-' || c == '_' || c == '.';
         });
}

// "localhost:80": what other programs take.
bool LooksLikeHostPort(absl::string_view text) {
  const size_t colon = text.find(':');
  if (colon == 0 || colon == absl::string_view::npos) return false;
  const absl::string_view host = text.substr(0, colon);
  const absl::string_view port = text.substr(colon + 1);
  const auto in_host = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' ||
           c == '-';
  };
  const auto in_port = [](char c) { return c >= '0' && c <= '9'; };
  return !port.empty() && std::all_of(port.begin(), port.end(), in_port) &&
         std::all_of(host.begin(), host.end(), in_host);
}

class Parser {
 public:
  Parser(absl::string_view text, const Schemes* schemes, bool to_listen)
      : text_(text), schemes_(schemes), to_listen_(to_listen) {}

  absl::StatusOr<Address> Run();

 private:
  absl::Status Bad(absl::string_view why) const {
    return InvalidArgument(
        absl::StrCat("bad address ", Quoted(text_), ": ", why));
  }
  // "expected tcp:HOST:PORT, but `but`".
  absl::Status Expected(absl::string_view but) const {
    return Bad(
        absl::StrCat("expected ", spec_.name, ":", spec_.shape, ", but ", but));
  }
  absl::Status Target(absl::string_view target);
  absl::Status HostPort(absl::string_view target);
  absl::Status Host(absl::string_view host);
  absl::Status Bytes(absl::string_view target);
  absl::Status UnixPath() const;
  absl::Status Fds(absl::string_view target);

  const absl::string_view text_;
  const Schemes* const schemes_;
  const bool to_listen_;
  SchemeSpec spec_;
  Address address_;
};

absl::StatusOr<Address> Parser::Run() {
  const absl::string_view text = text_ == "-" ? "stdio:" : text_;
  const size_t colon = text.find(':');
  const absl::string_view name = text.substr(0, std::min(colon, text.size()));
  std::optional<SchemeSpec> spec;
  if (to_listen_) {
    spec = internal::FindScheme(absl::StrCat(name, "-listen"), schemes_);
  }
  if (!spec.has_value()) spec = internal::FindScheme(name, schemes_);
  if (colon == absl::string_view::npos || !spec.has_value()) {
    return Bad(
        absl::StrCat(colon == absl::string_view::npos
                         ? "expected SCHEME:..., or -"
                         : absl::StrCat("unknown scheme ", Quoted(name)),
                     LooksLikeHostPort(text)
                         ? absl::StrCat(" (for HOST:PORT write tcp:", text, ")")
                         : "",
                     "; the schemes are ", internal::SchemeNames(schemes_)));
  }
  spec_ = *std::move(spec);
  address_.scheme = spec_.scheme;
  address_.scheme_name = spec_.name;

  const std::vector<absl::string_view> items =
      absl::StrSplit(text.substr(colon + 1), ',');
  if (absl::Status s = Target(items[0]); !s.ok()) return s;
  internal::OptionsParser options(spec_, address_);
  for (size_t i = 1; i < items.size(); ++i) {
    if (absl::Status s = options.Take(items[i]); !s.ok()) {
      return Bad(s.message());
    }
  }
  if (absl::Status s = options.Finish(); !s.ok()) return Bad(s.message());
  return std::move(address_);
}

// --- Targets.

absl::Status Parser::Target(absl::string_view target) {
  switch (spec_.target) {
    case TargetKind::kHostPort:
      return HostPort(target);
    case TargetKind::kFds:
      return Fds(target);
    case TargetKind::kNone:
      return target.empty()
                 ? absl::OkStatus()
                 : Bad(absl::StrCat("expected ", spec_.name,
                                    ": with nothing behind the colon"));
    case TargetKind::kUnixPath:
    case TargetKind::kAbstractName:
    case TargetKind::kText:
      return Bytes(target);
  }
  return absl::InternalError("a target of no kind");
}

absl::Status Parser::HostPort(absl::string_view target) {
  const size_t colon = target.rfind(':');
  // A colon inside of brackets is none before a port.
  if (colon == absl::string_view::npos ||
      (absl::StartsWith(target, "[") && absl::EndsWith(target, "]"))) {
    return Expected("there is no PORT");
  }
  if (absl::Status s = Host(target.substr(0, colon)); !s.ok()) return s;
  const absl::string_view port = target.substr(colon + 1);
  const std::optional<uint16_t> number = internal::ParsePortNumber(port);
  if (!number.has_value() && !IsServiceName(port)) {
    return Bad("PORT must be a number from 0 to 65535 or a service's name");
  }
  address_.port =
      number.has_value() ? absl::StrCat(*number) : std::string(port);
  return absl::OkStatus();
}

absl::Status Parser::Host(absl::string_view host) {
  if (absl::ConsumePrefix(&host, "[")) {
    if (!absl::ConsumeSuffix(&host, "]")) {
      return Bad(absl::StrCat("expected ", spec_.name,
                              ":[IPV6]:PORT, but there is no ]"));
    }
    if (host.empty()) return Expected("HOST is empty");
    std::optional<std::string> ip = internal::CanonicalIp6(host);
    if (!ip.has_value()) {
      return Bad("what is in brackets must be an IPv6 address");
    }
    address_.host = *std::move(ip);
    return absl::OkStatus();
  }
  if (host.empty()) return Expected("HOST is empty");
  std::optional<std::string> name = internal::PercentDecode(host);
  if (!name.has_value()) {
    return Bad("a % in HOST must be followed by two hex digits");
  }
  if (name->find(':') != std::string::npos) {
    return Bad(absl::StrCat("write an IPv6 address in brackets: ", spec_.name,
                            ":[::1]:80"));
  }
  if (name->size() > kMaxHost || !AllGraphic(*name) ||
      name->find_first_of("[]") != std::string::npos) {
    return Bad("HOST is neither an IP address nor a name");
  }
  address_.host = *std::move(name);
  return absl::OkStatus();
}

absl::Status Parser::Bytes(absl::string_view target) {
  std::optional<std::string> path = internal::PercentDecode(target);
  if (!path.has_value()) {
    return Bad(absl::StrCat("a % in ", spec_.shape,
                            " must be followed by two hex digits; a percent "
                            "sign is written %25"));
  }
  if (path->empty()) {
    return Expected(absl::StrCat(spec_.shape, " is empty"));
  }
  const bool abstract = spec_.target == TargetKind::kAbstractName;
  if (!abstract && path->find('\0') != std::string::npos) {
    return Bad(absl::StrCat(spec_.shape, " can't contain a NUL byte"));
  }
  address_.path = *std::move(path);
  if (abstract || spec_.target == TargetKind::kUnixPath) return UnixPath();
  return absl::OkStatus();
}

absl::Status Parser::UnixPath() const {
  const std::string& path = address_.path;
  if (path.size() > kMaxUnixPath) {
    return Bad(absl::StrCat(spec_.shape, " is of ", path.size(),
                            " bytes, a unix socket's of at most ",
                            kMaxUnixPath));
  }
  if (spec_.target == TargetKind::kUnixPath && path[0] == '@') {
    return Bad(
        "a path can't begin with @; abstract names are unix-abstract:NAME, a "
        "file is ./@...");
  }
  return absl::OkStatus();
}

absl::Status Parser::Fds(absl::string_view target) {
  const std::vector<absl::string_view> numbers = absl::StrSplit(target, ':');
  if (numbers.size() > 2) return Expected("there are more than two numbers");
  int fds[2] = {-1, -1};
  for (size_t i = 0; i < numbers.size(); ++i) {
    const bool digits =
        !numbers[i].empty() &&
        numbers[i].find_first_not_of("0123456789") == absl::string_view::npos;
    if (!digits || !absl::SimpleAtoi(numbers[i], &fds[i])) {
      return Expected(
          absl::StrCat(Quoted(numbers[i]), " is no descriptor's number"));
    }
  }
  address_.in_fd = fds[0];
  address_.out_fd = numbers.size() == 2 ? fds[1] : fds[0];
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Address> ParseAddress(absl::string_view text,
                                     const Schemes* schemes) {
  return Parser(text, schemes, /*to_listen=*/false).Run();
}

absl::StatusOr<Address> ParseListenAddress(absl::string_view text,
                                           const Schemes* schemes) {
  return Parser(text, schemes, /*to_listen=*/true).Run();
}

}  // namespace flow
