// What a relay costs, beside the same work by raw system calls in the same run:
//
//   tools/bazelw run -c opt --dynamic_mode=off //flow/relay:relay_benchmark --
//     --benchmark_enable_random_interleaving=true --benchmark_repetitions=5
//     --benchmark_report_aggregates_only=true
//
// - Relay/*/N: one direction of N relays at once, tcp to tcp over loopback,
//   with a deadline and a token. Raw64K is a loop of read and write, RawSplice
//   one of splice through a pipe of 1 MiB, both on descriptors that block. CPU
//   is that of the threads that relay; GiB/s of all together.
// - Chat/*: 64 B to and fro through the relay.
// - Send/*: a file of 64 MiB (in the page cache) to a TCP socket by Copy;
//   RawSendfile is a loop of sendfile.

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "flow/cancel.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/relay/relay.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/unique_fd.h"

namespace flow {
namespace {

constexpr size_t kTotal = size_t{256} << 20;
constexpr size_t kPeerBuffer = 256 << 10;
constexpr double kGiB = 1 << 30;

void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(value);
}

// Two ends of a TCP connection.
std::pair<int, int> TcpPair() {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, generic, length) != 0 || listen(listener, 1) != 0 ||
      getsockname(listener, generic, &length) != 0) {
    Die("listen");
  }
  const int near = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(near, generic, length) != 0) Die("connect");
  const int far = accept(listener, nullptr, nullptr);
  if (far < 0) Die("accept");
  close(listener);
  const int on = 1;
  for (const int fd : {near, far}) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  return {near, far};
}

double ThreadCpu() {
  rusage use;
  getrusage(RUSAGE_THREAD, &use);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) +
           static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}

void Feed(int fd, size_t bytes) {
  const std::string chunk(kPeerBuffer, 'x');
  while (bytes > 0) {
    const ssize_t n =
        send(fd, chunk.data(), std::min(bytes, chunk.size()), MSG_NOSIGNAL);
    if (n < 0) Die("send");
    bytes -= static_cast<size_t>(n);
  }
  shutdown(fd, SHUT_WR);
}

void Eat(int fd) {
  std::vector<char> chunk(kPeerBuffer);
  while (recv(fd, chunk.data(), chunk.size(), 0) > 0) {
  }
  shutdown(fd, SHUT_WR);
}

// ------------------------------------------------------------ ways to relay

// Moves all from `in` to `out`, both of which it closes.
using RelayFunction = std::function<void(int in, int out)>;

void Raw64K(int in, int out) {
  std::vector<char> buffer(64 << 10);
  for (;;) {
    const ssize_t n = read(in, buffer.data(), buffer.size());
    if (n <= 0) break;
    for (ssize_t done = 0; done < n;) {
      const ssize_t m =
          write(out, buffer.data() + done, static_cast<size_t>(n - done));
      if (m < 0) Die("write");
      done += m;
    }
  }
  close(out);
  close(in);
}

void RawSplice(int in, int out) {
  int pipe_fds[2];
  if (pipe(pipe_fds) != 0) Die("pipe");
  fcntl(pipe_fds[1], F_SETPIPE_SZ, 1 << 20);
  for (;;) {
    ssize_t n =
        splice(in, nullptr, pipe_fds[1], nullptr, 1 << 20, SPLICE_F_MOVE);
    if (n <= 0) break;
    while (n > 0) {
      const ssize_t m = splice(pipe_fds[0], nullptr, out, nullptr,
                               static_cast<size_t>(n), SPLICE_F_MOVE);
      if (m < 0) Die("splice");
      n -= m;
    }
  }
  close(pipe_fds[0]);
  close(pipe_fds[1]);
  close(out);
  close(in);
}

RelayFunction Ours(CopyMethod method) {
  return [method](int in, int out) {
    Flow a = Must(Adopt(UniqueFd(in)));
    Flow b = Must(Adopt(UniqueFd(out)));
    CancelSource source;
    RelayOptions options;
    options.limits = absl::Minutes(5);
    options.limits.cancel = source.token();
    options.method = method;
    const RelayResult result = Relay(a, b, options);
    if (!result.ok()) {
      std::fprintf(stderr, "%s\n", result.ToString().c_str());
      std::exit(1);
    }
  };
}

void BenchRelay(benchmark::State& state, const RelayFunction& relay) {
  const auto count = static_cast<size_t>(state.range(0));
  std::atomic<int64_t> cpu_us{0};
  double gib = 0;
  double seconds = 0;
  for (auto _ : state) {
    std::vector<std::thread> threads;
    const MonoTime begin = MonoTime::Now();
    for (size_t i = 0; i < count; ++i) {
      const auto [client, in] = TcpPair();
      const auto [out, server] = TcpPair();
      threads.emplace_back([&, client = client] {
        Feed(client, kTotal / count);
        char byte;
        while (recv(client, &byte, 1, 0) > 0) {
        }
        close(client);
      });
      threads.emplace_back([&, server = server] {
        Eat(server);
        close(server);
      });
      threads.emplace_back([&, in = in, out = out] {
        const double before = ThreadCpu();
        relay(in, out);
        cpu_us += static_cast<int64_t>((ThreadCpu() - before) * 1e6);
      });
    }
    for (std::thread& thread : threads) thread.join();
    const double took = absl::ToDoubleSeconds(MonoTime::Now() - begin);
    state.SetIterationTime(took);
    seconds += took;
    gib += static_cast<double>(kTotal) / kGiB;
  }
  state.counters["GiB/s"] = gib / seconds;
  state.counters["CPUs/GiB"] = static_cast<double>(cpu_us.load()) * 1e-6 / gib;
}

