#include "tools/flowcat_session.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "flow/flow.h"
#include "flow/net/address.h"
#include "flow/net/open.h"
#include "flow/relay/relay.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "tools/format.h"

namespace flow_tools {
namespace {

std::string Words(const absl::Status& status) {
  return status.ToString(absl::StatusToStringMode::kWithNoExtraData);
}

class Session {
 public:
  Session(const SessionOptions& options, std::ostream& log)
      : options_(options), log_(log) {}

  ExitCode Run();

 private:
  // One end on its way to be a flow.
  struct Opening {
    const End& end;
    std::optional<flow::OpenedListener> listener = std::nullopt;
    flow::Flow flow = {};
  };

  flow::OpenOptions open_options() const;
  bool StartListening(Opening& opening);
  bool Open(Opening& opening);
  absl::StatusOr<flow::Flow> MakeFlow(Opening& opening);
  ExitCode Report(const flow::RelayResult& result);
  void ReportDirection(const End& from, const End& to,
                       const flow::CopyResult& result);
  void CannotOpen(absl::string_view step, const End& end,
                  const absl::Status& status);

  const SessionOptions& options_;
  std::ostream& log_;
  ExitCode failed_with_ = kExitOk;
};

bool Session::StartListening(Opening& opening) {
  if (!opening.end.address.listens()) return true;
  absl::StatusOr<flow::OpenedListener> listener =
      flow::OpenListener(opening.end.address, open_options());
  if (!listener.ok()) {
    CannotOpen("listen on", opening.end, listener.status());
    return false;
  }
  opening.listener = *std::move(listener);
  if (!options_.quiet) {
    log_ << "flowcat: listening on " << opening.listener->address << std::endl;
  }
  return true;
}

flow::OpenOptions Session::open_options() const {
  flow::OpenOptions options;
  options.schemes = options_.schemes;
  return options;
}

absl::StatusOr<flow::Flow> Session::MakeFlow(Opening& opening) {
  if (opening.listener.has_value()) {
    absl::StatusOr<flow::Flow> f =
        opening.listener->listener.Accept(options_.limits);
    // One connection is all that is wanted; its path is free again.
    opening.listener->listener.Close().IgnoreError();
    if (!f.ok()) return f;
    return opening.listener->upgrade(*std::move(f), options_.limits);
  }
  if (opening.end.is_stdio() && !options_.stdio_is_open) {
    return absl::FailedPreconditionError(
        "standard input or output was closed from the start");
  }
  return flow::Open(
      opening.end.address,
      options_.limits.Within(flow::MonoTime::In(options_.connect_timeout)),
      open_options());
}

bool Session::Open(Opening& opening) {
  absl::StatusOr<flow::Flow> f = MakeFlow(opening);
  if (f.ok()) {
    opening.flow = *std::move(f);
    if (opening.end.address.scheme == flow::Address::Scheme::kPty &&
        !options_.quiet) {
      log_ << "flowcat: opened " << opening.flow.peer() << std::endl;
    }
    return true;
  }
  const flow::Address& address = opening.end.address;
  // What is dialled has a host, or is a unix socket.
  const bool dialled = address.is_unix() || !address.host.empty();
  CannotOpen(address.listens() ? "accept a connection on"
             : dialled         ? "connect to"
                               : "use",
             opening.end, f.status());
  return false;
}

void Session::CannotOpen(absl::string_view step, const End& end,
                         const absl::Status& status) {
  failed_with_ = kExitOpen;
  // What no parser sees: a name of a service that there is not, for one.
  if (absl::IsInvalidArgument(status)) failed_with_ = kExitUsage;
  log_ << "flowcat: cannot " << step << " " << end.name << ": " << Words(status)
       << std::endl;
}

void Session::ReportDirection(const End& from, const End& to,
                              const flow::CopyResult& result) {
  if (result.ok() && options_.quiet) return;
  log_ << "flowcat: " << from.name << " -> " << to.name << ": ";
  if (result.ok()) {
    log_ << result.bytes << " B in " << FormatElapsed(result.duration) << ", "
         << FormatRate(result.bytes, result.duration);
  } else if (result.cut) {
    log_ << result.ToString();
  } else {
    log_ << Words(result.status());
  }
  log_ << std::endl;
}

ExitCode Session::Report(const flow::RelayResult& result) {
  ReportDirection(options_.from, options_.to, result.a_to_b);
  ReportDirection(options_.to, options_.from, result.b_to_a);
  if (result.ok()) return kExitOk;
  return absl::IsDeadlineExceeded(result.status()) ? kExitTimeout : kExitRelay;
}

ExitCode Session::Run() {
  Opening from{options_.from};
  Opening to{options_.to};
  if (!StartListening(from) || !StartListening(to) || !Open(from) ||
      !Open(to)) {
    return failed_with_;
  }
  return Report(flow::Relay(from.flow, to.flow, {options_.limits}));
}

}  // namespace

ExitCode RunSession(const SessionOptions& options, std::ostream& log) {
  return Session(options, log).Run();
}

}  // namespace flow_tools
