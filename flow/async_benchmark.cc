// What futures cost, each figure beside the same work by raw system calls or by
// a thread per connection, in the same run:
//
//   tools/bazelw run -c opt --dynamic_mode=off //flow:async_benchmark --
//     --benchmark_enable_random_interleaving=true --benchmark_repetitions=5
//     --benchmark_report_aggregates_only=true
//
// - Ready/*: 64 B written and read back on a socketpair, operations that can
//   proceed at once; Direct is send and recv.
// - Idle/*: N flows with an outstanding read each (deadline and token armed), a
//   byte to a random one and its echo; p50 and p99 are of that round trip, as
//   the peers see it, whose ends live in a child process. KiB: resident memory
//   per flow with its read; threads: of this process. RawEpoll is a lean loop
//   over descriptors, RawThreads a thread for each.
// - Active/*: N flows with an exchange each: the cost of one must not grow.
//   RawEpoll reads on a thread with epoll, without deadline or token.

#include <malloc.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/time/clock.h"
#include "benchmark/benchmark.h"
#include "flow/async_flow.h"
#include "flow/fd/fd.h"
#include "flow/thread_pool.h"

namespace flow {
namespace {

constexpr size_t kSmall = 64;

void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

// A number from /proc/self/status.
double ProcStatus(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!absl::StartsWith(line, key)) continue;
    const std::vector<std::string> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    double value = 0;
    if (words.size() > 1 && absl::SimpleAtod(words[1], &value)) return value;
  }
  return 0;
}

// KiB, without what an earlier run has freed.
double Resident() {
  malloc_trim(0);
  return ProcStatus("VmRSS:");
}

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(value);
}

// ------------------------------------------------------------------ Ready

void ReadyDirect(benchmark::State& state) {
  const auto in_flight = static_cast<size_t>(state.range(0));
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) Die("socketpair");
  char out[kSmall] = {};
  char in[kSmall];
  for (auto _ : state) {
    for (size_t i = 0; i < in_flight; ++i) {
      if (send(fds[0], out, kSmall, MSG_NOSIGNAL) < 0) Die("send");
    }
    for (size_t i = 0; i < in_flight; ++i) {
      if (recv(fds[1], in, kSmall, MSG_WAITALL) < 0) Die("recv");
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  close(fds[0]);
  close(fds[1]);
}
BENCHMARK(ReadyDirect)->Name("Ready/Direct")->Arg(1)->Arg(64);

void ReadyFutures(benchmark::State& state) {
  const auto in_flight = static_cast<size_t>(state.range(0));
  ThreadPool pool(2);
  AsyncContext context(pool);
  auto pair = Must(SocketPair());
  AsyncFlow a = Must(AsyncFlow::From(std::move(pair.first), context));
  AsyncFlow b = Must(AsyncFlow::From(std::move(pair.second), context));
  const std::string out(kSmall, 'x');
  std::vector<char> in(kSmall);
  std::vector<std::future<absl::Status>> writes(in_flight);
  for (auto _ : state) {
    for (auto& write : writes) write = a.Write(out);
    for (size_t i = 0; i < in_flight; ++i) {
      if (!b.ReadInto(absl::MakeSpan(in)).get().ok()) Die("read");
    }
    for (auto& write : writes) {
      if (!write.get().ok()) Die("write");
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(ReadyFutures)->Name("Ready/Futures")->Arg(1)->Arg(64);

// ------------------------------------------------------------------- Idle

// N stream sockets whose other ends are a child's. Told a number by pipe, the
// child sends a byte to that one, waits for its echo, and tells how long it
// took.
class FarPeers {
 public:
  explicit FarPeers(size_t count) {
    rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int hand_over[2];
    if (pipe(command_) != 0 || pipe(answer_) != 0 ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, hand_over) != 0) {
      Die("pipe");
    }
    child_ = fork();
    if (child_ == 0) Serve(hand_over[1], count);
    close(hand_over[1]);
    close(command_[0]);
    close(answer_[1]);
    for (size_t i = 0; i < count; ++i) {
      int fds[2];
      if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) Die("socketpair");
      Send(hand_over[0], fds[1]);
      close(fds[1]);
      ours_.push_back(fds[0]);
    }
    close(hand_over[0]);
  }
  ~FarPeers() {
    close(command_[1]);
    close(answer_[0]);
    waitpid(child_, nullptr, 0);
  }

  // Our ends; whoever uses them closes them.
  const std::vector<int>& ours() const { return ours_; }

  // How long one byte to a random one and back took.
  double ProbeSeconds(uint32_t index) const {
    double seconds = 0;
    if (write(command_[1], &index, sizeof(index)) != sizeof(index) ||
        read(answer_[0], &seconds, sizeof(seconds)) != sizeof(seconds)) {
      Die("probe");
    }
    return seconds;
  }

 private:
  static void Send(int via, int fd) {
    char byte = 0;
    iovec iov = {&byte, 1};
    alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
    msghdr message = {};
    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    message.msg_control = space;
    message.msg_controllen = sizeof(space);
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    std::copy_n(reinterpret_cast<const unsigned char*>(&fd), sizeof(fd),
                CMSG_DATA(head));
    if (sendmsg(via, &message, 0) < 0) Die("sendmsg");
  }

  static int Receive(int via) {
    char byte = 0;
    iovec iov = {&byte, 1};
    alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
    msghdr message = {};
    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    message.msg_control = space;
    message.msg_controllen = sizeof(space);
    if (recvmsg(via, &message, 0) <= 0) Die("recvmsg");
    int fd = -1;
    std::copy_n(CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd),
                reinterpret_cast<unsigned char*>(&fd));
    return fd;
  }

  [[noreturn]] void Serve(int via, size_t count) const {
    close(command_[1]);
    close(answer_[0]);
    std::vector<int> fds;
    for (size_t i = 0; i < count; ++i) fds.push_back(Receive(via));
    uint32_t index = 0;
    while (read(command_[0], &index, sizeof(index)) == sizeof(index)) {
      char byte = 'x';
      const absl::Time begin = absl::Now();
      if (write(fds[index], &byte, 1) != 1 || read(fds[index], &byte, 1) != 1) {
        break;
      }
      const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
      if (write(answer_[1], &seconds, sizeof(seconds)) != sizeof(seconds)) {
        break;
      }
    }
    _exit(0);
  }

  int command_[2];
  int answer_[2];
  pid_t child_ = -1;
  std::vector<int> ours_;
};

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
  state.counters["p99_us"] = us[us.size() * 99 / 100];
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
  CancelSource source;
  Limits limits = absl::Hours(1);
  limits.cancel = source.token();
  const double before = Resident();
  ThreadPool pool(2);
  InlineExecutor inline_executor;
  std::vector<std::unique_ptr<Echo>> echoes;
  AsyncContext context(on_pool ? static_cast<Executor&>(pool)
                               : inline_executor);
  for (const int fd : peers.ours()) {
    echoes.push_back(std::make_unique<Echo>(
        Must(AsyncFlow::From(Must(Adopt(UniqueFd(fd))), context)), limits));
  }
  ReportProcess(state, before, peers.ours().size());
  Measure(state, peers);
}
BENCHMARK_CAPTURE(IdleFlows, pool, true)
    ->Name("Idle/Pool")
    ->Arg(5000)
    ->Arg(10000)
    ->UseManualTime();
