#include "flow/net/socket_setup.h"

#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <initializer_list>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/endpoint.h"
#include "flow/net/option_text.h"
#include "flow/status.h"

namespace flow {
namespace internal {
namespace {

using Names = std::initializer_list<absl::string_view>;

constexpr mode_t kDefaultMode = 0600;

bool IsTcp(int family) { return family == AF_INET || family == AF_INET6; }

// Refuses what is set and not one of `known`.
absl::Status CheckKnown(const SocketOptions& options, Names known,
                        absl::string_view what) {
  for (const SocketOptionText& option : AllSocketOptions()) {
    const std::optional<std::string> value = option.print(options);
    if (!value.has_value()) continue;
    bool is_known = false;
    for (const absl::string_view name : known) is_known |= name == option.name;
    if (is_known) continue;
    return InvalidArgument(
        absl::StrCat("option \"", option.name, "\" is not for ", what));
  }
  return absl::OkStatus();
}

// One socket in the making.
class Setter {
 public:
  Setter(Syscalls* sys, int fd, int family, absl::string_view where)
      : sys_(sys), fd_(fd), family_(family), where_(where) {}

  // Each does nothing once one has failed.
  template <typename T>
  void Set(int level, int number, const T& value, absl::string_view words) {
    SetBytes(level, number, &value, sizeof(value), words);
  }
  void SetBytes(int level, int number, const void* value, size_t size,
                absl::string_view words) {
    if (!status_.ok()) return;
    if (sys_->Setsockopt(fd_, level, number, value,
                         static_cast<socklen_t>(size)) != 0) {
      Fail(errno, "setsockopt", words);
    }
  }
  void SetSwitch(int level, int number, bool on, absl::string_view name) {
    const int value = on ? 1 : 0;
    Set(level, number, value, absl::StrCat(name, "=", YesNo(on)));
  }

  void Common(const SocketOptions& options);
  void Tcp(const SocketOptions& options);
  void Bind(const BindAddress& bind);
  void Mode(mode_t mode) {
    // [run] Linux makes the file with the mode of the unbound socket's inode,
    // so there is no moment in which it has another.
    if (status_.ok() && sys_->Fchmod(fd_, mode) != 0) {
      Fail(errno, "fchmod", absl::StrCat("mode=", ModeText(mode)));
    }
  }

  absl::Status status() const { return status_; }

 private:
  void Fail(int error, absl::string_view call, absl::string_view words) {
    status_ = ErrnoStatus(error, call, absl::StrCat(words, ", ", where_));
  }

  Syscalls* const sys_;
  const int fd_;
  const int family_;
  const absl::string_view where_;
  absl::Status status_;
};

void Setter::Common(const SocketOptions& options) {
  if (options.send_buffer.has_value()) {
    Set(SOL_SOCKET, SO_SNDBUF, *options.send_buffer,
        absl::StrCat("send-buffer=", *options.send_buffer));
  }
  if (options.receive_buffer.has_value()) {
    Set(SOL_SOCKET, SO_RCVBUF, *options.receive_buffer,
        absl::StrCat("receive-buffer=", *options.receive_buffer));
  }
}

void Setter::Tcp(const SocketOptions& options) {
  if (options.nodelay.has_value()) {
    SetSwitch(IPPROTO_TCP, TCP_NODELAY, *options.nodelay, "nodelay");
  }
  if (options.keepalive.has_value()) {
    SetSwitch(SOL_SOCKET, SO_KEEPALIVE, options.keepalive->on, "keepalive");
    if (options.keepalive->on &&
        options.keepalive->idle != absl::ZeroDuration()) {
      const int seconds =
          static_cast<int>(absl::ToInt64Seconds(options.keepalive->idle));
      Set(IPPROTO_TCP, TCP_KEEPIDLE, seconds,
          absl::StrCat("keepalive=", seconds, "s"));
    }
  }
  if (options.reset_at_close.has_value()) {
    const linger value = {*options.reset_at_close ? 1 : 0, 0};
    Set(SOL_SOCKET, SO_LINGER, value,
        absl::StrCat("linger=", *options.reset_at_close ? "0" : "no"));
  }
}

void Setter::Bind(const BindAddress& bind) {
  if (!status_.ok()) return;
  SocketOptions only;
  only.bind = bind;
  const std::string words = only.ToString();
  addrinfo hints = {};
  hints.ai_family = family_;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = absl::StrCat(bind.port);
  const int error =
      sys_->GetAddrInfo(bind.host.c_str(), port.c_str(), &hints, &found);
  if (error != 0 || found == nullptr) {
    // Of the other family, or with a scope that is no interface here.
    status_ = MakeStatus(
        absl::StatusCode::kUnavailable,
        absl::StrCat(
            "bind() failed: ", family_ == AF_INET ? "no IPv4" : "no IPv6",
            " address of this machine; ", words, ", ", where_),
        {ErrorKind::kSystem, EADDRNOTAVAIL, "bind", "", "", 0});
    return;
  }
  if (sys_->Bind(fd_, found->ai_addr, found->ai_addrlen) != 0) {
    Fail(errno, "bind", words);
  }
  sys_->FreeAddrInfo(found);
}

// For reading; false in ok() once one has failed.
class Getter {
 public:
  Getter(Syscalls* sys, int fd) : sys_(sys), fd_(fd) {}

