#include "tools/flowcat/session.h"

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "flow/flow.h"
#include "flow/net/open.h"
#include "flow/relay/relay.h"
#include "tools/flowcat/dressing.h"
#include "tools/flowcat/live.h"
#include "tools/flowcat/opening.h"
#include "tools/flowcat/progress.h"
#include "tools/flowcat/report.h"

namespace flow_tools {
namespace {

class Session {
 public:
  explicit Session(const Context& context)
      : context_(context),
        dressing_(context.settings, context.console),
        limits_(context.settings.timeout) {}

  ExitCode Run(const End& from, const End& to);

 private:
  // One end on its way to be a flow.
  struct Opening {
    const End& end;
    std::optional<flow::OpenedListener> listener = std::nullopt;
    flow::Flow flow = {};
  };

  bool StartListening(Opening& opening);
  bool Open(Opening& opening);
  bool Dress(Opening& from, Opening& to);
  absl::StatusOr<flow::Flow> MakeFlow(Opening& opening);
  ExitCode Relay(Opening& from, Opening& to, LiveConnection& live);
  void Report(const End& from, const End& to, const flow::RelayResult& result);
  bool Cannot(absl::string_view step, const End& end,
              const absl::Status& status);
  // Until there is a connection.
  flow::Limits opening_limits() const {
    flow::Limits limits = limits_;
    limits.cancel = context_.signals.stopping();
    return limits;
  }

  const Context& context_;
  const Dressing dressing_;
  const flow::Limits limits_;
  ExitCode failed_with_ = kExitOk;
};

bool Session::Cannot(absl::string_view step, const End& end,
                     const absl::Status& status) {
  failed_with_ = ExitCodeOfOpening(status);
  SayCannot(context_, "", step, end, status);
  return false;
}

bool Session::StartListening(Opening& opening) {
  if (!opening.end.address.listens()) return true;
  absl::StatusOr<flow::OpenedListener> listener =
      ListenOn(context_, opening.end);
  if (!listener.ok()) {
    return Cannot("listen on", opening.end, listener.status());
  }
  opening.listener = *std::move(listener);
  return true;
}

absl::StatusOr<flow::Flow> Session::MakeFlow(Opening& opening) {
  const flow::Limits limits = opening_limits();
  if (!opening.listener.has_value()) {
    return OpenEnd(context_, opening.end, limits);
  }
  absl::StatusOr<flow::Flow> f = opening.listener->listener.Accept(limits);
  // One connection is all that is wanted; its path is free again.
  opening.listener->listener.Close().IgnoreError();
  if (!f.ok()) return f;
  return opening.listener->upgrade(*std::move(f), limits);
}

bool Session::Open(Opening& opening) {
  absl::StatusOr<flow::Flow> f = MakeFlow(opening);
  if (!f.ok()) return Cannot(StepOf(opening.end), opening.end, f.status());
  opening.flow = *std::move(f);
  return true;
}

bool Session::Dress(Opening& from, Opening& to) {
  absl::StatusOr<flow::Flow> f = dressing_.From(std::move(from.flow));
  if (!f.ok()) return Cannot("use", from.end, f.status());
  from.flow = *std::move(f);
  f = dressing_.To(std::move(to.flow), /*id=*/1, opening_limits());
  if (!f.ok()) return Cannot("use", to.end, f.status());
  to.flow = *std::move(f);
  return true;
}

void Session::Report(const End& from, const End& to,
                     const flow::RelayResult& result) {
  const Settings& settings = context_.settings;
  if (settings.stats == StatsFormat::kJson) {
    context_.console.Lines(absl::StrCat(
        DescribeAsJson(/*id=*/1, from.name, to.name, result), "\n"));
    return;
  }
  const bool quiet = settings.quiet && settings.stats == StatsFormat::kNone;
  if (!quiet || !result.a_to_b.ok()) {
    context_.console.Error(
        DescribeDirection(from.name, to.name, result.a_to_b));
  }
  if (!quiet || !result.b_to_a.ok()) {
    context_.console.Error(
        DescribeDirection(to.name, from.name, result.b_to_a));
  }
}

ExitCode Session::Relay(Opening& from, Opening& to, LiveConnection& live) {
  live.Attach(from.flow, to.flow);
  flow::RelayResult result;
  {
    const Progress progress(context_, &from.end, &to.end);
    flow::Limits limits = limits_;
    limits.cancel = context_.signals.cut();
    result = flow::Relay(from.flow, to.flow,
                         RelayOptionsOf(context_.settings, limits));
  }
  live.Detach();
  if (result.ok()) live.Succeeded();
  Report(from.end, to.end, result);
  return ExitCodeOf(result);
}

ExitCode Session::Run(const End& from_end, const End& to_end) {
  Opening from{from_end};
  Opening to{to_end};
  LiveConnection live(context_.live, /*id=*/1, limits_.deadline);
  if (!StartListening(from) || !StartListening(to)) return failed_with_;
  context_.notifier.Ready("waiting for a connection");
  if (!Open(from) || !Open(to) || !Dress(from, to)) return failed_with_;
  const ExitCode code = Relay(from, to, live);
  context_.notifier.Stopping();
  return code;
}

}  // namespace

flow::RelayOptions RelayOptionsOf(const Settings& settings,
                                  const flow::Limits& limits) {
  flow::RelayOptions options;
  options.limits = limits;
  options.limits.stall_timeout = settings.stall_timeout;
  options.policy = settings.policy;
  options.method = settings.method;
  options.half_close_limit = settings.half_close_timeout;
  return options;
}

ExitCode RunSession(const Context& context, const End& from, const End& to) {
  return Session(context).Run(from, to);
}

}  // namespace flow_tools