// --------------------------------------------------------------------- chat

void BenchChat(benchmark::State& state, const RelayFunction& relay) {
  const auto [client, in] = TcpPair();
  const auto [out, server] = TcpPair();
  std::thread middle([&, in = in, out = out] { relay(in, out); });
  std::thread echo([server = server] {
    char bytes[64];
    for (;;) {
      const ssize_t n = recv(server, bytes, sizeof(bytes), 0);
      if (n <= 0) break;
      if (send(server, bytes, static_cast<size_t>(n), MSG_NOSIGNAL) < 0) break;
    }
    close(server);
  });
  char bytes[64] = {};
  for (auto _ : state) {
    if (send(client, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0) Die("send");
    if (recv(client, bytes, sizeof(bytes), MSG_WAITALL) <= 0) Die("recv");
  }
  close(client);
  middle.join();
  echo.join();
}

// Both directions by raw calls, a thread each.
void RawBoth(int a, int b) {
  const int a2 = dup(a);
  const int b2 = dup(b);
  std::thread back([&] {
    Raw64K(b2, a2);
    shutdown(a, SHUT_RDWR);
  });
  std::vector<char> buffer(64 << 10);
  for (;;) {
    const ssize_t n = read(a, buffer.data(), buffer.size());
    if (n <= 0) break;
    if (write(b, buffer.data(), static_cast<size_t>(n)) < 0) break;
  }
  shutdown(b, SHUT_WR);
  back.join();
  close(a);
  close(b);
}

// --------------------------------------------------------------------- files

std::string BigFile() {
  static const std::string* const path = [] {
    auto* const name = new std::string("/tmp/relay_benchmark.XXXXXX");
    const int fd = mkstemp(name->data());
    const std::string chunk(1 << 20, 'f');
    for (int i = 0; i < 64; ++i) {
      if (write(fd, chunk.data(), chunk.size()) < 0) Die("write");
    }
    close(fd);
    std::atexit([] { unlink(BigFile().c_str()); });
    return name;
  }();
  return *path;
}

void RawSendfile(int in, int out) {
  while (sendfile(out, in, nullptr, 1 << 20) > 0) {
  }
  close(out);
  close(in);
}

void CopyFile(int in, int out) {
  Flow from = Must(Adopt(UniqueFd(in)));
  Flow to = Must(Adopt(UniqueFd(out)));
  const CopyResult result = Copy(from, to, {absl::Minutes(1)});
  if (!result.ok() || result.method != CopyMethod::kSendfile) Die("copy");
}

void BenchSend(benchmark::State& state, const RelayFunction& send) {
  double cpu = 0;
  double gib = 0;
  double seconds = 0;
  for (auto _ : state) {
    const auto [out, peer] = TcpPair();
    const int in = open(BigFile().c_str(), O_RDONLY | O_CLOEXEC);
    std::thread eater([peer = peer] {
      Eat(peer);
      close(peer);
    });
    const MonoTime begin = MonoTime::Now();
    const double before = ThreadCpu();
    send(in, out);
    cpu += ThreadCpu() - before;
    eater.join();
    const double took = absl::ToDoubleSeconds(MonoTime::Now() - begin);
    state.SetIterationTime(took);
    seconds += took;
    gib += 64.0 / 1024;
  }
  state.counters["GiB/s"] = gib / seconds;
  state.counters["CPUs/GiB"] = cpu / gib;
}

void RegisterAll() {
  const std::pair<const char*, RelayFunction> ways[] = {
      {"Raw64K", Raw64K},
      {"RawSplice", RawSplice},
      {"Buffered", Ours(CopyMethod::kBuffered)},
      {"Splice", Ours(CopyMethod::kSplice)},
      {"Auto", Ours(CopyMethod::kAuto)},
  };
  for (const auto& [name, way] : ways) {
    benchmark::RegisterBenchmark(
        (std::string("Relay/") + name).c_str(),
        [way = way](benchmark::State& state) { BenchRelay(state, way); })
        ->Arg(1)
        ->Arg(16)
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
  const std::pair<const char*, RelayFunction> chats[] = {
      {"Chat/Raw", RawBoth},
      {"Chat/Auto", Ours(CopyMethod::kAuto)},
      {"Chat/Splice", Ours(CopyMethod::kSplice)}};
  for (const auto& [name, way] : chats) {
    benchmark::RegisterBenchmark(name, [way = way](benchmark::State& state) {
      BenchChat(state, way);
    })->UseRealTime();
  }
  const std::pair<const char*, RelayFunction> sends[] = {
      {"Send/RawSendfile", RawSendfile}, {"Send/Copy", CopyFile}};
  for (const auto& [name, way] : sends) {
    benchmark::RegisterBenchmark(
        name, [way = way](benchmark::State& state) { BenchSend(state, way); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
}

const bool kRegistered = (RegisterAll(), true);

}  // namespace
}  // namespace flow
