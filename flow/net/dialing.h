// File: dialing.h (internal)
//
// Dialing: a whole Dial, from the text of an address to a flow, one step at a
// time, whoever waits between the steps: flow/net/dial.cc sleeps,
// flow/net/async_dial.cc parks. It alone knows which addresses are tried in
// which order and when, and which of those that are under way wins (RFC 8305,
// "happy eyeballs"): families by turns; the next when one has failed, or has
// said nothing for `attempt_delay`; the first that connects; the rest closed.
//
//   Dialing dialing(limits, options);
//   Dialing::Result result = dialing.Begin("tcp:example.org:80");
//   while (!result.has_value()) {
//     result = dialing.Resume(dialing.sleeper().Sleep(dialing.wait()));
//   }
//
// However many sockets there are, who drives waits for one descriptor
// (FdGroup). Where there is no descriptor left for one more socket, addresses
// are tried one after the other.
//
// Belongs to one thread at a time. Resume may close the descriptor in wait(),
// which must be in nobody's poll set by then.

#ifndef FLOW_NET_DIALING_H_
#define FLOW_NET_DIALING_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/endpoint.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/address.h"
#include "flow/net/connecting.h"
#include "flow/net/dial.h"
#include "flow/net/fd_group.h"
#include "flow/net/resolver.h"
#include "flow/net/socket_options.h"
#include "flow/signal.h"
#include "flow/sleeper.h"
#include "flow/sys/mono_time.h"
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

  const Wait& wait() const { return wait_; }
  Sleeper& sleeper() { return sleeper_; }
  Signal* token() const { return limits_.cancel.signal(); }

 private:
  Result LookUp(std::optional<absl::StatusOr<Addresses>> answer);
  Result Race();
  Result ResumeReady();
  Result BeginNext();
  Result Settle(size_t index, Connecting::Result tried);
  MonoTime NextBegin() const;
  bool HurryOn(Woke woke);
  void DropAll();
  absl::StatusOr<Flow> MakeFlow(UniqueFd fd, Endpoint local,
                                const SocketAddress& to) const;
  absl::Status GiveUp(Woke woke, absl::string_view operation);

  Syscalls* const sys_;
  const absl::Duration attempt_delay_;
  SocketOptions options_;
  const AdaptiveReads adaptive_;
  const Limits limits_;
  Sleeper sleeper_;
  Wait wait_;
  Address address_;
  std::optional<Resolution> resolution_;  // while the name is looked up
  Addresses all_;
  size_t begun_ = 0;  // how many of them
  // When the next may be begun, though others are under way.
  MonoTime next_begin_ = MonoTime::Past();
  std::vector<std::unique_ptr<Connecting>> under_way_;
  FdGroup sockets_;  // of those
  std::vector<absl::Status> failures_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_DIALING_H_