  template <typename T = int>
  T Get(int level, int number, absl::string_view name) {
    T value = {};
    socklen_t length = sizeof(value);
    if (sys_->Getsockopt(fd_, level, number, &value, &length) != 0 &&
        status_.ok()) {
      status_ = ErrnoStatus(errno, "getsockopt", name);
    }
    return value;
  }
  bool GetSwitch(int level, int number, absl::string_view name) {
    return Get(level, number, name) != 0;
  }

  absl::Status status() const { return status_; }

 private:
  Syscalls* const sys_;
  const int fd_;
  absl::Status status_;
};

}  // namespace

absl::Status CheckFor(SocketRole role, int family,
                      const SocketOptions& options) {
  if (absl::Status s = options.Check(); !s.ok()) return s;
  const bool dials = role == SocketRole::kDial;
  if (!IsTcp(family)) {
    return dials ? CheckKnown(options, {"send-buffer", "receive-buffer"},
                              "a unix connection")
                 : CheckKnown(
                       options,
                       {"send-buffer", "receive-buffer", "mode", "reclaim"},
                       "a unix listener");
  }
  return dials ? CheckKnown(options,
                            {"nodelay", "keepalive", "send-buffer",
                             "receive-buffer", "linger", "reuse-address",
                             "reuse-port", "bind", "interface"},
                            "a TCP connection that is made")
               : CheckKnown(options,
                            {"nodelay", "keepalive", "send-buffer",
                             "receive-buffer", "linger", "reuse-address",
                             "reuse-port", "interface", "v6only"},
                            "a TCP listener");
}

absl::Status PrepareSocket(Syscalls* sys, int fd, int family, SocketRole role,
                           const SocketOptions& options,
                           absl::string_view where) {
  if (absl::Status s = CheckFor(role, family, options); !s.ok()) return s;
  Setter set(sys, fd, family, where);
  const bool listens = role == SocketRole::kListen;
  // Before anything is sent: it bounds the window that TCP agrees on.
  set.Common(options);
  if (!IsTcp(family)) {
    if (listens) set.Mode(options.mode.value_or(kDefaultMode));
    return set.status();
  }
  SocketOptions tcp = options;
  if (!tcp.nodelay.has_value()) tcp.nodelay = true;
  if (!*tcp.nodelay) tcp.nodelay.reset();  // as it is born
  set.Tcp(tcp);
  if (options.reuse_address.value_or(listens)) {
    set.SetSwitch(SOL_SOCKET, SO_REUSEADDR, true, "reuse-address");
  }
  if (options.reuse_port.value_or(false)) {
    set.SetSwitch(SOL_SOCKET, SO_REUSEPORT, true, "reuse-port");
  }
  if (options.v6only.has_value() && family == AF_INET6) {
    set.SetSwitch(IPPROTO_IPV6, IPV6_V6ONLY, *options.v6only, "v6only");
  }
  if (options.interface_name.has_value()) {
    set.SetBytes(SOL_SOCKET, SO_BINDTODEVICE, options.interface_name->c_str(),
                 options.interface_name->size() + 1,
                 absl::StrCat("interface=", *options.interface_name));
  }
  if (options.bind.has_value()) set.Bind(*options.bind);
  return set.status();
}

absl::Status PrepareAccepted(Syscalls* sys, int fd, int family,
                             const SocketOptions& options) {
  if (IsTcp(family)) return absl::OkStatus();
  Setter set(sys, fd, family, "an accepted connection");
  set.Common(options);
  return set.status();
}

absl::Status SetLive(Syscalls* sys, int fd, int family,
                     const SocketOptions& options, absl::string_view where) {
  if (absl::Status s = options.Check(); !s.ok()) return s;
  const absl::Status known =
      IsTcp(family) ? CheckKnown(options,
                                 {"nodelay", "keepalive", "send-buffer",
                                  "receive-buffer", "linger"},
                                 "a TCP connection that is there already")
                    : CheckKnown(options, {"send-buffer", "receive-buffer"},
                                 "a unix connection that is there already");
  if (!known.ok()) return known;
  Setter set(sys, fd, family, where);
  set.Common(options);
  if (IsTcp(family)) set.Tcp(options);
  return set.status();
}

absl::StatusOr<SocketOptions> ReadOptions(Syscalls* sys, int fd, int family) {
  Getter get(sys, fd);
  SocketOptions now;
  now.send_buffer = get.Get(SOL_SOCKET, SO_SNDBUF, "send-buffer");
  now.receive_buffer = get.Get(SOL_SOCKET, SO_RCVBUF, "receive-buffer");
  if (!IsTcp(family)) {
    if (!get.status().ok()) return get.status();
    return now;
  }
  now.nodelay = get.GetSwitch(IPPROTO_TCP, TCP_NODELAY, "nodelay");
  now.keepalive =
      Keepalive{get.GetSwitch(SOL_SOCKET, SO_KEEPALIVE, "keepalive"),
                absl::Seconds(get.Get(IPPROTO_TCP, TCP_KEEPIDLE, "keepalive"))};
  now.reset_at_close =
      get.Get<linger>(SOL_SOCKET, SO_LINGER, "linger").l_onoff != 0;
  now.reuse_address = get.GetSwitch(SOL_SOCKET, SO_REUSEADDR, "reuse-address");
  now.reuse_port = get.GetSwitch(SOL_SOCKET, SO_REUSEPORT, "reuse-port");
  char name[IF_NAMESIZE] = "";
  socklen_t length = sizeof(name);
  // Where the system does not tell, it stays open.
  if (sys->Getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length) == 0 &&
      length > 1) {
    now.interface_name = std::string(name);
  }
  if (!get.status().ok()) return get.status();
  return now;
}

}  // namespace internal
}  // namespace flow
