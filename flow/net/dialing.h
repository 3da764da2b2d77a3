// File: dialing.h (internal)
//
// Dialing: a whole Dial, from the text of an address to a flow, one step at a
// time, whoever waits between the steps: flow/net/dial.cc sleeps,
// flow/net/async_dial.cc parks. It alone knows in which order addresses are
// tried, and how much of the time each may have.
//
//   Dialing dialing(limits, options);
//   Dialing::Result result = dialing.Begin("tcp:example.org:80");
//   while (!result.has_value()) {
//     result = dialing.Resume(dialing.sleeper().Sleep(dialing.wait()));
//   }
//
// Belongs to one thread at a time. Resume may close the descriptor in wait(),
// which must be in nobody's poll set by then.

#ifndef FLOW_NET_DIALING_H_
#define FLOW_NET_DIALING_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/address.h"
#include "flow/net/connecting.h"
#include "flow/net/dial.h"
#include "flow/net/resolver.h"
#include "flow/sleeper.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

class Dialing {
 public:
  Dialing(const Limits& limits, const NetOptions& options);
  Dialing(const Dialing&) = delete;
  Dialing& operator=(const Dialing&) = delete;

  // The flow, or why there is none. Not set: sleep until wait() may be over or
  // a limit of sleeper() is passed, and say by Resume how that sleep ended.
  using Result = std::optional<absl::StatusOr<Flow>>;
  Result Begin(absl::string_view text);
  Result Resume(Woke woke);

  const Wait& wait() const;
  // Of this wait: another one, with limits of its own, for each address.
  Sleeper& sleeper();
  Signal* token() const { return limits_.cancel.signal(); }

 private:
  Result LookUp(std::optional<absl::StatusOr<Addresses>> answer);
  Connecting::Result TryNext();
  Result Settle(Connecting::Result tried);
  absl::StatusOr<Flow> MakeFlow(UniqueFd fd, const SocketAddress& to) const;
  Limits ShareOf(size_t left) const;
  absl::Status CheckLimits();

  Syscalls* const sys_;
  const bool nodelay_;
  const Limits limits_;
  Sleeper sleeper_;  // of the look-up
  Address address_;
  std::optional<Resolution> resolution_;
  Addresses all_;
  size_t begun_ = 0;
  std::optional<Connecting> connecting_;  // to the last that was begun with
  std::vector<absl::Status> failures_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_DIALING_H_
