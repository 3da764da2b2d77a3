// F11: N active flows with an exchange of 64 B each, all under way at once; the
// cost of one must not grow with N. The peers' ends are in a child process,
// which echoes by epoll.
//
//   tools/bench/run --only=F11
//
// Active/HOW/N: Futures (deadline and token armed), RawEpoll: written one after
// the other, read on a thread with epoll and counted.

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "benchmark/benchmark.h"
#include "flow/async_flow.h"
#include "flow/bench/far_peers.h"
#include "flow/bench/rig.h"
#include "flow/executor.h"
#include "flow/fd/fd.h"
#include "flow/sys/unique_fd.h"

namespace flow_bench {
namespace {

using flow::AsyncContext;
using flow::AsyncFlow;

constexpr size_t kSmall = 64;

void Futures(benchmark::State& state) {
  const FarPeers peers(static_cast<size_t>(state.range(0)));
  peers.Echo();
  const Armed armed;
  flow::InlineExecutor inline_executor;
  AsyncContext context(inline_executor);
  std::vector<AsyncFlow> flows;
  for (const int fd : peers.ours()) {
    flows.push_back(
        Must(AsyncFlow::From(Must(flow::Adopt(flow::UniqueFd(fd))), context)));
  }
  const std::string message(kSmall, 'x');
  std::vector<std::future<AsyncFlow::ReadResult>> reads(flows.size());
  for (auto _ : state) {
    for (size_t i = 0; i < flows.size(); ++i) {
      reads[i] = flows[i].Read(armed.limits);
      Must(flows[i].Write(message, armed.limits).get());
    }
    for (auto& read : reads) Must(read.get().status());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void RawEpoll(benchmark::State& state) {
  const FarPeers peers(static_cast<size_t>(state.range(0)));
  peers.Echo();
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  int stop[2];
  Must(pipe(stop) == 0, "pipe");
  std::vector<int> fds = peers.ours();
  fds.push_back(stop[0]);
  for (const int fd : fds) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.fd = fd;
    Must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
  }
  std::atomic<absl::BlockingCounter*> left{nullptr};
  std::thread loop([&] {
    for (;;) {
      epoll_event events[64];
      const int n = epoll_wait(epoll, events, 64, -1);
      for (int i = 0; i < n; ++i) {
        char bytes[kSmall];
        if (recv(events[i].data.fd, bytes, kSmall, 0) <= 0) return;
        left.load()->DecrementCount();
      }
    }
  });
  const std::string message(kSmall, 'x');
  for (auto _ : state) {
    absl::BlockingCounter all(static_cast<int>(peers.ours().size()));
    left = &all;
    for (const int fd : peers.ours()) {
      Must(send(fd, message.data(), kSmall, MSG_NOSIGNAL) == kSmall, "send");
    }
    all.Wait();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  close(stop[1]);
  loop.join();
  for (const int fd : fds) close(fd);
  close(epoll);
}

void Sizes(benchmark::internal::Benchmark* b) {
  for (const int count : {1, 10, 100, 1000, 10000}) b->Arg(count);
  b->UseRealTime();
}

BENCHMARK(Futures)->Name("Active/Futures")->Apply(Sizes);
BENCHMARK(RawEpoll)->Name("Active/RawEpoll")->Apply(Sizes);

}  // namespace
}  // namespace flow_bench
