// F12: connections that are accepted, echo 64 B and end, a thread for each.
//
//   tools/bench/run --only=F12
//
// Accept/HOW: Serve (flow/net/serve.h with a deadline and its token armed),
// Loop (flow's Listener, a std::thread for each), Raw and RawAgain (accept4 and
// a std::thread for each, whose ratio is the noise). Four clients at once.

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "flow/bench/raw.h"
#include "flow/bench/rig.h"
#include "flow/cancel.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/listener.h"
#include "flow/net/serve.h"

namespace flow_bench {
namespace {

using flow::Flow;
using flow::Limits;

constexpr size_t kPing = 64;
constexpr int kClients = 4;
constexpr int kBatch = 512;  // connections of an iteration

// Connects, is echoed, waits for the end.
void Connect(uint16_t port) {
  End end;
  end.in_owned = flow::UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  Must(connect(end.in(), reinterpret_cast<sockaddr*>(&address),
               sizeof(address)) == 0,
       "connect");
  char bytes[kPing + 1] = {};
  Must(RawWrite(end, bytes, kPing), "send");
  Must(RawRead(end, bytes, kPing), "recv");
  shutdown(end.in(), SHUT_WR);
  Must(recv(end.in(), bytes, sizeof(bytes), 0) == 0, "end");
}

void RunClients(benchmark::State& state, uint16_t port) {
  for (auto _ : state) {
    std::atomic<int> left{kBatch};
    std::vector<std::unique_ptr<OurThread>> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.push_back(std::make_unique<OurThread>([&left, port] {
        while (left.fetch_sub(1) > 0) Connect(port);
      }));
    }
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}

void Raw(benchmark::State& state) {
  const flow::UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  Must(bind(listener.get(), generic, length) == 0, "bind");
  Must(listen(listener.get(), 4096) == 0, "listen");
  Must(getsockname(listener.get(), generic, &length) == 0, "getsockname");
  const OurThread server([&] {
    RawServe(listener.get(), [](const End& end) {
      RawEcho(end, kPing);  // up to the client's end
    });
  });
  RunClients(state, ntohs(address.sin_port));
  shutdown(listener.get(), SHUT_RDWR);
}
BENCHMARK(Raw)->Name("Accept/Raw")->UseRealTime();
BENCHMARK(Raw)->Name("Accept/RawAgain")->UseRealTime();

absl::Status EchoOne(Flow& flow, const Limits& limits) {
  char bytes[kPing];
  for (;;) {
    const auto got = flow.ReadInto(bytes, limits);
    if (!got.ok()) return got.status();
    if (got->is_eof()) return flow.Close();
    const absl::Status written = flow.Write({bytes, got->data()}, limits);
    if (!written.ok()) return written;
  }
}

void Serve(benchmark::State& state) {
  flow::Listener listener = Must(flow::Listen("tcp:127.0.0.1:0"));
  flow::Server server = Must(flow::Server::Start(
      std::move(listener), [](Flow& flow, const flow::CancelToken& cut) {
        Limits limits = absl::Seconds(30);
        limits.cancel = cut;
        return EchoOne(flow, limits);
      }));
  RunClients(state, server.port());
  server.Stop().IgnoreError();
}
BENCHMARK(Serve)->Name("Accept/Serve")->UseRealTime();

void Loop(benchmark::State& state) {
  flow::Listener listener = Must(flow::Listen("tcp:127.0.0.1:0"));
  const uint16_t port = listener.port();
  const Armed armed;
  std::atomic<int> active{0};
  auto accepting = std::make_unique<OurThread>([&] {
    for (;;) {
      auto accepted = listener.Accept(armed.limits);
      if (!accepted.ok()) return;
      ++active;
      std::thread([&, flow = *std::move(accepted)]() mutable {
        EchoOne(flow, armed.limits).IgnoreError();
        flow = Flow();
        --active;
      }).detach();
    }
  });
  RunClients(state, port);
  listener.Close().IgnoreError();
  accepting.reset();
  while (active > 0) std::this_thread::yield();
}
BENCHMARK(Loop)->Name("Accept/Loop")->UseRealTime();

}  // namespace
}  // namespace flow_bench
