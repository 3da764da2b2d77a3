// Futures, with their poller.

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/flow.h"
#include "flow/testing/torture/scenario_ends.h"
#include "flow/testing/torture/scenarios.h"
#include "flow/thread_pool.h"
#include "flow/transport.h"

namespace flow_testing {
namespace {

// One Read. True: data.
bool Take(TortureRun& run, Lane& lane, flow::AsyncFlow& from) {
  const flow::AsyncFlow::ReadResult got = from.Read(run.Long()).get();
  if (!got.ok()) {
    lane.TookError(got.status());
    return run.Ok(got.status());
  }
  if (got->is_eof()) {
    lane.TookEof();
    return false;
  }
  lane.Took(got->data().view());
  return true;
}

// Reads that wait for what is written later; then the end.
void AsyncEcho(TortureRun& run) {
  flow::Flow first;
  flow::Flow second;
  if (!MakeSockets(run, &first, &second)) return;
  flow::ThreadPool pool(1);
  flow::AsyncContext context(pool, run.sys());
  absl::StatusOr<flow::AsyncFlow> a =
      flow::AsyncFlow::From(std::move(first), context);
  absl::StatusOr<flow::AsyncFlow> b =
      flow::AsyncFlow::From(std::move(second), context);
  if (!run.Ok(a) || !run.Ok(b)) return;
  Lane lane(run, "there");
  auto waiting = b->Read(run.Long());
  const absl::Status sent = a->Write(lane.Next(100), run.Long()).get();
  lane.Wrote(sent, 100);
  run.Ok(sent);
  const flow::AsyncFlow::ReadResult got = waiting.get();
  run.Ok(got);
  if (!got.ok()) {
    lane.TookError(got.status());
  } else if (!got->is_eof()) {
    lane.Took(got->data().view());
  } else {
    lane.TookEof();
  }
  run.Ok(a->Shutdown(flow::ShutdownMode::kWrite, run.Long()).get());
  while (Take(run, lane, *b)) {
  }
  run.Note(a->Close().get());
  run.Note(b->Close().get());
}

}  // namespace

std::vector<Scenario> AsyncScenarios() {
  return {{"async_echo", false, &AsyncEcho}};
}

}  // namespace flow_testing
