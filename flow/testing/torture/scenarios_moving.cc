// Bytes that somebody else moves: the kernel from file to file, relays, layers,
// TLS.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/layers/counting.h"
#include "flow/layers/limit.h"
#include "flow/layers/logging.h"
#include "flow/layers/prefix.h"
#include "flow/layers/tee.h"
#include "flow/relay/async_relay.h"
#include "flow/relay/relay.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/torture/scenario_ends.h"
#include "flow/testing/torture/scenarios.h"
#include "flow/thread_pool.h"
#include "flow/tls/tls.h"
#include "flow/tls/tls_test_support.h"
#include "flow/transport.h"

namespace flow_testing {
namespace {

using flow::ShutdownMode;

// A file without a name, which holds `bytes`, at its start.
flow::UniqueFd FileWith(const std::string& bytes) {
  flow::UniqueFd file(memfd_create("flow.torture", MFD_CLOEXEC));
  if (pwrite(file.get(), bytes.data(), bytes.size(), 0) !=
      static_cast<ssize_t>(bytes.size())) {
    file.reset();
  }
  return file;
}

bool AdoptFile(TortureRun& run, flow::UniqueFd file, flow::Flow* out) {
  flow::FdOptions options;
  options.sys = run.sys();
  absl::StatusOr<flow::Flow> made = flow::Adopt(std::move(file), options);
  if (!run.Ok(made)) return false;
  *out = *std::move(made);
  return true;
}

flow::CopyOptions CopyBy(TortureRun& run, flow::CopyMethod method) {
  flow::CopyOptions options;
  options.limits = run.Long();
  options.end_sink = true;
  options.method = method;
  return options;
}

// From a file into a socket.
void Sendfile(TortureRun& run, flow::CopyMethod method) {
  flow::Flow source;
  flow::Flow out;
  flow::Flow sink;
  Lane lane(run, "out of the file");
  const std::string bytes = lane.Next(200);
  if (!AdoptFile(run, FileWith(bytes), &source)) return;
  if (!MakeSockets(run, &out, &sink)) return;
  lane.Wrote(absl::OkStatus(), bytes.size());
  const flow::CopyResult result = flow::Copy(source, out, CopyBy(run, method));
  if (!run.Ok(result.status())) lane.Loosen();
  if (lane.ReadToEnd(sink) && lane.received() != result.bytes) {
    run.Fail("the count of the copy is not what came");
  }
}

// From file to file.
void CopyRange(TortureRun& run, flow::CopyMethod method) {
  flow::Flow source;
  flow::Flow sink;
  Lane lane(run, "from file to file");
  const std::string bytes = lane.Next(200);
  flow::UniqueFd file = FileWith("");
  const flow::UniqueFd same(fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
  if (!AdoptFile(run, FileWith(bytes), &source)) return;
  if (!AdoptFile(run, std::move(file), &sink)) return;
  lane.Wrote(absl::OkStatus(), bytes.size());
  const flow::CopyResult result = flow::Copy(source, sink, CopyBy(run, method));
  std::string got(bytes.size() + 1, '\0');
  const ssize_t n = pread(same.get(), &got[0], got.size(), 0);
  lane.Took(absl::string_view(got).substr(0, static_cast<size_t>(n)));
  if (static_cast<uint64_t>(n) != result.bytes) {
    run.Fail("the count of the copy is not what came");
  }
  if (run.Ok(result.status()) && result.bytes != bytes.size()) {
    run.Fail("in order, but not all");
  }
}

// What a relay stands between: who says something on either side, and has
// ended.
struct RelayRig {
  explicit RelayRig(TortureRun& r)
      : run(r), there(r, "there"), back(r, "back") {}

  bool Make() {
    if (!MakeSockets(run, &client, &a) || !MakeSockets(run, &b, &server)) {
      return false;
    }
    there.Write(client, 150);
    run.Ok(client.Shutdown(ShutdownMode::kWrite, run.Long()));
    back.Write(server, 70);
    run.Ok(server.Shutdown(ShutdownMode::kWrite, run.Long()));
    return true;
  }
  void Finish(const flow::RelayResult& result) {
    // Who cuts a unix socket can't show it: only a relay in order says that the
    // ends are the peers'.
    if (!run.Ok(result.status())) {
      there.Loosen();
      back.Loosen();
    }
    there.ReadToEnd(server);
    back.ReadToEnd(client);
  }

  TortureRun& run;
  flow::Flow client;
  flow::Flow a;
  flow::Flow b;
  flow::Flow server;
  Lane there;
  Lane back;
};

void RelayBothWays(TortureRun& run) {
  RelayRig rig(run);
  if (!rig.Make()) return;
  flow::RelayOptions options;
  options.limits = run.Long();
  const flow::RelayResult result = flow::Relay(rig.a, rig.b, options);
  rig.a = flow::Flow();
  rig.b = flow::Flow();
  rig.Finish(result);
}

void AsyncRelayBothWays(TortureRun& run) {
  RelayRig rig(run);
  if (!rig.Make()) return;
  flow::RelayOptions options;
  options.limits = run.Long();
  flow::RelayResult result;
  {
    flow::ThreadPool pool(1);
    flow::AsyncContext context(pool, run.sys());
    auto a = flow::AsyncFlow::From(std::move(rig.a), context);
    auto b = flow::AsyncFlow::From(std::move(rig.b), context);
    if (!run.Ok(a) || !run.Ok(b)) return;
    result = flow::AsyncRelay(*std::move(a), *std::move(b), options).get();
  }
  rig.Finish(result);
}

void Ignore(absl::string_view /*line*/) {}

// One layer on the other.
void Layers(TortureRun& run) {
  flow::Flow a;
  flow::Flow b;
  if (!MakeSockets(run, &a, &b)) return;
  Lane lane(run, "under layers");
  const std::string head = lane.Next(10);
  lane.Wrote(absl::OkStatus(), head.size());
  absl::StatusOr<flow::Flow> in = flow::Prefix(std::move(b), head);
  if (!run.Ok(in)) return;
  in = flow::Count(*std::move(in), std::make_shared<flow::FlowCounters>());
  if (!run.Ok(in)) return;
  auto silent = std::make_shared<flow::LogSink>(&Ignore);
  in = flow::Log(*std::move(in), std::move(silent));
  if (!run.Ok(in)) return;
  flow::ByteLimits limits;
  limits.read.bytes = 110;
  in = flow::LimitBytes(*std::move(in), limits);
  if (!run.Ok(in)) return;
  lane.Write(a, 100);
  run.Ok(a.Shutdown(ShutdownMode::kWrite, run.Long()));
  lane.ReadToEnd(*in);
  run.Note(in->Close());
}

// What is read is copied.
void Teed(TortureRun& run) {
  flow::Flow a;
  flow::Flow b;
  flow::Flow copy;
  flow::Flow witness;
  if (!MakeSockets(run, &a, &b) || !MakeSockets(run, &copy, &witness)) return;
  flow::TeeOptions options;
  options.read_to = std::move(copy);
  absl::StatusOr<flow::Flow> in = flow::Tee(std::move(b), std::move(options));
  if (!run.Ok(in)) return;
  Lane lane(run, "teed");
  lane.Write(a, 100);
  run.Ok(a.Shutdown(ShutdownMode::kWrite, run.Long()));
  const bool whole = lane.ReadToEnd(*in);
  const uint64_t seen = lane.received();
  run.Note(in->Close());
  *in = flow::Flow();
  Lane copied(run, "the copy", LaneBooks::kPrefix);
  copied.Wrote(absl::OkStatus(), 100);
  if (copied.ReadToEnd(witness) && whole && copied.received() < seen) {
    run.Fail("the copy has an end, and less than was read");
  }
}

// A handshake, a word each way, and the ends.
void WordsUnderTls(TortureRun& run) {
  static const auto* const client = new absl::StatusOr<flow::TlsClient>(
      flow::TlsClient::Create(GoodClient()));
  static const auto* const server = new absl::StatusOr<flow::TlsServer>(
      flow::TlsServer::Create(GoodServer()));
  flow::Flow below_client;
  flow::Flow below_server;
  if (!MakeSockets(run, &below_client, &below_server)) return;
  Lane there(run, "there", LaneBooks::kAtLeast);
  std::thread serving([&run, &there, &below_server] {
    absl::StatusOr<flow::TlsFlow> tls =
        flow::TlsAccept(std::move(below_server), **server, run.Long());
    if (run.Ok(tls)) there.ReadToEnd(tls->flow);
  });
  {
    absl::StatusOr<flow::TlsFlow> tls = flow::TlsConnect(
        std::move(below_client), **client, "localhost", run.Long());
    if (run.Ok(tls)) {
      there.Write(tls->flow, 100);
      run.Ok(tls->flow.Shutdown(ShutdownMode::kWrite, run.Long()));
      run.Note(tls->flow.Read(run.Long()).status());
    }
  }
  serving.join();
}

}  // namespace

std::vector<Scenario> MovingScenarios() {
  using flow::CopyMethod;
  return {
      {"sendfile", true,
       [](TortureRun& run) { Sendfile(run, CopyMethod::kSendfile); }},
      {"file_to_socket", true,
       [](TortureRun& run) { Sendfile(run, CopyMethod::kAuto); }},
      {"copy_file_range", true,
       [](TortureRun& run) { CopyRange(run, CopyMethod::kCopyFileRange); }},
      {"file_to_file", true,
       [](TortureRun& run) { CopyRange(run, CopyMethod::kAuto); }},
      {"relay", false, &RelayBothWays},
      {"async_relay", false, &AsyncRelayBothWays},
      {"layers", true, &Layers},
      {"tee", true, &Teed},
      {"tls", false, &WordsUnderTls},
  };
}

}  // namespace flow_testing