BENCHMARK_CAPTURE(IdleFlows, inline, false)
    ->Name("Idle/Inline")
    ->Arg(5000)
    ->Arg(10000)
    ->UseManualTime();

void EchoByte(int fd) {
  char byte;
  if (recv(fd, &byte, 1, 0) != 1 || send(fd, &byte, 1, MSG_NOSIGNAL) != 1) {
    Die("echo");
  }
}

void IdleEpoll(benchmark::State& state) {
  const FarPeers peers(static_cast<size_t>(state.range(0)));
  const double before = Resident();
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  int stop[2];
  if (pipe(stop) != 0) Die("pipe");
  std::vector<int> fds = peers.ours();
  fds.push_back(stop[0]);
  for (size_t i = 0; i < fds.size(); ++i) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u64 = i;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event) != 0) Die("epoll_ctl");
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
BENCHMARK(IdleEpoll)
    ->Name("Idle/RawEpoll")
    ->Arg(5000)
    ->Arg(10000)
    ->UseManualTime();

void IdleThreads(benchmark::State& state) {
  const FarPeers peers(static_cast<size_t>(state.range(0)));
  const double before = Resident();
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
BENCHMARK(IdleThreads)->Name("Idle/RawThreads")->Arg(5000)->UseManualTime();

// ----------------------------------------------------------------- Active

// N pairs; each iteration is one round trip on each of them, all under way at
// once.
void ActiveFlows(benchmark::State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  InlineExecutor inline_executor;
  AsyncContext context(inline_executor);
  std::vector<AsyncFlow> near;
  std::vector<AsyncFlow> far;
  for (size_t i = 0; i < count; ++i) {
    auto pair = Must(SocketPair());
    near.push_back(Must(AsyncFlow::From(std::move(pair.first), context)));
    far.push_back(Must(AsyncFlow::From(std::move(pair.second), context)));
  }
  const std::string message(kSmall, 'x');
  std::vector<std::future<AsyncFlow::ReadResult>> reads(count);
  for (auto _ : state) {
    for (size_t i = 0; i < count; ++i) reads[i] = far[i].Read();
    for (size_t i = 0; i < count; ++i) near[i].Write(message).wait();
    for (size_t i = 0; i < count; ++i) {
      if (!reads[i].get().ok()) Die("read");
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(ActiveFlows)
    ->Name("Active/Futures")
    ->Arg(1)
    ->Arg(10)
    ->Arg(100)
    ->Arg(1000);

// The same by hand: what arrives is read on a thread with epoll, and counted.
void ActiveEpoll(benchmark::State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<int> near, far;
  near.reserve(count + 1);
  far.reserve(count + 1);
  for (size_t i = 0; i <= count; ++i) {  // the last is to stop the loop
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) Die("socketpair");
    near.push_back(fds[0]);
    far.push_back(fds[1]);
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u64 = i;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fds[1], &event) != 0) Die("epoll_ctl");
  }
  std::atomic<absl::BlockingCounter*> left{nullptr};
  std::thread loop([&] {
    for (;;) {
      epoll_event events[64];
      const int n = epoll_wait(epoll, events, 64, -1);
      for (int i = 0; i < n; ++i) {
        char bytes[kSmall];
        if (recv(far[events[i].data.u64], bytes, kSmall, 0) <= 0) return;
        left.load()->DecrementCount();
      }
    }
  });
  const std::string message(kSmall, 'x');
  for (auto _ : state) {
    absl::BlockingCounter all(static_cast<int>(count));
    left = &all;
    for (size_t i = 0; i < count; ++i) {
      if (send(near[i], message.data(), kSmall, MSG_NOSIGNAL) < 0) Die("send");
    }
    all.Wait();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  shutdown(near[count], SHUT_RDWR);
  loop.join();
  for (size_t i = 0; i <= count; ++i) {
    close(near[i]);
    close(far[i]);
  }
  close(epoll);
}
BENCHMARK(ActiveEpoll)
    ->Name("Active/RawEpoll")
    ->Arg(1)
    ->Arg(10)
    ->Arg(100)
    ->Arg(1000);

}  // namespace
}  // namespace flow
