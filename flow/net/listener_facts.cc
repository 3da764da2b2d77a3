#include "flow/net/listener_facts.h"

#include <sys/socket.h>

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/fd/socket_flow.h"
#include "flow/sys/unique_fd.h"

namespace flow {
namespace internal {

absl::StatusOr<Flow> ListenerFacts::Accepted(const AcceptedRecord& record,
                                             const absl::Status& read) const {
  UniqueFd fd(record.fd, sys);
  if (!read.ok()) return read;
  FdNames names = {local, Endpoint::FromSockaddr(
                              reinterpret_cast<const sockaddr*>(&record.peer),
                              record.length)};
  if (kind == FdKind::kTcp) names.local = LocalName(sys, fd.get());
  return FlowOnSocket(sys, std::move(fd), kind, std::move(names));
}

ListenerStats ListenerFacts::GetStats() const {
  ListenerStats stats;
  stats.accepted = counters->accepted.load(std::memory_order_relaxed);
  stats.transient_errors =
      counters->transient_errors.load(std::memory_order_relaxed);
  stats.shortages = counters->shortages.load(std::memory_order_relaxed);
  return stats;
}

std::string ListenerFacts::ToString() const {
  return absl::StrCat("listener ", Endpoint::Named(address).ToString(), ", ",
                      GetStats().accepted, " accepted");
}

}  // namespace internal
}  // namespace flow
