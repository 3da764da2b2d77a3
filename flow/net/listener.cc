#include "flow/net/listener.h"

#include <sys/socket.h>

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "flow/endpoint.h"
#include "flow/fd/fd_kind.h"
#include "flow/net/acceptor.h"
#include "flow/net/address.h"
#include "flow/net/interleave.h"
#include "flow/net/listener_facts.h"
#include "flow/net/listening.h"
#include "flow/net/resolver.h"
#include "flow/status.h"

namespace flow {
namespace {

using internal::AcceptedRecord;
using internal::Acceptor;
using internal::Addresses;
using internal::FdKind;
using internal::ListenerFacts;
using internal::ListeningSocket;

// An address, and all that it stands for.
struct Wanted {
  Address address;
  Addresses all;
};

absl::StatusOr<std::vector<Wanted>> LookUpAll(
    Syscalls* sys, absl::Span<const std::string> addresses) {
  if (addresses.empty()) {
    return InvalidArgument("listen() refused: there is no address");
  }
  std::vector<Wanted> wanted;
  for (const std::string& text : addresses) {
    absl::StatusOr<Address> address = ParseAddress(text);
    if (!address.ok()) return address.status();
    absl::StatusOr<Addresses> all = internal::ResolveToListen(sys, *address);
    if (!all.ok()) return all.status();
    wanted.push_back(
        {*std::move(address), internal::Interleaved(*std::move(all))});
  }
  return wanted;
}

bool AnyIsV4(const std::vector<Wanted>& wanted) {
  return absl::c_any_of(wanted, [](const Wanted& one) {
    return absl::c_any_of(one.all, [](const internal::SocketAddress& at) {
      return at.family() == AF_INET;
    });
  });
}

ListenerFacts::Place PlaceOf(const ListeningSocket& socket,
                             const Address& address) {
  ListenerFacts::Place place;
  place.local = socket.local();
  const bool is_unix = address.scheme == Address::Scheme::kUnix;
  place.kind = is_unix ? FdKind::kUnix : FdKind::kTcp;
  place.address = is_unix ? absl::StrCat("unix:", address.path)
                          : absl::StrCat("tcp:", place.local.ToString());
  return place;
}

}  // namespace

absl::StatusOr<Listener> Listen(absl::string_view address,
                                const ListenOptions& options) {
  return ListenAll({std::string(address)}, options);
}

absl::StatusOr<Listener> ListenAll(absl::Span<const std::string> addresses,
                                   const ListenOptions& options) {
  Syscalls* const sys = options.sys != nullptr ? options.sys : Syscalls::Real();
  const absl::StatusOr<std::vector<Wanted>> wanted = LookUpAll(sys, addresses);
  if (!wanted.ok()) return wanted.status();
  const bool beside_v4 = AnyIsV4(*wanted);
  auto facts = std::make_shared<ListenerFacts>();
  facts->sys = sys;
  std::vector<ListeningSocket> sockets;
  for (const Wanted& one : *wanted) {
    absl::StatusOr<std::vector<ListeningSocket>> made =
        internal::ListenAtAll(sys, one.address, one.all, options, beside_v4);
    if (!made.ok()) return made.status();
    for (ListeningSocket& socket : *made) {
      facts->places.push_back(PlaceOf(socket, one.address));
      sockets.push_back(std::move(socket));
    }
  }
  Listener listener;
  Endpoint first = sockets[0].local();
  listener.flow_ =
      Flow(std::make_unique<Acceptor>(sys, std::move(sockets), std::move(first),
                                      facts->counters),
           sys);
  listener.facts_ = std::move(facts);
  return listener;
}

absl::StatusOr<Flow> Listener::Accept(const Limits& limits) {
  const std::shared_ptr<const ListenerFacts> facts = facts_;
  AcceptedRecord record;
  const absl::StatusOr<OrEof<size_t>> got = flow_.ReadInto(
      absl::MakeSpan(reinterpret_cast<char*>(&record), sizeof(record)), limits);
  if (facts == nullptr) return got.status();
  return facts->Accepted(record, got.status());
}

absl::Status Listener::Close() { return flow_.Close(); }

std::string Listener::address() const {
  return facts_ == nullptr ? "" : facts_->address();
}

std::vector<std::string> Listener::addresses() const {
  return facts_ == nullptr ? std::vector<std::string>() : facts_->addresses();
}

uint16_t Listener::port() const {
  return facts_ == nullptr ? uint16_t{0} : facts_->port();
}

ListenerStats Listener::GetStats() const {
  return facts_ == nullptr ? ListenerStats() : facts_->GetStats();
}

std::string ListenerStats::ToString() const {
  return absl::StrCat(accepted, " accepted, ", transient_errors,
                      " gone before that, ", shortages, " shortages");
}

std::string Listener::ToString() const {
  return facts_ == nullptr ? "no listener" : facts_->ToString();
}

}  // namespace flow
