// File: connecting.h (internal)
//
// Connecting: the attempt to connect to one address, one step at a time,
// whoever waits between the steps. It alone knows connect(2): what its errors
// mean, how one learns what became of a connect that ran in the background,
// that a unix listener's full queue can only be asked again, and that TCP can
// connect a socket to itself.
//
// Belongs to one thread at a time. Begin, Resume and the destructor may close
// the socket, which must be in nobody's poll set by then.

#ifndef FLOW_NET_CONNECTING_H_
#define FLOW_NET_CONNECTING_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/endpoint.h"
#include "flow/net/resolver.h"
#include "flow/net/socket_options.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

class Connecting {
 public:
  // `to` and `options` outlive this.
  Connecting(Syscalls* sys, const SocketAddress& to,
             const SocketOptions& options);
  Connecting(const Connecting&) = delete;
  Connecting& operator=(const Connecting&) = delete;

  // The connected socket, or why there is none. Not set: Resume once wait() may
  // be over.
  using Result = std::optional<absl::StatusOr<UniqueFd>>;
  Result Begin();
  Result Resume();

  const Wait& wait() const { return wait_; }
  const SocketAddress& to() const { return to_; }
  // "tcp 127.0.0.1:80", for messages.
  const std::string& where() const { return where_; }
  // This end's name, once it is connected.
  const Endpoint& local() const { return local_; }

 private:
  Result Try();
  Result Connected();
  bool MetItself() const;
  bool MustWait(int error);
  int PendingError() const;

  Syscalls* const sys_;
  const SocketAddress& to_;
  const SocketOptions& options_;
  const std::string where_;
  Endpoint local_;
  UniqueFd fd_;
  absl::Duration backoff_;
  int met_itself_ = 0;
  Wait wait_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_CONNECTING_H_
