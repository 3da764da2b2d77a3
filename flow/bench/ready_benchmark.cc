// F8: what futures cost where nothing has to wait: 64 B written and read back
// on a socketpair, in one thread.
//
//   tools/bench/run --only=F8
//
// Ready/HOW/N with N operations in flight: Direct (send and recv), DirectAgain
// (the noise), Blocking (flow's own blocking calls), Futures, Callbacks;
// deadline and token are armed. Ready/Promise is a std::promise and its future
// alone.

#include <cstddef>
#include <cstdint>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/types/span.h"
#include "benchmark/benchmark.h"
#include "flow/async_flow.h"
#include "flow/bench/raw.h"
#include "flow/bench/rig.h"
#include "flow/executor.h"
#include "flow/fd/fd.h"
#include "flow/thread_pool.h"

namespace flow_bench {
namespace {

using flow::AsyncContext;
using flow::AsyncFlow;

constexpr size_t kSmall = 64;

void Count(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void Direct(benchmark::State& state) {
  const auto in_flight = static_cast<size_t>(state.range(0));
  const Ends ends = MakeEnds(Kind::kUnix);
  const char out[kSmall] = {};
  char in[kSmall];
  for (auto _ : state) {
    for (size_t i = 0; i < in_flight; ++i) {
      Must(RawWrite(ends.near, out, kSmall), "send");
    }
    for (size_t i = 0; i < in_flight; ++i) {
      Must(RawRead(ends.far, in, kSmall), "recv");
    }
  }
  Count(state);
}
BENCHMARK(Direct)->Name("Ready/Direct")->Arg(1)->Arg(64);
BENCHMARK(Direct)->Name("Ready/DirectAgain")->Arg(1)->Arg(64);

void Blocking(benchmark::State& state) {
  const auto in_flight = static_cast<size_t>(state.range(0));
  const Armed armed;
  auto [a, b] = Must(flow::SocketPair());
  const std::string out(kSmall, 'x');
  std::vector<char> in(kSmall);
  for (auto _ : state) {
    for (size_t i = 0; i < in_flight; ++i) Must(a.Write(out, armed.limits));
    for (size_t i = 0; i < in_flight; ++i) {
      Must(b.ReadInto(absl::MakeSpan(in), armed.limits).status());
    }
  }
  Count(state);
}
BENCHMARK(Blocking)->Name("Ready/Blocking")->Arg(1)->Arg(64);

// Two flows with futures, on two pool threads or in the completing thread.
struct AsyncRig {
  explicit AsyncRig(bool on_pool)
      : context(on_pool ? static_cast<flow::Executor&>(pool) : trampoline) {
    auto pair = Must(flow::SocketPair());
    a = Must(AsyncFlow::From(std::move(pair.first), context));
    b = Must(AsyncFlow::From(std::move(pair.second), context));
  }

  Armed armed;
  flow::ThreadPool pool{2};
  flow::InlineExecutor trampoline;
  AsyncContext context;
  AsyncFlow a;
  AsyncFlow b;
  const std::string out = std::string(kSmall, 'x');
  std::vector<char> in = std::vector<char>(kSmall);
};

void Futures(benchmark::State& state) {
  AsyncRig rig(/*on_pool=*/true);
  std::vector<std::future<absl::Status>> writes(
      static_cast<size_t>(state.range(0)));
  for (auto _ : state) {
    for (auto& write : writes) write = rig.a.Write(rig.out, rig.armed.limits);
    for (size_t i = 0; i < writes.size(); ++i) {
      Must(rig.b.ReadInto(absl::MakeSpan(rig.in), rig.armed.limits)
               .get()
               .status());
    }
    for (auto& write : writes) Must(write.get());
  }
  Count(state);
}
BENCHMARK(Futures)->Name("Ready/Futures")->Arg(1)->Arg(64);

// What the standard library takes of that: two promises for each operation.
void Promise(benchmark::State& state) {
  for (auto _ : state) {
    for (int64_t i = 0; i < state.range(0) * 2; ++i) {
      std::promise<absl::Status> promise;
      std::future<absl::Status> future = promise.get_future();
      promise.set_value(absl::OkStatus());
      Must(future.get());
    }
  }
  Count(state);
}
BENCHMARK(Promise)->Name("Ready/Promise")->Arg(1)->Arg(64);

// Callbacks run on the executor, here a trampoline in the completing thread;
// who submits waits for all of a round.
void Callbacks(benchmark::State& state) {
  const auto in_flight = static_cast<size_t>(state.range(0));
  AsyncRig rig(/*on_pool=*/false);
  for (auto _ : state) {
    absl::BlockingCounter left(static_cast<int>(2 * in_flight));
    for (size_t i = 0; i < in_flight; ++i) {
      rig.a.Write(rig.out, rig.armed.limits, [&left](absl::Status status) {
        Must(status);
        left.DecrementCount();
      });
    }
    for (size_t i = 0; i < in_flight; ++i) {
      rig.b.ReadInto(absl::MakeSpan(rig.in), rig.armed.limits,
                     [&left](auto got) {
                       Must(got.status());
                       left.DecrementCount();
                     });
    }
    left.Wait();
  }
  Count(state);
}
BENCHMARK(Callbacks)->Name("Ready/Callbacks")->Arg(1)->Arg(64);

}  // namespace
}  // namespace flow_bench
