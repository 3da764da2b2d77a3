// What is more than bytes: descriptors, programs, terminals, servers.

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/net/dial.h"
#include "flow/net/fd_passing.h"
#include "flow/net/listener.h"
#include "flow/net/pty.h"
#include "flow/net/serve.h"
#include "flow/net/subprocess.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/torture/scenario_ends.h"
#include "flow/testing/torture/scenarios.h"
#include "flow/transport.h"

namespace flow_testing {
namespace {

using flow::ShutdownMode;

// A descriptor beside a word.
void PassFds(TortureRun& run) {
  flow::Flow a;
  flow::Flow b;
  if (!MakeSockets(run, &a, &b)) return;
  const flow::UniqueFd file(open("/dev/null", O_RDONLY | O_CLOEXEC));
  Lane lane(run, "beside descriptors");
  const absl::Status sent =
      flow::SendFds(a, {file.get()}, lane.Next(100), run.Long());
  lane.Wrote(sent, 100);
  run.Ok(sent);
  const auto got = flow::RecvFds(b, 1, run.Long());
  if (!run.Ok(got)) {
    // "Nothing was taken": the flow is as it was, and may end in order.
    if (!absl::IsUnimplemented(got.status())) lane.TookError(got.status());
  } else if (got->is_eof()) {
    lane.TookEof();
  } else {
    lane.Took(got->data().data.view());
    if (got->data().fds.size() > 1 ||
        (run.strict() && got->data().fds.empty())) {
      run.Fail("another number of descriptors");
    }
  }
  run.Ok(a.Shutdown(ShutdownMode::kWrite, run.Long()));
  lane.ReadToEnd(b);
}

// What cat is told, it says.
void ThroughCat(TortureRun& run) {
  flow::SpawnOptions options;
  options.sys = run.sys();
  options.kill_on_close = true;
  absl::StatusOr<flow::Subprocess> cat = flow::Spawn({"/bin/cat"}, options);
  if (!run.Ok(cat)) return;
  // A program that is killed ends as others do.
  Lane lane(run, "through cat", LaneBooks::kPrefix);
  lane.Write(cat->stdin_flow(), 100);
  run.Note(cat->stdin_flow().Close());
  if (lane.ReadToEnd(cat->stdout_flow()) && run.strict() &&
      lane.received() != 100) {
    run.Fail("not all came back");
  }
  run.Ok(cat->Wait(run.Long()));
}

// Both sides of a terminal.
void Terminal(TortureRun& run) {
  flow::PtyOptions options;
  options.sys = run.sys();
  options.raw = true;
  absl::StatusOr<flow::Pty> pty = flow::OpenPty(options);
  if (!run.Ok(pty)) return;
  run.Note(flow::SetWindowSize(pty->master, {50, 132}));
  flow::FdOptions adopting;
  adopting.sys = run.sys();
  absl::StatusOr<flow::Flow> slave =
      flow::Adopt(std::move(pty->slave), adopting);
  if (!run.Ok(slave)) return;
  // A hang-up is the only end there is.
  Lane typed(run, "typed", LaneBooks::kPrefix);
  Lane printed(run, "printed", LaneBooks::kPrefix);
  if (typed.Write(pty->master, 50)) typed.ReadUntil(*slave, 50);
  if (printed.Write(*slave, 50)) printed.ReadUntil(pty->master, 50);
  run.Note(slave->Close());
  printed.ReadToEnd(pty->master);
}

// A client of a server that says what it hears.
void ServeEcho(TortureRun& run) {
  flow::ListenOptions listening;
  listening.sys = run.sys();
  absl::StatusOr<flow::Listener> listener = flow::Listen(
      absl::StrCat("unix-abstract:flow.serve.", getpid()), listening);
  if (!run.Ok(listener)) return;
  const std::string address = listener->address();
  flow::ServeOptions options;
  options.sys = run.sys();
  absl::StatusOr<flow::Server> server = flow::Server::Start(
      *std::move(listener),
      [](flow::Flow& f, const flow::CancelToken& cut) -> absl::Status {
        for (;;) {
          auto got = f.Read(cut);
          if (!got.ok()) return got.status();
          if (got->is_eof()) return absl::OkStatus();
          const absl::Status sent = f.Write(got->data().view(), cut);
          if (!sent.ok()) return sent;
        }
      },
      options);
  if (!run.Ok(server)) return;
  flow::NetOptions dialling;
  dialling.sys = run.sys();
  absl::StatusOr<flow::Flow> client = flow::Dial(address, run.Long(), dialling);
  if (run.Ok(client)) {
    // A handler that fails can't show it on a unix socket.
    Lane lane(run, "echoed", LaneBooks::kPrefix);
    lane.Write(*client, 100);
    run.Ok(client->Shutdown(ShutdownMode::kWrite, run.Long()));
    if (lane.ReadToEnd(*client) && run.strict() && lane.received() != 100) {
      run.Fail("not all was echoed");
    }
  }
  run.Note(server->Stop(run.sim().In(absl::Seconds(1))));
}

}  // namespace

std::vector<Scenario> SystemScenarios() {
  return {
      {"fd_passing", true, &PassFds},
      {"subprocess", false, &ThroughCat},
      {"pty", true, &Terminal},
      {"serve", false, &ServeEcho},
  };
}

}  // namespace flow_testing
