// File: peer_cases.h (testonly)
//
// The cases in which a peer is measured, with the names that flow's own
// benchmarks have (flow/bench/pingpong_benchmark.cc, stream_benchmark.cc), each
// beside the same raw loop. A peer says how it does them:
//
//   struct MyPeer : Peer {
//     // 64 B to and fro: returns when `go` says false.
//     void PingPong(End end, absl::FunctionRef<bool()> go) override;
//     // Sends back 64 B messages until the end of the stream.
//     void Echo(End end) override;
//     ...
//   };
//   RegisterPeer("MyPeer", [] { return std::make_unique<MyPeer>(); });

#ifndef TOOLS_BENCH_PEERS_PEER_CASES_H_
#define TOOLS_BENCH_PEERS_PEER_CASES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "flow/bench/raw.h"
#include "flow/bench/rig.h"

namespace flow_bench {

constexpr size_t kPing = 64;

// One kind of peer; an object for each thread, which makes all its calls.
class Peer {
 public:
  virtual ~Peer() = default;
  virtual void PingPong(End end, absl::FunctionRef<bool()> go) = 0;
  virtual void Echo(End end) = 0;
  // Writes chunks until the reader has gone; reads chunks, telling `got` of
  // each, until that says false.
  virtual void Feed(End end, size_t chunk) = 0;
  virtual void Eat(End end, size_t chunk,
                   absl::FunctionRef<bool(size_t)> got) = 0;
};

using MakePeer = std::function<std::unique_ptr<Peer>()>;

// The raw loops.
class RawPeer final : public Peer {
 public:
  void PingPong(End end, absl::FunctionRef<bool()> go) override {
    char bytes[kPing] = {};
    while (go()) {
      Must(RawWrite(end, bytes, kPing), "write");
      Must(RawRead(end, bytes, kPing), "read");
    }
  }
  void Echo(End end) override { RawEcho(end, kPing); }
  void Feed(End end, size_t chunk) override { RawFeed(end, chunk); }
  void Eat(End end, size_t chunk,
           absl::FunctionRef<bool(size_t)> got) override {
    std::string buffer(chunk, '\0');
    ssize_t n = 0;
    do {
      n = RawReadSome(end, buffer.data(), buffer.size());
      Must(n > 0, "read");
    } while (got(static_cast<size_t>(n)));
  }
};

inline void BenchPingPong(benchmark::State& state, Kind kind, size_t far_cpu,
                          const MakePeer& make) {
  OnOurThread([&] {
    PinTo(0);
    Ends ends = MakeEnds(kind);
    const OurThread peer([&make, far_cpu, far = std::move(ends.far)]() mutable {
      PinTo(far_cpu);
      make()->Echo(std::move(far));
    });
    make()->PingPong(std::move(ends.near),
                     [&state] { return state.KeepRunning(); });
  });
}

inline void BenchStream(benchmark::State& state, Kind kind, size_t chunk,
                        const MakePeer& make) {
  constexpr size_t kBatch = size_t{1} << 20;
  OnOurThread([&] {
    PinTo(0);
    Ends ends = MakeEnds(kind);
    const OurThread peer([&make, chunk, far = std::move(ends.far)]() mutable {
      PinTo(1);
      make()->Feed(std::move(far), chunk);
    });
    size_t total = 0;
    size_t due = 0;  // where the iteration under way ends
    make()->Eat(std::move(ends.near), chunk, [&](size_t n) {
      total += n;
      while (due <= total) {
        if (!state.KeepRunning()) return false;
        due += kBatch;
      }
      return true;
    });
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kBatch));
  });
}

inline void RegisterPeer(const std::string& name, const MakePeer& make) {
  for (const Kind kind : {Kind::kUnix, Kind::kTcp}) {
    for (const size_t far_cpu : {size_t{0}, size_t{1}}) {
      benchmark::RegisterBenchmark(
          absl::StrCat("PingPong/", far_cpu == 0 ? "one_cpu/" : "two_cpus/",
                       NameOf(kind), "/", name)
              .c_str(),
          [=](benchmark::State& state) {
            BenchPingPong(state, kind, far_cpu, make);
          })
          ->UseRealTime();
    }
    for (const size_t chunk : {size_t{64} << 10, size_t{1} << 10}) {
      benchmark::RegisterBenchmark(
          absl::StrCat("Stream/", chunk / 1024, "K/", NameOf(kind), "/", name)
              .c_str(),
          [=](benchmark::State& state) {
            BenchStream(state, kind, chunk, make);
          })
          ->UseRealTime();
    }
  }
}

inline void RegisterRaw() {
  RegisterPeer("Raw", [] { return std::make_unique<RawPeer>(); });
}

}  // namespace flow_bench

#endif  // TOOLS_BENCH_PEERS_PEER_CASES_H_
