#include "tools/flowcat/bench.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/cancel.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/listener.h"
#include "flow/net/open.h"
#include "flow/net/serve.h"
#include "flow/or_eof.h"
#include "flow/relay/relay.h"
#include "flow/sys/mono_time.h"
#include "tools/flowcat/bench_report.h"
#include "tools/flowcat/opening.h"
#include "tools/flowcat/report.h"

namespace flow_tools {
namespace {

using flow::MonoTime;

constexpr size_t kChunk = size_t{64} << 10;
// How long the echo may lag behind what was sent.
constexpr absl::Duration kLag = absl::Seconds(10);

// What is sent again and again: a byte that is lost or doubled shows.
std::string Pattern(size_t size) {
  std::string pattern(size, '\0');
  uint64_t state = 0x9e3779b97f4a7c15u;
  for (char& byte : pattern) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<char>(state >> 56);
  }
  return pattern;
}

absl::Status NoEcho(absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("what came back is not what was sent: ", what));
}

class Bench {
 public:
  Bench(const Context& context, const End& end)
      : context_(context), end_(end), limits_(context.settings.timeout) {
    limits_.cancel = context.signals.cut();
  }

  absl::Status Run(BenchResult* result) {
    result->name = end_.name;
    const absl::Status status = MeasureThroughput(result);
    return status.ok() ? MeasureLatency(result) : status;
  }

 private:
  absl::Status MeasureThroughput(BenchResult* result);
  absl::Status MeasureLatency(BenchResult* result);
  absl::Status Send(flow::Flow& f, const std::string& pattern, MonoTime until,
                    uint64_t* sent) const;
  absl::Status Receive(flow::Flow& f, const std::string& pattern,
                       const flow::Limits& limits, uint64_t* received) const;

  const Context& context_;
  const End& end_;
  flow::Limits limits_;
};

absl::Status Bench::Send(flow::Flow& f, const std::string& pattern,
                         MonoTime until, uint64_t* sent) const {
  while (MonoTime::Now() < until) {
    const absl::Status status = f.Write(pattern, limits_.Within(until + kLag));
    if (!status.ok()) return status;
    *sent += pattern.size();
  }
  return f.Shutdown(flow::ShutdownMode::kWrite, limits_);
}

absl::Status Bench::Receive(flow::Flow& f, const std::string& pattern,
                            const flow::Limits& limits,
                            uint64_t* received) const {
  std::vector<char> chunk(kChunk);
  for (;;) {
    const size_t at = static_cast<size_t>(*received % pattern.size());
    const absl::StatusOr<flow::OrEof<size_t>> got = f.ReadInto(
        absl::MakeSpan(chunk).first(std::min(kChunk, pattern.size() - at)),
        limits);
    if (!got.ok()) return got.status();
    if (got->is_eof()) return absl::OkStatus();
    if (absl::string_view(pattern).substr(at, got->data()) !=
        absl::string_view(chunk.data(), got->data())) {
      return NoEcho(absl::StrCat("it differs after ", *received, " B"));
    }
    *received += got->data();
  }
}

absl::Status Bench::MeasureThroughput(BenchResult* result) {
  absl::StatusOr<flow::Flow> f = OpenEnd(context_, end_, limits_);
  if (!f.ok()) return f.status();
  const std::string pattern = Pattern(kChunk);
  const MonoTime begin = MonoTime::Now();
  const MonoTime until = begin + context_.settings.duration;
  uint64_t sent = 0;
  uint64_t received = 0;
  absl::Status sending;
  std::thread sender([&] { sending = Send(*f, pattern, until, &sent); });
  const absl::Status receiving =
      Receive(*f, pattern, limits_.Within(until + kLag), &received);
  result->duration = MonoTime::Now() - begin;
  // A sender whose echo has ended has nobody left to send for.
  if (!receiving.ok()) f->Close().IgnoreError();
  sender.join();
  result->bytes = received;
  if (!receiving.ok()) return receiving;
  if (!sending.ok()) return sending;
  if (sent == received) return absl::OkStatus();
  return NoEcho(absl::StrCat(sent, " B sent, ", received, " B back"));
}

absl::Status Bench::MeasureLatency(BenchResult* result) {
  absl::StatusOr<flow::Flow> f = OpenEnd(context_, end_, limits_);
  if (!f.ok()) return f.status();
  const std::string message =
      Pattern(static_cast<size_t>(context_.settings.message.bytes));
  result->message = message.size();
  std::string back(message.size(), '\0');
  const MonoTime until = MonoTime::Now() + context_.settings.duration;
  const flow::Limits limits = limits_.Within(until + kLag);
  for (MonoTime begin = MonoTime::Now(); begin < until;) {
    const absl::Status sent = f->Write(message, limits);
    if (!sent.ok()) return sent;
    for (size_t have = 0; have < back.size();) {
      const absl::StatusOr<flow::OrEof<size_t>> got =
          f->ReadInto(absl::MakeSpan(back).subspan(have), limits);
      if (!got.ok()) return got.status();
      if (got->is_eof()) return NoEcho("it ended");
      have += got->data();
    }
    if (back != message) return NoEcho("a message differs");
    const MonoTime end = MonoTime::Now();
    result->latency.Add(end - begin);
    begin = end;
  }
  return absl::OkStatus();
}

absl::StatusOr<flow::Server> ServeEcho() {
  absl::StatusOr<flow::Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  if (!listener.ok()) return listener.status();
  return flow::Server::Start(
      *std::move(listener),
      flow::ServeHandler([](flow::Flow& f, const flow::CancelToken& cut) {
        flow::CopyOptions options;
        options.limits = cut;
        options.end_sink = true;
        return flow::Copy(f, f, options).status();
      }));
}

ExitCode Failed(const Context& context, const End& end,
                const absl::Status& status) {
  SayCannot(context, "bench: ", "measure", end, status);
  return kExitRelay;
}

absl::Status WriteFile(const std::string& path, const std::string& text) {
  absl::StatusOr<flow::Flow> file = flow::Open(absl::StrCat(
      "file:", absl::StrReplaceAll(path, {{"%", "%25"}, {",", "%2C"}}),
      ",write,create,truncate"));
  return file.ok() ? file->Write(text) : file.status();
}

}  // namespace

ExitCode RunBench(const Context& context, const End* end) {
  std::optional<flow::Server> own;
  End self;
  if (end == nullptr) {
    absl::StatusOr<flow::Server> server = ServeEcho();
    if (!server.ok()) return Failed(context, self, server.status());
    own = *std::move(server);
    absl::StatusOr<End> there = ParseEnd(own->address());
    if (!there.ok()) return Failed(context, self, there.status());
    self = *std::move(there);
    end = &self;
  }
  context.console.Note(
      absl::StrCat("measuring ", end->name, " for 2 x ",
                   absl::FormatDuration(context.settings.duration)));
  BenchResult result;
  const absl::Status status = Bench(context, *end).Run(&result);
  if (!status.ok()) return Failed(context, *end, status);
  std::cout << (context.settings.json ? BenchAsJson(result)
                                      : BenchAsText(result))
            << std::flush;
  if (context.settings.svg.empty()) return kExitOk;
  const absl::Status drawn =
      WriteFile(context.settings.svg, BenchAsSvg(result));
  if (drawn.ok()) return kExitOk;
  context.console.Error(
      absl::StrCat("cannot write ", context.settings.svg, ": ", Words(drawn)));
  return kExitOpen;
}

}  // namespace flow_tools
