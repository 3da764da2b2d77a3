#include "tools/flowcat/opening.h"

#include "absl/strings/str_cat.h"
#include "flow/net/address.h"
#include "flow/sys/mono_time.h"
#include "tools/flowcat/hints.h"
#include "tools/flowcat/report.h"

namespace flow_tools {
namespace {

flow::OpenOptions OptionsOf(const Context& context) {
  flow::OpenOptions options;
  options.schemes = &context.schemes;
  return options;
}

}  // namespace

absl::StatusOr<flow::OpenedListener> ListenOn(const Context& context,
                                              const End& end) {
  absl::StatusOr<flow::OpenedListener> listener =
      flow::OpenListener(end.address, OptionsOf(context));
  if (listener.ok()) {
    context.console.Note(absl::StrCat("listening on ", listener->address));
  }
  return listener;
}

absl::StatusOr<flow::Flow> OpenEnd(const Context& context, const End& end,
                                   const flow::Limits& limits) {
  if (end.is_stdio() && !context.stdio_is_open) {
    return absl::FailedPreconditionError(
        "standard input or output was closed from the start");
  }
  absl::StatusOr<flow::Flow> f = flow::Open(
      end.address,
      limits.Within(flow::MonoTime::In(context.settings.connect_timeout)),
      OptionsOf(context));
  if (f.ok() && end.address.scheme == flow::Address::Scheme::kPty) {
    context.console.Note(absl::StrCat("opened ", f->peer().ToString()));
  }
  return f;
}

absl::string_view StepOf(const End& end) {
  if (end.address.listens()) return "accept a connection on";
  // What is dialled has a host, or is a unix socket.
  const bool dialled = end.address.is_unix() || !end.address.host.empty();
  return dialled ? "connect to" : "use";
}

void SayCannot(const Context& context, absl::string_view prefix,
               absl::string_view step, const End& end,
               const absl::Status& status) {
  if (absl::IsCancelled(status) && context.signals.caught() != 0) {
    context.console.Note(
        absl::StrCat(prefix, "stopped before it could ", step, " ", end.name));
    return;
  }
  context.console.Error(absl::StrCat(prefix, "cannot ", step, " ", end.name,
                                     ": ", Words(status)));
  const std::string hint = HintFor(end.address, status);
  if (!hint.empty()) {
    context.console.Error(absl::StrCat(prefix, "hint: ", hint));
  }
}

ExitCode ExitCodeOfOpening(const absl::Status& status) {
  // What no parser sees: a name of a service that there is not, for one.
  return absl::IsInvalidArgument(status) ? kExitUsage : kExitOpen;
}

}  // namespace flow_tools
