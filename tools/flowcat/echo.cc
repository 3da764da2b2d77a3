#include "tools/flowcat/echo.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/serve.h"
#include "flow/relay/relay.h"
#include "tools/flowcat/dressing.h"
#include "tools/flowcat/live.h"
#include "tools/flowcat/opening.h"
#include "tools/flowcat/report.h"
#include "tools/flowcat/service.h"

namespace flow_tools {
namespace {

flow::CopyResult Echo(const Context& context, flow::Flow& f,
                      const flow::Limits& limits) {
  flow::CopyOptions options;
  options.limits = limits;
  options.limits.stall_timeout = context.settings.stall_timeout;
  options.method = context.settings.method;
  options.end_sink = true;
  return flow::Copy(f, f, options);
}

// Says what became of it, as far as that is wanted.
void Report(const Context& context, const std::string& prefix,
            const std::string& peer, const flow::CopyResult& result) {
  const bool wanted = context.settings.stats == StatsFormat::kText;
  if (result.ok() && !wanted) return;
  context.console.Error(
      absl::StrCat(prefix, DescribeDirection(peer, peer, result)));
}

ExitCode EchoOnce(const Context& context, const End& end) {
  flow::Limits limits(context.settings.timeout);
  LiveConnection live(context.live, /*id=*/1, limits.deadline);
  limits.cancel = context.signals.stopping();
  const Dressing dressing(context.settings, context.console);
  absl::StatusOr<flow::Flow> f = OpenEnd(context, end, limits);
  if (f.ok()) f = dressing.To(*std::move(f), /*id=*/1, limits);
  if (!f.ok()) {
    SayCannot(context, "", StepOf(end), end, f.status());
    return ExitCodeOfOpening(f.status());
  }
  limits.cancel = context.signals.cut();
  live.Attach(*f, *f);
  const flow::CopyResult result = Echo(context, *f, limits);
  live.Detach();
  Report(context, "", end.name, result);
  if (result.ok()) live.Succeeded();
  if (result.ok()) return kExitOk;
  return absl::IsDeadlineExceeded(result.status()) ? kExitTimeout : kExitRelay;
}

}  // namespace

ExitCode RunEcho(const Context& context, const End& end) {
  if (!end.address.listens()) return EchoOnce(context, end);
  const Dressing dressing(context.settings, context.console);
  return ServeEnd(
      context, end, [](flow::Flow f, const flow::Limits&) { return f; },
      [&](flow::ServerConnection& connection, LiveConnection& live) {
        flow::Flow& f = connection.flow();
        absl::StatusOr<flow::Flow> dressed =
            dressing.To(connection.Take(), connection.id(), connection.cut());
        if (!dressed.ok()) return dressed.status();
        connection.Replace(*std::move(dressed));
        live.Attach(f, f);
        const flow::CopyResult result = Echo(context, f, connection.cut());
        live.Detach();
        Report(context, absl::StrCat("#", connection.id(), ": "),
               f.peer().ToString(), result);
        return result.status();
      });
}

}  // namespace flow_tools
