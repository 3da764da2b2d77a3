#include "flow/net/socket_options.h"

#include <sys/socket.h>

#include <tuple>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "flow/net/option_text.h"
#include "flow/net/percent.h"
#include "flow/net/socket_setup.h"
#include "flow/status.h"

namespace flow {
namespace {

template <typename T>
void Fill(std::optional<T>& field, const std::optional<T>& base) {
  if (!field.has_value()) field = base;
}

auto Tie(const SocketOptions& o) {
  return std::tie(o.nodelay, o.keepalive, o.send_buffer, o.receive_buffer,
                  o.reset_at_close, o.reuse_address, o.reuse_port, o.bind,
                  o.interface_name, o.v6only, o.mode, o.reclaim);
}

// The socket under `flow`, and its family.
struct LiveSocket {
  int fd = -1;
  int family = AF_UNSPEC;
};

absl::StatusOr<LiveSocket> SocketOf(const Flow& flow, Syscalls* sys,
                                    absl::string_view operation) {
  LiveSocket socket;
  socket.fd = flow.native_handle();
  sockaddr_storage name = {};
  socklen_t length = sizeof(name);
  if (socket.fd < 0 ||
      sys->Getsockname(socket.fd, reinterpret_cast<sockaddr*>(&name),
                       &length) != 0) {
    return MakeStatus(absl::StatusCode::kFailedPrecondition,
                      absl::StrCat(operation,
                                   " failed: the flow is closed, or "
                                   "has no socket of its own"),
                      {});
  }
  socket.family = name.ss_family;
  return socket;
}

std::string Where(const Flow& flow) {
  return EndpointPair(flow.local(), flow.peer());
}

}  // namespace

absl::Status SocketOptions::Check() const {
  for (const internal::SocketOptionText& option :
       internal::AllSocketOptions()) {
    const std::optional<std::string> value = option.print(*this);
    SocketOptions scratch;
    if (!value.has_value() || option.parse(*value, scratch)) continue;
    return InvalidArgument(absl::StrCat(
        "option \"", option.name, "\": bad value \"", absl::CHexEscape(*value),
        "\"; expected ", option.expected));
  }
  return absl::OkStatus();
}

SocketOptions SocketOptions::Over(const SocketOptions& base) const {
  SocketOptions out = *this;
  Fill(out.nodelay, base.nodelay);
  Fill(out.keepalive, base.keepalive);
  Fill(out.send_buffer, base.send_buffer);
  Fill(out.receive_buffer, base.receive_buffer);
  Fill(out.reset_at_close, base.reset_at_close);
  Fill(out.reuse_address, base.reuse_address);
  Fill(out.reuse_port, base.reuse_port);
  Fill(out.bind, base.bind);
  Fill(out.interface_name, base.interface_name);
  Fill(out.v6only, base.v6only);
  Fill(out.mode, base.mode);
  Fill(out.reclaim, base.reclaim);
  return out;
}

std::string SocketOptions::ToString() const {
  std::vector<std::string> set;
  for (const internal::SocketOptionText& option :
       internal::AllSocketOptions()) {
    const std::optional<std::string> value = option.print(*this);
    if (!value.has_value()) continue;
    set.push_back(
        absl::StrCat(option.name, "=", internal::PercentEncode(*value)));
  }
  return absl::StrJoin(set, ",");
}

bool operator==(const SocketOptions& a, const SocketOptions& b) {
  return Tie(a) == Tie(b);
}

absl::Status SetSocketOptions(const Flow& flow, const SocketOptions& options,
                              Syscalls* sys) {
  if (sys == nullptr) sys = Syscalls::Real();
  const absl::StatusOr<LiveSocket> socket =
      SocketOf(flow, sys, "SetSocketOptions");
  if (!socket.ok()) return socket.status();
  return internal::SetLive(sys, socket->fd, socket->family, options,
                           Where(flow));
}

absl::StatusOr<SocketOptions> GetSocketOptions(const Flow& flow,
                                               Syscalls* sys) {
  if (sys == nullptr) sys = Syscalls::Real();
  const absl::StatusOr<LiveSocket> socket =
      SocketOf(flow, sys, "GetSocketOptions");
  if (!socket.ok()) return socket.status();
  return internal::ReadOptions(sys, socket->fd, socket->family);
}

std::string Keepalive::ToString() const {
  if (!on) return "off";
  return idle == absl::ZeroDuration()
             ? "on"
             : absl::StrCat("on, after ", absl::FormatDuration(idle));
}

std::string BindAddress::ToString() const {
  return absl::StrCat(host, " port ", port);
}

}  // namespace flow
