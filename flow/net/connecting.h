// File: connecting.h (internal)
//
// Connecting: the attempt to connect to one address, one step at a time,
// whoever waits between the steps. It alone knows connect(2): what its errors
// mean, how one learns what became of a connect that ran in the background, and
// that a unix listener's full queue can only be asked again.
//
// Belongs to one thread at a time. Destroying it closes the socket, which must
// be in nobody's poll set by then.

#ifndef FLOW_NET_CONNECTING_H_
#define FLOW_NET_CONNECTING_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/limits.h"
#include "flow/net/resolver.h"
#include "flow/sleeper.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

class Connecting {
 public:
  // `to` outlives this.
  Connecting(Syscalls* sys, const SocketAddress& to, const Limits& limits);
  Connecting(const Connecting&) = delete;
  Connecting& operator=(const Connecting&) = delete;

  // The connected socket, or why there is none. Not set: sleep until wait() may
  // be over, and say by Resume how that sleep ended.
  using Result = std::optional<absl::StatusOr<UniqueFd>>;
  Result Begin();
  Result Resume(Woke woke);

  const Wait& wait() const { return wait_; }
  Sleeper& sleeper() { return sleeper_; }

 private:
  Result Try();
  bool MustWait(int error);
  int PendingError() const;

  Syscalls* const sys_;
  const SocketAddress& to_;
  const std::string where_;
  const Limits limits_;
  Sleeper sleeper_;
  UniqueFd fd_;
  absl::Duration backoff_;
  Wait wait_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_CONNECTING_H_
