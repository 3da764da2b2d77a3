// Blocking calls on each kind of stream.

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/cancel.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/testing/torture/scenario_ends.h"
#include "flow/testing/torture/scenarios.h"
#include "flow/transport.h"

namespace flow_testing {
namespace {

using flow::PeerEnd;
using flow::ShutdownMode;

using Story = void (*)(TortureRun& run, Ends& ends);

// Ends a's writing, or takes its place for a stream whose ends nobody sees.
void End(TortureRun& run, Ends& ends, Lane& lane, flow::Flow& from,
         flow::Flow& to) {
  run.Ok(from.Shutdown(ShutdownMode::kWrite, run.Long()));
  if (ends.ends_are_visible) {
    lane.ReadToEnd(to);
  } else {
    lane.ReadUntil(to, lane.accepted());
  }
}

// A word each way, then both ends.
void Echo(TortureRun& run, Ends& ends) {
  Lane there(run, "there");
  Lane back(run, "back");
  if (there.Write(ends.a, 100)) there.ReadUntil(ends.b, 100);
  if (back.Write(ends.b, 60)) back.ReadUntil(ends.a, 60);
  End(run, ends, there, ends.a, ends.b);
  End(run, ends, back, ends.b, ends.a);
  run.Note(ends.a.Close());
  run.Note(ends.b.Close());
}

// One side ends, the other goes on.
void HalfClose(TortureRun& run, Ends& ends) {
  Lane there(run, "there");
  Lane back(run, "back");
  there.Write(ends.a, 200);
  End(run, ends, there, ends.a, ends.b);
  Pump(run, back, ends.b, ends.a, 9'000);
  run.Ok(ends.b.Shutdown(ShutdownMode::kReadWrite, run.Long()));
  if (ends.ends_are_visible) back.ReadToEnd(ends.a);
}

// Nobody reads until the writer's limit has cut it; then all that was counted.
void StalledWrite(TortureRun& run, Ends& ends) {
  Lane there(run, "there");
  const size_t size = 260'000;
  const absl::Status cut =
      ends.a.Write(there.Next(size), run.In(absl::Seconds(1)));
  there.Wrote(cut, size);
  run.Fails(cut, absl::StatusCode::kDeadlineExceeded);
  const absl::Status sealed = ends.a.Write("more", run.Long());
  run.Fails(sealed, absl::StatusCode::kFailedPrecondition);
  run.Note(ends.a.Close());
  if (ends.ends_are_visible) {
    there.ReadToEnd(ends.b);
  } else {
    there.ReadUntil(ends.b, there.accepted());
  }
}

// Every form of writing and reading.
void Forms(TortureRun& run, Ends& ends) {
  Lane there(run, "there");
  const std::string bytes = there.Next(90);
  const absl::string_view all = bytes;
  const absl::Status pieces = ends.a.Writev(
      {all.substr(0, 10), "", all.substr(10, 1), all.substr(11)}, run.Long());
  there.Wrote(pieces, bytes.size());
  run.Ok(pieces);
  absl::Cord cord(there.Next(20));
  cord.Append(absl::Cord(std::string(there.Next(40), 20)));
  const absl::Status chunks = ends.a.Write(cord, run.Long());
  there.Wrote(chunks, cord.size());
  run.Ok(chunks);
  there.WriteSome(ends.a, 30, run.Long());
  char small[7];
  while (there.received() < there.accepted()) {
    const absl::StatusOr<flow::OrEof<size_t>> got =
        ends.b.ReadInto(absl::MakeSpan(small), run.Long());
    if (!run.Ok(got)) return there.TookError(got.status());
    if (got->is_eof()) return there.TookEof();
    there.Took(absl::string_view(small, got->data()));
  }
}

// Close that waits for the peer's end.
void Graceful(TortureRun& run, Ends& ends) {
  Lane there(run, "there");
  Lane back(run, "back");
  back.Write(ends.b, 50);
  run.Ok(ends.b.Shutdown(ShutdownMode::kWrite, run.Long()));
  there.Write(ends.a, 150);
  const absl::Status closed = ends.a.CloseGracefully(run.Long());
  if (ends.ends_are_visible) {
    run.Ok(closed);
    there.ReadToEnd(ends.b);
  } else {
    run.Note(closed);
  }
}

// Limits and tokens, none of which harms the flow.
void GivingUp(TortureRun& run, Ends& ends) {
  Lane there(run, "there");
  const auto read = [&](const flow::Limits& limits, absl::StatusCode code) {
    const auto got = ends.b.Read(limits);
    run.Fails(got.status(), code);
    if (!got.ok()) there.TookError(got.status());
  };
  flow::CancelSource stop;
  flow::Limits stalls = run.Long();
  stalls.stall_timeout = absl::Milliseconds(70);
  read(run.In(absl::ZeroDuration()), absl::StatusCode::kDeadlineExceeded);
  read(run.In(absl::Milliseconds(50)), absl::StatusCode::kDeadlineExceeded);
  read(stalls, absl::StatusCode::kDeadlineExceeded);
  stop.SetDeadline(run.sim().In(absl::Milliseconds(90)));
  read(stop.token(), absl::StatusCode::kDeadlineExceeded);
  stop.Cancel();
  read(stop.token(), absl::StatusCode::kCancelled);
  there.Write(ends.a, 10);
  there.ReadUntil(ends.b, 10);
}

// What the peer's end looks like from here.
void WatchingThePeer(TortureRun& run, Ends& ends) {
  Lane back(run, "back");
  back.Write(ends.b, 10);
  const auto none =
      ends.a.WaitPeerEnd(PeerEnd::kFinished, run.In(absl::Milliseconds(50)));
  run.Fails(none.status(), absl::StatusCode::kDeadlineExceeded);
  run.Ok(ends.b.Shutdown(ShutdownMode::kWrite, run.Long()));
  const auto finished = ends.a.WaitPeerEnd(PeerEnd::kFinished, run.Long());
  if (ends.ends_are_visible) run.Ok(finished);
  run.Note(ends.b.Close());
  run.Note(
      ends.a.WaitPeerEnd(PeerEnd::kGone, run.In(absl::Seconds(1))).status());
  if (ends.ends_are_visible) back.ReadToEnd(ends.a);
}

// An end that is a failure, seen by reader and writer.
void Aborting(TortureRun& run, Ends& ends) {
  Lane there(run, "there");
  Lane back(run, "back");
  there.Write(ends.a, 40);
  back.Loosen();
  there.Loosen();
  run.Note(ends.a.Abort());
  const absl::Status after = ends.a.Write("x", run.Long());
  run.Fails(after, absl::StatusCode::kFailedPrecondition);
  const flow::Limits soon = run.In(absl::Seconds(1));
  for (int i = 0; i < 3; ++i) {
    const auto got = ends.b.Read(soon);
    run.Note(got.status());
    if (!got.ok()) {
      there.TookError(got.status());
    } else if (got->is_eof()) {
      there.TookEof();
    } else {
      there.Took(got->data().view());
    }
    const absl::Status status = ends.b.Write(back.Next(10), soon);
    back.Wrote(status, 10);
    run.Note(status);
  }
}

// A descriptor that changes hands.
void Releasing(TortureRun& run, Ends& ends) {
  Lane there(run, "there");
  there.Write(ends.a, 10);
  absl::StatusOr<flow::UniqueFd> fd = ends.a.ReleaseFd();
  run.Note(fd.status());
  if (!fd.ok()) return;
  flow::FdOptions options;
  options.sys = run.sys();
  absl::StatusOr<flow::Flow> again = flow::Adopt(*std::move(fd), options);
  if (!run.Ok(again)) return;
  there.Write(*again, 10);
  run.Ok(again->Shutdown(ShutdownMode::kWrite, run.Long()));
  there.ReadToEnd(ends.b);
}

struct NamedStory {
  const char* name;
  Story story;
};

}  // namespace

std::vector<Scenario> StreamScenarios() {
  constexpr EndsKind kKinds[] = {
      EndsKind::kUnix,         EndsKind::kTcp,           EndsKind::kPipes,
      EndsKind::kBorrowedUnix, EndsKind::kBorrowedPipes, EndsKind::kMemory};
  const NamedStory stories[] = {{"echo", &Echo},
                                {"half_close", &HalfClose},
                                {"stalled", &StalledWrite},
                                {"forms", &Forms},
                                {"graceful", &Graceful},
                                {"giving_up", &GivingUp},
                                {"peer_end", &WatchingThePeer},
                                {"abort", &Aborting},
                                {"release", &Releasing}};
  std::vector<Scenario> all;
  for (const EndsKind kind : kKinds) {
    for (const NamedStory& named : stories) {
      Scenario scenario;
      scenario.name = absl::StrCat(EndsName(kind), "_", named.name);
      scenario.alone = ArrivesAtOnce(kind);
      scenario.body = [kind, story = named.story](TortureRun& run) {
        Ends ends;
        if (MakeEnds(run, kind, &ends)) story(run, ends);
      };
      all.push_back(std::move(scenario));
    }
  }
  return all;
}

}  // namespace flow_testing
