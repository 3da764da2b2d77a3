// F3, F4, F5: streams between two threads, each beside the same by raw blocking
// calls: bytes per second, and the processor seconds of both threads per GiB.
//
//   tools/bench/run --only=F3,F4,F5
//
// Stream/WHAT/KIND/HOW:
// - WHAT: 64K and 1K (chunks, read in the same size), writev (16 x 256 B, read
//   by 64 KiB).
// - KIND: unix, tcp, pipe; made_pipe is a pair by flow::Pipe(), beside a pipe
// of
//   the kernel's size. Threads are on two CPUs, if there are.
// - HOW: Raw and RawAgain, whose ratio is the noise; Token: with deadline and
//   token; Foreign: the same, but the writer is not a thread of flow's, so that
//   pipes need a guard against SIGPIPE.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "benchmark/benchmark.h"
#include "flow/bench/raw.h"
#include "flow/bench/rig.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/limits.h"

namespace flow_bench {
namespace {

using flow::Flow;
using flow::Limits;

constexpr size_t kPieces = 16;
constexpr double kGiB = 1 << 30;

enum class What { kLarge, kSmall, kVectored };
enum class How { kRaw, kToken, kForeign };

struct Case {
  What what;
  Kind kind;
  How how;
  bool made_pipe;

  size_t write_size() const {
    return what == What::kLarge ? 64 << 10 : what == What::kSmall ? 1024 : 256;
  }
  size_t read_size() const {
    return what == What::kVectored ? 64 << 10 : write_size();
  }
  // What one iteration reads: long enough that starting costs nothing.
  size_t batch() const {
    return what == What::kLarge ? size_t{16} << 20 : size_t{1} << 20;
  }
};

// What the writer did, in all.
struct Fed {
  std::atomic<int64_t> cpu_us{0};
  std::atomic<uint64_t> bytes{0};
};

void CountCpu(Fed& fed, absl::FunctionRef<size_t()> feed) {
  const double before = ThreadCpuSeconds();
  fed.bytes = feed();
  fed.cpu_us = static_cast<int64_t>((ThreadCpuSeconds() - before) * 1e6);
}

size_t FlowFeed(Flow& flow, const Case& c, const Limits& limits) {
  const std::string chunk(c.write_size(), 'x');
  const std::vector<absl::string_view> pieces(kPieces, chunk);
  size_t total = 0;
  if (c.what == What::kVectored) {
    while (flow.Writev(pieces, limits).ok()) total += chunk.size() * kPieces;
  } else {
    while (flow.Write(chunk, limits).ok()) total += chunk.size();
  }
  return total;
}

// Reads batches by `read` while the writer writes, and reports both.
void Measure(benchmark::State& state, const Case& c, Fed& fed,
             absl::FunctionRef<size_t(char*, size_t)> read,
             absl::FunctionRef<void()> end_writer) {
  std::vector<char> buffer(c.read_size());
  size_t total = 0;
  const double before = ThreadCpuSeconds();
  for (auto _ : state) {
    for (size_t got = 0; got < c.batch();) {
      const size_t n = read(buffer.data(), buffer.size());
      Must(n > 0, "read");
      got += n;
      total += n;
    }
  }
  const double cpu = ThreadCpuSeconds() - before;
  end_writer();
  state.SetBytesProcessed(static_cast<int64_t>(total));
  state.counters["cpu_s_per_GiB"] = cpu * kGiB / static_cast<double>(total) +
                                    static_cast<double>(fed.cpu_us.load()) *
                                        1e-6 * kGiB /
                                        static_cast<double>(fed.bytes.load());
}

void Raw(benchmark::State& state, const Case& c) {
  Ends ends = MakeEnds(c.kind);
  Fed fed;
  flow::OwnThread writer;
  Must(writer.Start("writer",
                    [&] {
                      PinTo(1);
                      CountCpu(fed, [&] {
                        return c.what == What::kVectored
                                   ? RawFeedPieces(ends.far, c.write_size(),
                                                   kPieces)
                                   : RawFeed(ends.far, c.write_size());
                      });
                    }),
       "pthread_create");
  Measure(
      state, c, fed,
      [&](char* to, size_t size) {
        return static_cast<size_t>(RawReadSome(ends.near, to, size));
      },
      [&] {
        ends.near = End();
        writer.JoinUnlessSelf();
      });
}

std::pair<Flow, Flow> FlowsFor(const Case& c) {
  if (c.made_pipe) return Must(flow::Pipe());
  Ends ends = MakeEnds(c.kind);
  Flow reader = FlowOn(std::move(ends.near));
  return {std::move(reader), FlowOn(std::move(ends.far))};
}

void Ours(benchmark::State& state, const Case& c) {
  const Armed armed;
  auto [reader, writer] = FlowsFor(c);
  Fed fed;
  const auto feed = [&, &writer = writer] {
    PinTo(1);
    CountCpu(fed, [&] { return FlowFeed(writer, c, armed.limits); });
  };
  flow::OwnThread ours;
  std::thread foreign;
  if (c.how == How::kForeign) {
    foreign = std::thread(feed);
  } else {
    Must(ours.Start("writer", feed), "pthread_create");
  }
  Measure(
      state, c, fed,
      [&, &reader = reader](char* to, size_t size) {
        return Must(reader.ReadInto({to, size}, armed.limits)).data();
      },
      [&, &reader = reader] {
        reader.Close().IgnoreError();
        if (foreign.joinable()) foreign.join();
        ours.JoinUnlessSelf();
      });
}

void Stream(benchmark::State& state, const Case& c) {
  OnOurThread([&] {
    PinTo(0);
    c.how == How::kRaw ? Raw(state, c) : Ours(state, c);
  });
}

void Register(const std::string& name, const Case& c) {
  benchmark::RegisterBenchmark(name.c_str(), [c](benchmark::State& state) {
    Stream(state, c);
  })->UseRealTime();
}

void RegisterAll() {
  const std::pair<const char*, What> whats[] = {
      {"64K", What::kLarge}, {"1K", What::kSmall}, {"writev", What::kVectored}};
  for (const auto& [what_name, what] : whats) {
    for (const Kind kind : kKinds) {
      const std::string base =
          absl::StrCat("Stream/", what_name, "/", NameOf(kind), "/");
      Register(base + "Raw", {what, kind, How::kRaw, false});
      Register(base + "RawAgain", {what, kind, How::kRaw, false});
      Register(base + "Token", {what, kind, How::kToken, false});
      if (kind != Kind::kPipe) continue;
      Register(base + "Foreign", {what, kind, How::kForeign, false});
    }
    const std::string made = absl::StrCat("Stream/", what_name, "/made_pipe/");
    Register(made + "Raw", {what, Kind::kPipe, How::kRaw, false});
    Register(made + "Token", {what, Kind::kPipe, How::kToken, true});
  }
}

const bool kRegistered = (RegisterAll(), true);

}  // namespace
}  // namespace flow_bench
