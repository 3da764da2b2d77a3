#include "tools/flowcat/probe.h"

#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "flow/endpoint.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/dial.h"
#include "flow/net/look_up.h"
#include "flow/net/peer_credentials.h"
#include "flow/sys/mono_time.h"
#include "flow/tls/tls.h"
#include "flow/tls/tls_schemes.h"
#include "tools/flowcat/opening.h"
#include "tools/flowcat/probe_report.h"

namespace flow_tools {
namespace {

using flow::Address;
using flow::MonoTime;

// `address` with what was found for its name.
Address WithNumber(Address address, const flow::Endpoint& found) {
  const std::string text = found.ToString();
  const size_t colon = text.rfind(':');
  address.host = text.substr(0, colon);
  address.port = text.substr(colon + 1);
  address.host =
      std::string(absl::StripSuffix(absl::StripPrefix(address.host, "["), "]"));
  return address;
}

class Probe {
 public:
  Probe(const Context& context, const End& end)
      : context_(context), end_(end), limits_(context.settings.timeout) {
    limits_.cancel = context.signals.cut();
  }

  ProbeResult Run();

 private:
  flow::Limits connect_limits() const {
    return limits_.Within(MonoTime::In(context_.settings.connect_timeout));
  }
  absl::Status LookUpAndConnect(const Address& tcp);
  absl::Status Connect(const Address& address);
  absl::Status StartTls();
  absl::StatusOr<flow::TlsFacts> Handshake(
      flow::Flow below, const flow::TlsClientOptions& options);
  absl::Status OpenOther();

  const Context& context_;
  const End& end_;
  flow::Limits limits_;
  ProbeResult result_;
  std::optional<Address> there_;  // the first that connected
  flow::Flow flow_;               // to there
};

absl::Status Probe::Connect(const Address& address) {
  const MonoTime begin = MonoTime::Now();
  absl::StatusOr<flow::Flow> f =
      flow::Dial(address.ToString(), connect_limits());
  ProbeResult::Connection made;
  made.took = MonoTime::Now() - begin;
  made.status = f.status();
  made.address = address.is_unix()
                     ? address.path
                     : absl::StrCat(address.host, " port ", address.port);
  result_.connections.push_back(made);
  if (!f.ok()) return f.status();
  if (!there_.has_value()) {
    there_ = address;
    flow_ = *std::move(f);
  }
  return absl::OkStatus();
}

absl::Status Probe::LookUpAndConnect(const Address& tcp) {
  const MonoTime begin = MonoTime::Now();
  const absl::StatusOr<std::vector<flow::Endpoint>> found =
      flow::LookUp(tcp.ToString(), connect_limits());
  result_.look_up = MonoTime::Now() - begin;
  if (!found.ok()) return found.status();
  absl::Status last;
  for (const flow::Endpoint& each : *found) {
    result_.addresses.push_back(each.ToString());
    const absl::Status status = Connect(WithNumber(tcp, each));
    if (!status.ok()) last = status;
  }
  return there_.has_value() ? absl::OkStatus() : last;
}

absl::StatusOr<flow::TlsFacts> Probe::Handshake(
    flow::Flow below, const flow::TlsClientOptions& options) {
  const absl::StatusOr<flow::TlsClient> client =
      flow::TlsClient::Create(options);
  if (!client.ok()) return client.status();
  absl::StatusOr<flow::TlsFlow> made =
      flow::TlsConnect(std::move(below), *client,
                       flow::TlsServerNameOf(end_.address), connect_limits());
  if (!made.ok()) return made.status();
  return made->facts;
}

absl::Status Probe::StartTls() {
  flow::TlsClientOptions options = flow::TlsClientOptionsOf(end_.address);
  const MonoTime begin = MonoTime::Now();
  absl::StatusOr<flow::TlsFacts> facts = Handshake(std::move(flow_), options);
  result_.handshake = MonoTime::Now() - begin;
  const absl::Status status = facts.status();
  if (absl::IsUnauthenticated(status)) {
    // Once more, only to see who it is that is not accepted. Nothing is sent.
    options.insecurely_accept_any_certificate = true;
    absl::StatusOr<flow::Flow> again =
        flow::Dial(there_->ToString(), connect_limits());
    if (again.ok()) facts = Handshake(*std::move(again), options);
  }
  if (facts.ok()) result_.tls = *std::move(facts);
  return status;
}

absl::Status Probe::OpenOther() {
  const MonoTime begin = MonoTime::Now();
  absl::StatusOr<flow::Flow> f = OpenEnd(context_, end_, limits_);
  result_.connections.push_back(
      {end_.name, MonoTime::Now() - begin, f.status()});
  return f.status();
}

ProbeResult Probe::Run() {
  const Address& address = end_.address;
  result_.name = end_.name;
  if (address.is_unix()) {
    result_.status = Connect(address);
    const absl::StatusOr<flow::Credentials> peer = flow::PeerCredentials(flow_);
    if (peer.ok()) result_.peer = *peer;
  } else if (address.host.empty()) {
    result_.status = OpenOther();
  } else {
    result_.status = LookUpAndConnect(address.AsTcp());
    if (result_.status.ok() && address.scheme_name == "tls") {
      result_.status = StartTls();
    }
  }
  return result_;
}

}  // namespace

ExitCode RunProbe(const Context& context, const End& end) {
  if (end.address.listens()) {
    context.console.Error(
        absl::StrCat("probe connects, but ", end.name,
                     " listens: nobody is there to be found"));
    return kExitUsage;
  }
  const ProbeResult result = Probe(context, end).Run();
  std::cout << (context.settings.json ? ProbeAsJson(result)
                                      : ProbeAsText(result, absl::Now()))
            << std::flush;
  if (result.status.ok()) return kExitOk;
  SayCannot(context, "", StepOf(end), end, result.status);
  return ExitCodeOfOpening(result.status);
}

}  // namespace flow_tools
