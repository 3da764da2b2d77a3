#include "flow/net/listener.h"

#include <sys/socket.h>

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "flow/changed_fields.h"
#include "flow/endpoint.h"
#include "flow/fd/fd_kind.h"
#include "flow/flow_access.h"
#include "flow/net/acceptor.h"
#include "flow/net/address.h"
#include "flow/net/interleave.h"
#include "flow/net/listener_facts.h"
#include "flow/net/listening.h"
#include "flow/net/resolver.h"
#include "flow/net/socket_options.h"
#include "flow/net/socket_setup.h"
#include "flow/status.h"

namespace flow {
namespace {

using internal::AcceptedRecord;
using internal::Acceptor;
using internal::Addresses;
using internal::FdKind;
using internal::ListenerFacts;
using internal::ListeningSocket;

// An address, all that it stands for, and what is to be set on its sockets.
struct Wanted {
  Address address;
  Addresses all;
  SocketOptions options;
};

absl::StatusOr<Wanted> LookUp(Syscalls* sys, absl::string_view text,
                              const SocketOptions& options) {
  absl::StatusOr<Address> address = ParseListenAddress(text);
  if (!address.ok()) return address.status();
  if (!address->is_tcp() && !address->is_unix()) {
    return InvalidArgument(absl::StrCat(
        "bad address \"", address->ToString(),
        "\": Listen listens on tcp:, unix: and unix-abstract: alone"));
  }
  SocketOptions both = address->socket.Over(options);
  if (absl::Status s =
          internal::CheckFor(internal::SocketRole::kListen,
                             address->is_tcp() ? AF_INET : AF_UNIX, both);
      !s.ok()) {
    return s;
  }
  absl::StatusOr<Addresses> all = internal::ResolveToListen(sys, *address);
  if (!all.ok()) return all.status();
  return Wanted{*std::move(address), internal::Interleaved(*std::move(all)),
                std::move(both)};
}

absl::StatusOr<std::vector<Wanted>> LookUpAll(
    Syscalls* sys, absl::Span<const std::string> addresses,
    const SocketOptions& options) {
  if (addresses.empty()) {
    return InvalidArgument("listen() refused: there is no address");
  }
  std::vector<Wanted> wanted;
  for (const std::string& text : addresses) {
    absl::StatusOr<Wanted> one = LookUp(sys, text, options);
    if (!one.ok()) return one.status();
    wanted.push_back(*std::move(one));
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
                             const Wanted& wanted) {
  ListenerFacts::Place place;
  place.kind = wanted.address.is_tcp() ? FdKind::kTcp : FdKind::kUnix;
  place.local = socket.local();
  place.address =
      wanted.address.is_tcp()
          ? absl::StrCat("tcp:", place.local.ToString())
          : internal::UnixAddressText(wanted.address.path,
                                      wanted.address.is_unix_abstract());
  place.options = wanted.options;
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
  absl::StatusOr<std::vector<Wanted>> wanted =
      LookUpAll(sys, addresses, options.socket);
  if (!wanted.ok()) return wanted.status();
  const bool beside_v4 = AnyIsV4(*wanted);
  auto facts = std::make_shared<ListenerFacts>();
  facts->sys = sys;
  facts->adaptive = options.adaptive;
  std::vector<ListeningSocket> sockets;
  for (Wanted& one : *wanted) {
    if (beside_v4 && !one.options.v6only.has_value() && one.address.is_tcp()) {
      one.options.v6only = true;
    }
    absl::StatusOr<std::vector<ListeningSocket>> made = internal::ListenAtAll(
        sys, one.address, one.all, one.options, options.backlog);
    if (!made.ok()) return made.status();
    for (ListeningSocket& socket : *made) {
      facts->places.push_back(PlaceOf(socket, one));
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

bool Listener::closed() const {
  const internal::Core* const core = internal::FlowAccess::CoreOf(flow_);
  return core == nullptr || core->state().closed();
}

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

std::string ListenOptions::ToString() const {
  const ListenOptions usual;
  return internal::ChangedFields()
      .Given("sys", sys != nullptr)
      .Add("backlog", backlog, usual.backlog)
      .Nest("socket", socket.ToString(), usual.socket.ToString())
      .Nest("adaptive", adaptive.ToString(), usual.adaptive.ToString())
      .Text();
}

}  // namespace flow
