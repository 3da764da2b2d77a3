// File: activation.h
//
// Socket activation: listeners on sockets that this process was started with,
// by systemd or whoever else speaks sd_listen_fds(3).
//
//   // app.socket: ListenStream=80, FileDescriptorName=http
//   absl::StatusOr<flow::Listener> http =
//       flow::ListenerFromEnvironment("http");
//
// The parent says so by LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES; what is said
// to another process is not for us, and gives nothing. Each socket is taken
// once: what was taken is not there for a later call, so that no number is
// owned twice. A path that a unix socket is bound to is the parent's, and stays
// when the listener closes. Sockets that are taken are close-on-exec from then
// on; those that are not are left as they are.
//
// Guarantees: any thread, but for the environment: reading it must not race
// with setenv(3), and `unset_environment` must not race with anybody who reads
// it. Call it early.

#ifndef FLOW_NET_ACTIVATION_H_
#define FLOW_NET_ACTIVATION_H_

#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/net/listener.h"
#include "flow/sys/syscalls.h"

namespace flow {

// Where the sockets are looked for.
struct ActivationOptions {
  // Makes the system calls of the listeners and their flows; null is the real
  // kernel. Must outlive them.
  Syscalls* sys = nullptr;
  // Removes the three variables afterwards, also after an error, so that no
  // program started from here believes that they are its own. (LISTEN_PID
  // tells it, too.)
  bool unset_environment = false;

  // "unset_environment=yes": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ActivationOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const ActivationOptions& options) {
    return os << options.ToString();
  }
};

// A socket that this process was started with.
struct ActivatedListener {
  std::string name;   // "unknown" if the parent gave none
  Listener listener;  // on that socket alone

  // "http: tcp:127.0.0.1:80".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ActivatedListener& activated) {
    sink.Append(activated.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const ActivatedListener& activated) {
    return os << activated.ToString();
  }
};

// All that are left, in the order of their numbers; none if this process was
// not started with any. INVALID_ARGUMENT: the variables make no sense, or one
// of the descriptors is no listening stream socket. FAILED_PRECONDITION: one of
// them is not open. On these errors none is taken; on another, of a later call
// of the kernel (not seen to happen), those taken so far are closed.
[[nodiscard]] absl::StatusOr<std::vector<ActivatedListener>>
ListenersFromEnvironment(const ActivationOptions& options = {});

// One listener on all that are left of those called `name` (systemd gives one
// name to all sockets of a unit); the others are not looked at. NOT_FOUND:
// there is none. Else as above.
[[nodiscard]] absl::StatusOr<Listener> ListenerFromEnvironment(
    absl::string_view name, const ActivationOptions& options = {});

}  // namespace flow

#endif  // FLOW_NET_ACTIVATION_H_
