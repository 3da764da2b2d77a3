#include "tools/flowcat/hints.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/net/dial.h"
#include "flow/status.h"

namespace flow_tools {
namespace {

using S = flow::Address::Scheme;

constexpr uint16_t kFirstFreePort = 1024;

// What is in the way at the path that should be listened on.
std::string HintForTakenPath(const flow::Address& address) {
  struct stat found = {};
  if (lstat(address.path.c_str(), &found) != 0) return "";
  if (!S_ISSOCK(found.st_mode)) {
    return "something that is no socket has that path: move it, or choose "
           "another";
  }
  flow::Address there = address;
  there.scheme = S::kUnix;
  there.scheme_name = "unix";
  there.socket = {};
  const absl::StatusOr<flow::Flow> live =
      flow::Dial(there.ToString(), absl::Seconds(1));
  if (live.ok()) return "a server is listening there: stop it first";
  if (flow::ErrnoOf(live.status()) == ECONNREFUSED) {
    return "nobody listens there any more: remove the path, or add ,reclaim";
  }
  return "";
}

std::string HintForListening(const flow::Address& address, int error) {
  const std::optional<uint16_t> port = address.numeric_port();
  if ((error == EACCES || error == EPERM) && port.value_or(0) != 0 &&
      *port < kFirstFreePort) {
    return absl::StrCat("ports below ", kFirstFreePort,
                        " are for root (or CAP_NET_BIND_SERVICE): choose one "
                        "above, or let systemd listen (activate:NAME)");
  }
  if (error == EADDRINUSE && address.scheme == S::kUnixListen) {
    return HintForTakenPath(address);
  }
  if (error == EADDRINUSE && !address.port.empty()) {
    return absl::StrCat(
        "somebody listens there already: \"ss -ltnp\" says "
        "who; port 0 is any free one");
  }
  if (error == EADDRNOTAVAIL) {
    return "this machine has no such address: \"ip address\" says which";
  }
  return "";
}

std::string HintForDialling(const flow::Address& address, int error) {
  if (error == ECONNREFUSED && address.is_unix()) {
    return "the path is there, but its server is gone";
  }
  if (error == ECONNREFUSED) {
    return "the machine answers, but nobody listens on that port";
  }
  if (error == ENOENT && address.is_unix()) {
    return "there is no such path: has its server been started?";
  }
  if (error == EACCES && address.is_unix()) {
    return "to connect takes the right to write to that path";
  }
  if (error == ENETUNREACH || error == EHOSTUNREACH) {
    return "there is no way to that network from here: \"ip route get\" says "
           "more";
  }
  return "";
}

std::string HintForTls(absl::string_view message) {
  if (absl::StrContains(message, "expired")) {
    return "the certificate is out of date: its owner has to renew it, or this "
           "machine's clock is wrong";
  }
  if (absl::StrContains(message, "self-signed") ||
      absl::StrContains(message, "self signed") ||
      absl::StrContains(message, "unable to get local issuer")) {
    return "nobody whom this machine trusts vouches for it; if you know it, "
           "name its root: ,ca=FILE";
  }
  if (absl::StrContains(message, "ostname mismatch") ||
      absl::StrContains(message, "is not for")) {
    return "if another name is meant: ,servername=NAME";
  }
  return "";
}

}  // namespace

std::string HintFor(const flow::Address& address, const absl::Status& status) {
  const int error = flow::ErrnoOf(status);
  if (absl::IsUnauthenticated(status)) return HintForTls(status.message());
  if (absl::StrContains(status.message(), "does not speak TLS")) {
    return "without TLS it may be tcp:";
  }
  if (error == 0 && absl::IsUnavailable(status) && !address.host.empty()) {
    return "is the name spelled right? \"getent ahosts\" says what this "
           "machine knows of it";
  }
  return address.listens() ? HintForListening(address, error)
                           : HintForDialling(address, error);
}

}  // namespace flow_tools
