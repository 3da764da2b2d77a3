// Futures, listeners, relays, buffers and layers.

#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "flow/buffered/line.h"
#include "flow/buffered/reader.h"
#include "flow/buffered/writer.h"
#include "flow/flow.h"
#include "flow/layers/throttle.h"
#include "flow/net/dial.h"
#include "flow/net/listener.h"
#include "flow/or_eof.h"
#include "flow/relay/relay.h"
#include "flow/testing/torture/scenario_ends.h"
#include "flow/testing/torture/scenarios.h"
#include "flow/transport.h"

namespace flow_testing {
namespace {

using flow::ShutdownMode;

// A word there, and the end.
void SayAndEnd(TortureRun& run, Lane& lane, flow::Flow& from, flow::Flow& to) {
  lane.Write(from, 100);
  run.Ok(from.Shutdown(ShutdownMode::kWrite, run.Long()));
  lane.ReadToEnd(to);
}

// A listener and who dials it, at `address`.
void ListenDialAccept(TortureRun& run, const std::string& address) {
  flow::ListenOptions listening;
  listening.sys = run.sys();
  absl::StatusOr<flow::Listener> listener = flow::Listen(address, listening);
  if (!run.Ok(listener)) return;
  flow::NetOptions dialling;
  dialling.sys = run.sys();
  for (int i = 0; i < 2; ++i) {
    absl::StatusOr<flow::Flow> client =
        flow::Dial(listener->address(), run.Long(), dialling);
    if (!run.Ok(client)) return;
    absl::StatusOr<flow::Flow> server = listener->Accept(run.Long());
    if (!run.Ok(server)) return;
    Lane there(run, "there");
    SayAndEnd(run, there, *client, *server);
  }
  run.Note(listener->Close());
}

// From one pair of sockets to another, by one method.
void CopyBy(TortureRun& run, flow::CopyMethod method) {
  flow::Flow source;
  flow::Flow in;
  flow::Flow out;
  flow::Flow sink;
  if (!MakeSockets(run, &source, &in) || !MakeSockets(run, &out, &sink)) return;
  Lane lane(run, "through");
  lane.Write(source, 200);
  run.Ok(source.Shutdown(ShutdownMode::kWrite, run.Long()));
  flow::CopyOptions options;
  options.limits = run.Long();
  options.end_sink = true;
  options.method = method;
  const flow::CopyResult result = flow::Copy(in, out, options);
  // Who cuts a unix socket can't show it: only a copy in order says that the
  // end is the source's.
  if (!run.Ok(result.status())) lane.Loosen();
  if (lane.ReadToEnd(sink) && lane.received() != result.bytes) {
    run.Fail("the count of the copy is not what came");
  }
}

// Lines and frames through the buffers.
void Buffered(TortureRun& run) {
  flow::Flow a;
  flow::Flow b;
  if (!MakeSockets(run, &a, &b)) return;
  flow::Writer out(std::move(a));
  flow::Reader in(std::move(b));
  if (!run.Ok(out.Write("a line\n")) || !run.Ok(out.WriteFrame("a frame"))) {
    return;
  }
  run.Ok(out.Flush(run.Long()));
  const auto line = in.ReadLine(run.Long());
  if (run.Ok(line) && !line->is_eof() && line->data().terminated &&
      line->data().text != "a line") {
    run.Fail("a wrong line");
  }
  const auto frame = in.ReadFrame({}, run.Long());
  if (line.ok() && run.Ok(frame) && !frame->is_eof() &&
      frame->data().view() != "a frame") {
    run.Fail("a wrong frame");
  }
  run.Note(out.Close(run.Long()));
  run.Note(in.Read(run.Long()).status());
}

// A layer that waits for times.
void Throttled(TortureRun& run) {
  flow::Flow a;
  flow::Flow b;
  if (!MakeSockets(run, &a, &b)) return;
  flow::ThrottleOptions options;
  options.write.bytes_per_second = 1000;
  absl::StatusOr<flow::Flow> slow = flow::Throttle(std::move(a), options);
  if (!run.Ok(slow)) return;
  Lane lane(run, "slowly");
  SayAndEnd(run, lane, *slow, b);
  run.Note(slow->Close());
}

}  // namespace

std::vector<Scenario> RoomScenarios() {
  using flow::CopyMethod;
  return {
      {"listen_tcp", false,
       [](TortureRun& run) { ListenDialAccept(run, "tcp:127.0.0.1:0"); }},
      {"listen_unix", true,
       [](TortureRun& run) {
         ListenDialAccept(
             run, absl::StrCat("unix-abstract:flow.torture.", getpid()));
       }},
      {"copy_buffered", true,
       [](TortureRun& run) { CopyBy(run, CopyMethod::kBuffered); }},
      {"copy_splice", true,
       [](TortureRun& run) { CopyBy(run, CopyMethod::kSplice); }},
      {"buffered", true, &Buffered},
      {"throttle", true, &Throttled},
  };
}

}  // namespace flow_testing
