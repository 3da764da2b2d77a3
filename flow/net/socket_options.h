// File: socket_options.h
//
// SocketOptions: what can be set on a socket, as types that are checked before
// the kernel is asked. (Also known as setsockopt, SO_..., TCP_....)
//
//   flow::SocketOptions options;
//   options.keepalive = flow::Keepalive{true, absl::Seconds(60)};
//   absl::Status s = flow::SetSocketOptions(f, options);
//   absl::StatusOr<flow::SocketOptions> now = flow::GetSocketOptions(f);
//
// The same options are written behind an address, "tcp:h:80,keepalive=60s"
// (flow/net/address.h); Dial and Listen set them at the moment at which each
// takes effect. A field that is not set leaves the default: the system's, but
// for `nodelay`, which is on, `reuse_address`, which is on where one listens,
// and `mode`, which is 0600.
//
// | field          | in an address     | tcp | tcp-listen | unix | ..-listen |
// |----------------|-------------------|-----|------------|------|-----------|
// | nodelay        | nodelay=no        | yes | flows      |      |           |
// | keepalive      | keepalive=60s     | yes | flows      |      |           |
// | send_buffer    | send-buffer=64k   | yes | flows      | yes  | flows     |
// | receive_buffer | receive-buffer=1M | yes | flows      | yes  | flows     |
// | reset_at_close | linger=0          | yes | flows      |      |           |
// | reuse_address  | reuse-address=no  | yes | yes        |      |           |
// | reuse_port     | reuse-port        | yes | yes        |      |           |
// | bind           | bind=10.0.0.1:0   | yes |            |      |           |
// | interface_name | interface=eth0    | yes | yes        |      |           |
// | v6only         | v6only            |     | yes        |      |           |
// | mode           | mode=0660         |     |            |      | yes       |
// | reclaim        | reclaim           |     |            |      | yes       |
//
// ("flows": it is those that are accepted which have it. unix-abstract is as
// unix, but for what is about files: mode and reclaim.)
//
// There is no lingering: close(2) of a socket with SO_LINGER and a time blocks
// for that time, non-blocking or not, and no Close may (P3). What can be had
// is the time 0, by its own name: `reset_at_close` makes each Close of the
// flow an Abort. Whatever the peer has not got yet is lost, and the peer is
// told by a reset, never by a false end (P1).
//
// Guarantees: the struct is a value; functions may be called from any thread.

#ifndef FLOW_NET_SOCKET_OPTIONS_H_
#define FLOW_NET_SOCKET_OPTIONS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/sys/syscalls.h"

namespace flow {

// Asks a silent peer whether it is still there (SO_KEEPALIVE, tcp(7)).
struct Keepalive {
  // False: does not ask.
  bool on = true;
  // After how much silence the first time (TCP_KEEPIDLE): whole seconds, 1 to
  // 32767. Zero: the system's, two hours as a rule.
  absl::Duration idle = absl::ZeroDuration();

  friend bool operator==(const Keepalive& a, const Keepalive& b) {
    return a.on == b.on && a.idle == b.idle;
  }

  // "on, after 60s"; "off".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Keepalive& keepalive) {
    sink.Append(keepalive.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const Keepalive& keepalive) {
    return os << keepalive.ToString();
  }
};

// This end of a connection that is to be made.
struct BindAddress {
  // An IPv4 or IPv6 address as a number, without brackets: "10.0.0.1",
  // "fe80::1%eth0".
  std::string host;
  // 0: any that is free.
  uint16_t port = 0;

  friend bool operator==(const BindAddress& a, const BindAddress& b) {
    return a.host == b.host && a.port == b.port;
  }

  // "10.0.0.1 port 80".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const BindAddress& address) {
    sink.Append(address.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const BindAddress& address) {
    return os << address.ToString();
  }
};

struct SocketOptions {
  // Small writes are sent at once (TCP_NODELAY).
  std::optional<bool> nodelay;
  std::optional<Keepalive> keepalive;
  // Bytes, 1 to 2^30 (SO_SNDBUF, SO_RCVBUF). The system may cut them to its own
  // limits without a word; Linux reports twice what it took.
  std::optional<int> send_buffer;
  std::optional<int> receive_buffer;
  // Close resets (SO_LINGER with 0 seconds); see above.
  std::optional<bool> reset_at_close;
  // SO_REUSEADDR, SO_REUSEPORT.
  std::optional<bool> reuse_address;
  std::optional<bool> reuse_port;
  std::optional<BindAddress> bind;
  // The only network interface to be used (SO_BINDTODEVICE): 1 to 15 bytes.
  std::optional<std::string> interface_name;
  // An IPv6 listener takes no IPv4 connections (IPV6_V6ONLY). Passed over for
  // the IPv4 addresses of a name.
  std::optional<bool> v6only;
  // Of the file that a unix listener makes, less the umask; up to 0777.
  std::optional<mode_t> mode;
  // Takes over a unix path that a server has left behind; never that of a live
  // one, or what is no socket (flow/net/listener.h).
  std::optional<bool> reclaim;

  // INVALID_ARGUMENT, with the option's name and value, if one is out of range.
  [[nodiscard]] absl::Status Check() const;

  // These, and what they leave open as in `base`.
  SocketOptions Over(const SocketOptions& base) const;

  // As behind an address, without the first comma: "nodelay=no,keepalive=1m".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const SocketOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const SocketOptions& o) {
    return os << o.ToString();
  }
  friend bool operator==(const SocketOptions& a, const SocketOptions& b);
  friend bool operator!=(const SocketOptions& a, const SocketOptions& b) {
    return !(a == b);
  }
};

// Sets what is set in `options` on a flow that lives: nodelay, keepalive, the
// buffers, reset_at_close. INVALID_ARGUMENT: a value is out of range, or an
// option is one that has to be there from birth, or that this kind of socket
// doesn't have; nothing has been set then. FAILED_PRECONDITION: the flow has no
// native_handle() (it is closed, say), or that is no socket. Doesn't block.
// Must not race with Close or destruction of `flow`: the descriptor's number is
// used.
[[nodiscard]] absl::Status SetSocketOptions(const Flow& flow,
                                            const SocketOptions& options,
                                            Syscalls* sys = nullptr);

// What the kernel says of the flow's socket now: every field that a connection
// of its kind has, but for `bind`, which is Flow::local(). Errors, and the
// race, as above.
[[nodiscard]] absl::StatusOr<SocketOptions> GetSocketOptions(
    const Flow& flow, Syscalls* sys = nullptr);

}  // namespace flow

#endif  // FLOW_NET_SOCKET_OPTIONS_H_
