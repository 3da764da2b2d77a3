// F1, F2: the time of a round trip of 64 B between two threads, each beside the
// same by raw blocking calls.
//
//   tools/bench/run --only=F1,F2
//
// PingPong/WHERE/KIND/HOW:
// - WHERE: one_cpu (both threads on the same), two_cpus (one each), hogs (both
//   on the same, with two threads that only compute on it).
// - HOW: Raw and RawAgain, whose ratio is the noise; Plain (no limits);
// Deadline
//   and Token (deadline and token armed); Read: as Token, but into fresh
//   buffers; Futures: both ends by futures on inline executors.

#include <cstddef>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "benchmark/benchmark.h"
#include "flow/async_flow.h"
#include "flow/bench/raw.h"
#include "flow/bench/rig.h"
#include "flow/executor.h"
#include "flow/flow.h"
#include "flow/limits.h"

namespace flow_bench {
namespace {

using flow::AsyncContext;
using flow::AsyncFlow;
using flow::Flow;
using flow::Limits;

constexpr size_t kPing = 64;

enum class Where { kOneCpu, kTwoCpus, kHogs };
enum class How { kRaw, kPlain, kDeadline, kToken, kRead, kFutures };

bool ReadExactly(Flow& flow, char* to, const Limits& limits) {
  for (size_t got = 0; got < kPing;) {
    const auto n = flow.ReadInto({to + got, kPing - got}, limits);
    if (!n.ok() || n->is_eof()) return false;
    got += n->data();
  }
  return true;
}

void Raw(benchmark::State& state, Ends ends, Where where) {
  const OurThread peer([&ends, where] {
    PinTo(where == Where::kTwoCpus ? 1 : 0);
    RawEcho(ends.far, kPing);
  });
  char bytes[kPing] = {};
  for (auto _ : state) {
    Must(RawWrite(ends.near, bytes, kPing), "write");
    Must(RawRead(ends.near, bytes, kPing), "read");
  }
  ends.near = End();
}

void Echo(Flow far, const Limits& limits, bool fresh) {
  char bytes[kPing];
  for (;;) {
    if (fresh) {
      const auto got = far.Read(limits);
      if (!got.ok() || got->is_eof()) return;
      Must(far.Write(got->data().view(), limits));
    } else {
      if (!ReadExactly(far, bytes, limits)) return;
      Must(far.Write({bytes, kPing}, limits));
    }
  }
}

void Blocking(benchmark::State& state, Ends ends, Where where, How how) {
  const Armed armed(how != How::kDeadline);
  const Limits limits = how == How::kPlain ? Limits() : armed.limits;
  const bool fresh = how == How::kRead;
  Flow near = FlowOn(std::move(ends.near));
  const OurThread peer(
      [far = FlowOn(std::move(ends.far)), &limits, fresh, where]() mutable {
        PinTo(where == Where::kTwoCpus ? 1 : 0);
        Echo(std::move(far), limits, fresh);
      });
  char bytes[kPing] = {};
  for (auto _ : state) {
    Must(near.Write({bytes, kPing}, limits));
    if (fresh) {
      Must(near.Read(limits).status());
    } else {
      Must(ReadExactly(near, bytes, limits), "read");
    }
  }
  near.Close().IgnoreError();
}

// A side that takes futures and waits for each; the poller's thread is the one
// that finds what arrives.
void Futures(benchmark::State& state, Ends ends, Where where) {
  const Armed armed;
  flow::InlineExecutor executor;
  AsyncContext context(executor);
  AsyncFlow near = Must(AsyncFlow::From(FlowOn(std::move(ends.near)), context));
  AsyncFlow far = Must(AsyncFlow::From(FlowOn(std::move(ends.far)), context));
  const OurThread peer([&far, &armed, where] {
    PinTo(where == Where::kTwoCpus ? 1 : 0);
    for (;;) {
      auto got = far.Read(armed.limits).get();
      if (!got.ok() || got->is_eof()) return;
      if (!far.Write(std::move(got->data()), armed.limits).get().ok()) return;
    }
  });
  const std::string message(kPing, 'x');
  for (auto _ : state) {
    Must(near.Write(message, armed.limits).get());
    Must(near.Read(armed.limits).get().status());
  }
  near.Close().get().IgnoreError();
}

void PingPong(benchmark::State& state, Kind kind, Where where, How how) {
  if (where == Where::kTwoCpus && Cpus().size() < 2) {
    state.SkipWithError("there is one CPU");
    return;
  }
  const std::unique_ptr<Hogs> hogs =
      where == Where::kHogs ? std::make_unique<Hogs>(2) : nullptr;
  OnOurThread([&] {
    PinTo(0);
    if (how == How::kRaw) {
      Raw(state, MakeEnds(kind), where);
    } else if (how == How::kFutures) {
      Futures(state, MakeEnds(kind), where);
    } else {
      Blocking(state, MakeEnds(kind), where, how);
    }
  });
}

void RegisterAll() {
  const std::pair<const char*, How> ways[] = {
      {"Raw", How::kRaw},         {"RawAgain", How::kRaw},
      {"Plain", How::kPlain},     {"Deadline", How::kDeadline},
      {"Token", How::kToken},     {"Read", How::kRead},
      {"Futures", How::kFutures},
  };
  const std::pair<const char*, Where> places[] = {
      {"one_cpu", Where::kOneCpu},
      {"two_cpus", Where::kTwoCpus},
      {"hogs", Where::kHogs},
  };
  for (const auto& [place, where] : places) {
    for (const Kind kind : kKinds) {
      for (const auto& [way, how] : ways) {
        const std::string name =
            absl::StrCat("PingPong/", place, "/", NameOf(kind), "/", way);
        benchmark::RegisterBenchmark(
            name.c_str(),
            [kind = kind, where = where, how = how](benchmark::State& state) {
              PingPong(state, kind, where, how);
            })
            ->UseRealTime();
      }
    }
  }
}

const bool kRegistered = (RegisterAll(), true);

}  // namespace
}  // namespace flow_bench
