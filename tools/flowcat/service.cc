#include "tools/flowcat/service.h"

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/open.h"
#include "flow/relay/relay.h"
#include "flow/sys/mono_time.h"
#include "tools/flowcat/dressing.h"
#include "tools/flowcat/format.h"
#include "tools/flowcat/opening.h"
#include "tools/flowcat/progress.h"
#include "tools/flowcat/report.h"
#include "tools/flowcat/session.h"

namespace flow_tools {
namespace {

std::string Number(uint64_t id) { return absl::StrCat("#", id, ": "); }

// One connection of RunService.
absl::Status RelayOne(const Context& context, const Dressing& dressing,
                      const End& from, const End& to,
                      flow::ServerConnection& connection,
                      LiveConnection& live) {
  const uint64_t id = connection.id();
  const flow::Limits limits = connection.cut();
  absl::StatusOr<flow::Flow> upstream = OpenEnd(context, to, limits);
  if (upstream.ok()) upstream = dressing.To(*std::move(upstream), id, limits);
  if (!upstream.ok()) {
    SayCannot(context, Number(id), StepOf(to), to, upstream.status());
    return upstream.status();
  }
  live.Attach(connection.flow(), *upstream);
  const flow::RelayResult result = flow::Relay(
      connection.flow(), *upstream, RelayOptionsOf(context.settings, limits));
  live.Detach();
  const StatsFormat stats = context.settings.stats;
  const std::string peer = connection.flow().peer().ToString();
  if (stats == StatsFormat::kJson) {
    context.console.Lines(
        absl::StrCat(DescribeAsJson(id, peer, to.name, result), "\n"));
  } else if (stats == StatsFormat::kText || !result.ok()) {
    const std::string name = absl::StrCat(from.name, " (", peer, ")");
    context.console.Error(absl::StrCat(
        Number(id), DescribeDirection(name, to.name, result.a_to_b)));
    context.console.Error(absl::StrCat(
        Number(id), DescribeDirection(to.name, name, result.b_to_a)));
  }
  return result.status();
}

// Waits for the server's end, and says how it was.
ExitCode WaitForEnd(const Context& context, flow::Server& server) {
  // Only a second signal cuts from here: --drain is the server's own.
  absl::Status ended = server.Wait(context.signals.cut());
  const bool hurried = context.signals.hurried();
  if (hurried) ended = server.Stop(absl::ZeroDuration());
  const LiveConnections::Totals totals = context.live.totals();
  context.console.Note(
      absl::StrCat("served ", totals.begun,
                   totals.begun == 1 ? " connection" : " connections", ", ",
                   totals.failed, " failed; ", FormatBytes(totals.forward),
                   " >, ", FormatBytes(totals.back), " <"));
  if (ended.ok()) return kExitOk;
  if (absl::IsDeadlineExceeded(ended)) {
    context.console.Error("some connections had not ended, and were cut");
    return hurried ? kExitRelay : kExitCut;
  }
  context.console.Error(absl::StrCat("the listener failed: ", Words(ended)));
  return kExitOpen;
}

}  // namespace

ExitCode ServeEnd(const Context& context, const End& end,
                  const flow::FlowUpgrade& dress,
                  const ServiceHandler& handler) {
  absl::StatusOr<flow::OpenedListener> listener = ListenOn(context, end);
  if (!listener.ok()) {
    SayCannot(context, "", "listen on", end, listener.status());
    return ExitCodeOfOpening(listener.status());
  }
  const Settings& settings = context.settings;
  const std::string address = listener->address;
  flow::ServeOptions options;
  options.max_connections = settings.max_connections;
  options.total_limit = settings.timeout;
  options.stop = context.signals.stopping();
  options.drain = settings.drain.value_or(kServiceDrain);
  options.prepare =
      [&context, &end, &dress, upgrade = listener->upgrade](
          flow::Flow accepted,
          const flow::Limits& limits) -> absl::StatusOr<flow::Flow> {
    const std::string peer = accepted.peer().ToString();
    absl::StatusOr<flow::Flow> ready = upgrade(std::move(accepted), limits);
    if (ready.ok()) return dress(*std::move(ready), limits);
    SayCannot(context, absl::StrCat(peer, ": "), StepOf(end), end,
              ready.status());
    return ready;
  };
  absl::StatusOr<flow::Server> server = flow::Server::Start(
      std::move(listener->listener),
      flow::ConnectionHandler([&](flow::ServerConnection& connection) {
        LiveConnection live(context.live, connection.id(),
                            flow::MonoTime::In(settings.timeout));
        const absl::Status status = handler(connection, live);
        live.Detach();
        if (status.ok()) live.Succeeded();
        return status;
      }),
      std::move(options));
  if (!server.ok()) {
    SayCannot(context, "", "serve", end, server.status());
    return ExitCodeOfOpening(server.status());
  }
  context.notifier.Ready(absl::StrCat("listening on ", address));
  const Progress progress(context, nullptr, nullptr);
  const ExitCode code = WaitForEnd(context, *server);
  context.notifier.Stopping();
  return code;
}

ExitCode RunService(const Context& context, const End& from, const End& to) {
  const Dressing dressing(context.settings, context.console);
  return ServeEnd(
      context, from,
      [&dressing](flow::Flow f, const flow::Limits&) {
        return dressing.From(std::move(f));
      },
      [&](flow::ServerConnection& connection, LiveConnection& live) {
        return RelayOne(context, dressing, from, to, connection, live);
      });
}

}  // namespace flow_tools
