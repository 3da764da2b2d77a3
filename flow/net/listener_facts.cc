#include "flow/net/listener_facts.h"

#include <sys/socket.h>

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "flow/fd/socket_flow.h"
#include "flow/net/address.h"
#include "flow/net/socket_setup.h"
#include "flow/sys/unique_fd.h"

namespace flow {
namespace internal {

std::string UnixAddressText(absl::string_view path, bool is_abstract) {
  Address address;
  address.scheme =
      is_abstract ? Address::Scheme::kUnixAbstract : Address::Scheme::kUnix;
  address.scheme_name = is_abstract ? "unix-abstract" : "unix";
  address.path = std::string(path);
  return address.ToString();
}

absl::StatusOr<Flow> ListenerFacts::Accepted(const AcceptedRecord& record,
                                             const absl::Status& read) const {
  UniqueFd fd(record.fd, sys);
  if (!read.ok()) return read;
  const Place& place = places[record.socket];
  FdNames names = {
      place.local,
      Endpoint::FromSockaddr(reinterpret_cast<const sockaddr*>(&record.peer),
                             record.length)};
  if (place.kind == FdKind::kTcp) names.local = LocalName(sys, fd.get());
  // Buffers, which the listener could be given: no reason to refuse a client.
  PrepareAccepted(sys, fd.get(), record.peer.ss_family, place.options)
      .IgnoreError();
  return FlowOnSocket(sys, std::move(fd), place.kind, std::move(names),
                      adaptive);
}

ListenerStats ListenerFacts::GetStats() const {
  ListenerStats stats;
  stats.accepted = counters->accepted.load(std::memory_order_relaxed);
  stats.transient_errors =
      counters->transient_errors.load(std::memory_order_relaxed);
  stats.shortages = counters->shortages.load(std::memory_order_relaxed);
  return stats;
}

std::string ListenerFacts::address() const { return places[0].address; }

std::vector<std::string> ListenerFacts::addresses() const {
  std::vector<std::string> all;
  for (const Place& place : places) all.push_back(place.address);
  return all;
}

uint16_t ListenerFacts::port() const {
  for (const Place& place : places) {
    if (place.local.port() != 0) return place.local.port();
  }
  return 0;
}

std::string ListenerFacts::ToString() const {
  const std::string where =
      absl::StrJoin(places, " ", [](std::string* out, const Place& place) {
        absl::StrAppend(out, Endpoint::Named(place.address).ToString());
      });
  return absl::StrCat("listener ", where, ", ", GetStats().accepted,
                      " accepted");
}

}  // namespace internal
}  // namespace flow
