// F6: what the library adds to one call that need not wait. No kernel is in the
// loop: the system calls of the flow are answered at once, in the same process.
//
//   tools/bench/run --only=F6
//
// FastPath/CALL/HOW: HOW is Raw (the virtual call that carries the bytes,
// alone; what a flow adds is the difference to it), Plain (no limits),
// Deadline, Token (deadline and token), the limits built once. `allocs` are
// allocations per call.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "benchmark/benchmark.h"
#include "flow/bench/rig.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/allocations.h"

namespace flow_bench {
namespace {

using flow::Flow;
using flow::Limits;

constexpr size_t kBytes = 64;
constexpr size_t kPieces = 16;

// A kernel that takes and gives everything at once.
class Instant : public flow::Syscalls {
 public:
  ssize_t Recv(int, void*, size_t count, int) override { return Min(count); }
  ssize_t Send(int, const void*, size_t count, int) override {
    return static_cast<ssize_t>(count);
  }
  ssize_t Sendmsg(int, const msghdr* message, int) override {
    ssize_t sum = 0;
    for (size_t i = 0; i < message->msg_iovlen; ++i) {
      sum += static_cast<ssize_t>(message->msg_iov[i].iov_len);
    }
    return sum;
  }

 private:
  static ssize_t Min(size_t count) {
    return static_cast<ssize_t>(count < kBytes ? count : kBytes);
  }
};

struct Call {
  const char* name;
  void (*ours)(Flow&, const Limits&, char*);
  void (*raw)(flow::Syscalls&, char*);
};

void Discard(const absl::Status& status) { benchmark::DoNotOptimize(&status); }

std::vector<absl::string_view>& Pieces() {
  static auto& pieces =
      *new std::vector<absl::string_view>(kPieces, "sixteen bytes...");
  return pieces;
}

void RawSendmsg(flow::Syscalls& sys, char*) {
  iovec iov[kPieces];
  for (size_t i = 0; i < kPieces; ++i) {
    iov[i] = {const_cast<char*>(Pieces()[i].data()), Pieces()[i].size()};
  }
  msghdr message = {};
  message.msg_iov = iov;
  message.msg_iovlen = kPieces;
  benchmark::DoNotOptimize(sys.Sendmsg(3, &message, MSG_NOSIGNAL));
}

constexpr Call kCalls[] = {
    {"Write",
     [](Flow& f, const Limits& l, char* b) {
       Discard(f.Write({b, kBytes}, l));
     },
     [](flow::Syscalls& sys, char* b) {
       benchmark::DoNotOptimize(sys.Send(3, b, kBytes, MSG_NOSIGNAL));
     }},
    {"WriteSome",
     [](Flow& f, const Limits& l, char* b) {
       Discard(f.WriteSome({b, kBytes}, l).status());
     },
     [](flow::Syscalls& sys, char* b) {
       benchmark::DoNotOptimize(sys.Send(3, b, kBytes, MSG_NOSIGNAL));
     }},
    {"Writev16",
     [](Flow& f, const Limits& l, char*) { Discard(f.Writev(Pieces(), l)); },
     RawSendmsg},
    {"ReadInto",
     [](Flow& f, const Limits& l, char* b) {
       Discard(f.ReadInto({b, kBytes}, l).status());
     },
     [](flow::Syscalls& sys, char* b) {
       benchmark::DoNotOptimize(sys.Recv(3, b, kBytes, 0));
     }},
    {"Read",
     [](Flow& f, const Limits& l, char*) { Discard(f.Read(l).status()); },
     [](flow::Syscalls& sys, char* b) {
       benchmark::DoNotOptimize(sys.Recv(3, b, kBytes, 0));
     }},
};

// Not inlined, as calls of a library in another file aren't.
void Run(benchmark::State& state, absl::FunctionRef<void()> once) {
  once();
  const int64_t before = flow_testing::ThreadAllocations();
  for (auto _ : state) once();
  state.counters["allocs"] =
      static_cast<double>(flow_testing::ThreadAllocations() - before) /
      static_cast<double>(state.iterations());
}

void Ours(benchmark::State& state, const Call& call, const Limits& limits) {
  Instant sys;
  Ends ends = MakeEnds(Kind::kUnix);
  flow::FdOptions options;
  options.sys = &sys;
  Flow flow = Must(flow::Adopt(std::move(ends.near.in_owned), options));
  char bytes[kBytes] = {};
  Run(state, [&] { call.ours(flow, limits, bytes); });
}

void RawCall(benchmark::State& state, const Call& call) {
  Instant sys;
  flow::Syscalls* hidden = &sys;
  benchmark::DoNotOptimize(hidden);
  char bytes[kBytes] = {};
  Run(state, [&] { call.raw(*hidden, bytes); });
}

// With FLOW_BENCH_ITERATIONS so many, for who counts instructions.
void Register(const std::string& name,
              const std::function<void(benchmark::State&)>& run) {
  auto* const made = benchmark::RegisterBenchmark(name.c_str(), run);
  const char* const iterations = std::getenv("FLOW_BENCH_ITERATIONS");
  if (iterations != nullptr) made->Iterations(std::atoi(iterations));
}

void RegisterAll() {
  static const Armed* const deadline = new Armed(/*with_token=*/false);
  static const Armed* const token = new Armed();
  static const Limits* const none = new Limits();
  const std::pair<const char*, const Limits*> hows[] = {
      {"Plain", none},
      {"Deadline", &deadline->limits},
      {"Token", &token->limits},
  };
  for (const Call& call : kCalls) {
    const std::string base = absl::StrCat("FastPath/", call.name, "/");
    Register(base + "Raw",
             [&call](benchmark::State& state) { RawCall(state, call); });
    for (const auto& [how, limits] : hows) {
      Register(base + how, [&call, limits = limits](benchmark::State& state) {
        Ours(state, call, *limits);
      });
    }
  }
}

const bool kRegistered = (RegisterAll(), true);

}  // namespace
}  // namespace flow_bench
