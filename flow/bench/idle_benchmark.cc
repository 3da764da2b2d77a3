// F10, F11: N idle flows with an outstanding read each (deadline and token
// armed); a byte comes to a random one, which echoes it.
//
//   tools/bench/run --only=F10,F11
//
// Idle/HOW/N: p50_us and p99_us are of that round trip, as the peers see it,
// whose ends live in a child process. KiB: resident memory per flow with its
// read; threads: of this process. Pool: two pool threads; Inline: callbacks on
// the poller's thread; RawEpoll: a lean loop over descriptors; RawThreads: a
// thread for each. With FLOW_BENCH_HISTOGRAM set all times are told, in
// classes.

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "benchmark/benchmark.h"
#include "flow/async_flow.h"
#include "flow/bench/far_peers.h"
#include "flow/bench/rig.h"
#include "flow/executor.h"
#include "flow/fd/fd.h"
#include "flow/limits.h"
#include "flow/sys/unique_fd.h"
#include "flow/thread_pool.h"

namespace flow_bench {
namespace {

using flow::AsyncContext;
using flow::AsyncFlow;
using flow::Limits;

// How many took 2^(k/4) us or longer, and less than 2^((k+1)/4): counter "hk".
void Histogram(benchmark::State& state, const std::vector<double>& us) {
  for (const double one : us) {
    const int k = std::max(0, static_cast<int>(std::log2(one) * 4));
    state.counters[absl::StrCat("h", k)].value += 1;
  }
}

void Measure(benchmark::State& state, const FarPeers& peers) {
  std::minstd_rand random(1);
  std::vector<double> us;
  for (auto _ : state) {
    const double seconds = peers.ProbeSeconds(
        static_cast<uint32_t>(random() % peers.ours().size()));
    state.SetIterationTime(seconds);
    us.push_back(seconds * 1e6);
  }
  std::sort(us.begin(), us.end());
  state.counters["p50_us"] = us[us.size() / 2];
  state.counters["p90_us"] = us[us.size() * 90 / 100];
  state.counters["p99_us"] = us[us.size() * 99 / 100];
  if (std::getenv("FLOW_BENCH_HISTOGRAM") != nullptr) Histogram(state, us);
}

void ReportProcess(benchmark::State& state, double kib_before, size_t count) {
  state.counters["KiB"] =
      (ProcStatus("VmRSS:") - kib_before) / static_cast<double>(count);
  state.counters["threads"] = ProcStatus("Threads:");
}

// A flow that sends back what it reads, by callbacks.
class Echo {
 public:
  Echo(AsyncFlow flow, const Limits& limits)
      : flow_(std::move(flow)), limits_(limits) {
    ReadNext();
  }

 private:
  void ReadNext() {
    flow_.ReadInto(absl::MakeSpan(&byte_, 1), limits_, [this](auto got) {
      if (!got.ok() || got->is_eof()) return;
      flow_.Write(std::string(1, byte_), limits_,
                  [](absl::Status status) { status.IgnoreError(); });
      ReadNext();
    });
  }

  AsyncFlow flow_;
  const Limits& limits_;
  char byte_ = 0;
};

void IdleFlows(benchmark::State& state, bool on_pool) {
  const FarPeers peers(static_cast<size_t>(state.range(0)));
  const Armed armed;
  const double before = ResidentKib();
  flow::ThreadPool pool(2);
  flow::InlineExecutor inline_executor;
  std::vector<std::unique_ptr<Echo>> echoes;
  AsyncContext context(on_pool ? static_cast<flow::Executor&>(pool)
                               : inline_executor);
  for (const int fd : peers.ours()) {
    echoes.push_back(std::make_unique<Echo>(
        Must(AsyncFlow::From(Must(flow::Adopt(flow::UniqueFd(fd))), context)),
        armed.limits));
  }
  ReportProcess(state, before, peers.ours().size());
  Measure(state, peers);
}

void EchoByte(int fd) {
  char byte;
  Must(recv(fd, &byte, 1, 0) == 1 && send(fd, &byte, 1, MSG_NOSIGNAL) == 1,
       "echo");
}

void IdleEpoll(benchmark::State& state) {
  const FarPeers peers(static_cast<size_t>(state.range(0)));
  const double before = ResidentKib();
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  int stop[2];
  Must(pipe(stop) == 0, "pipe");
  std::vector<int> fds = peers.ours();
  fds.push_back(stop[0]);
  for (size_t i = 0; i < fds.size(); ++i) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u64 = i;
    Must(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event) == 0, "epoll_ctl");
  }
  std::thread loop([&] {
    for (;;) {
      epoll_event event;
      if (epoll_wait(epoll, &event, 1, -1) != 1) continue;
      if (event.data.u64 == peers.ours().size()) return;
      EchoByte(fds[event.data.u64]);
    }
  });
  ReportProcess(state, before, peers.ours().size());
  Measure(state, peers);
  close(stop[1]);
  loop.join();
  for (const int fd : fds) close(fd);
  close(epoll);
}

void IdleThreads(benchmark::State& state) {
  const FarPeers peers(static_cast<size_t>(state.range(0)));
  const double before = ResidentKib();
  std::vector<std::thread> threads;
  for (const int fd : peers.ours()) {
    threads.emplace_back([fd] {
      char byte;
      while (recv(fd, &byte, 1, 0) == 1) {
        if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1) return;
      }
    });
  }
  ReportProcess(state, before, peers.ours().size());
  Measure(state, peers);
  for (const int fd : peers.ours()) shutdown(fd, SHUT_RDWR);
  for (std::thread& thread : threads) thread.join();
  for (const int fd : peers.ours()) close(fd);
}

void Sizes(benchmark::internal::Benchmark* b) {
  for (const int count : {1, 10, 100, 1000, 5000, 10000}) b->Arg(count);
  b->UseManualTime();
}

BENCHMARK_CAPTURE(IdleFlows, pool, true)->Name("Idle/Pool")->Apply(Sizes);
BENCHMARK_CAPTURE(IdleFlows, inline, false)->Name("Idle/Inline")->Apply(Sizes);
BENCHMARK(IdleEpoll)->Name("Idle/RawEpoll")->Apply(Sizes);
BENCHMARK(IdleEpoll)->Name("Idle/RawEpollAgain")->Apply(Sizes);
BENCHMARK(IdleThreads)->Name("Idle/RawThreads")->Arg(5000)->UseManualTime();

}  // namespace
}  // namespace flow_bench
