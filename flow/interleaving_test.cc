// Every order of a few threads in the blocking driver, over its real source
// with primitives that can be stopped at (flow/testing/interleaving.h). In each
// of them: nobody sleeps for ever, the transport is closed once and when nobody
// is inside, and each call has an answer that the state table allows. Each test
// prints how many orders there were, and how often each outcome came.

#include "flow/testing/interleaving.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/config.h"
#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "flow/cancel.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/signal.h"
#include "flow/sys/mono_time.h"
#include "flow/transport.h"
#include "gtest/gtest.h"

ABSL_FLAG(bool, complete, false,
          "Every order also where there are hundreds of thousands.");

namespace flow {
namespace {

// For stories of three threads. (What a sanitizer sees is the same in each
// order, and it takes ten times as long.)
#if defined(ABSL_HAVE_ADDRESS_SANITIZER) || defined(ABSL_HAVE_THREAD_SANITIZER)
constexpr bool kSanitized = true;
constexpr uint64_t kSample = 200;
#else
constexpr bool kSanitized = false;
constexpr uint64_t kSample = 5'000;
#endif

using flow_testing::Explore;
using flow_testing::Explored;
using flow_testing::ExploreOptions;
using flow_testing::InterleavedSyscalls;
using flow_testing::Require;
using flow_testing::Scenario;
using flow_testing::StepKernel;
using flow_testing::Threads;

// What the test shares with its transport.
struct Pipes {
  Pipes() {
    Require(::pipe2(in, O_NONBLOCK | O_CLOEXEC) == 0 &&
                ::pipe2(out, O_NONBLOCK | O_CLOEXEC) == 0,
            "no pipes");
  }
  ~Pipes() {
    for (const int fd : {in[0], in[1], out[0], out[1]}) ::close(fd);
    Require(closes == 1, "the transport was not closed once");
  }
  // As the peer:
  void Send() {
    StepKernel(/*write=*/true);
    Require(::write(in[1], "x", 1) == 1, "the peer can't send");
  }
  void Drain() {
    StepKernel(/*write=*/true);
    char scratch[4096];
    while (::read(out[0], scratch, sizeof(scratch)) > 0) {
    }
  }
  // So that a Write has to wait.
  void Clog() const {
    const std::string block(4096, 'x');
    while (::write(out[1], block.data(), block.size()) > 0) {
    }
  }

  int in[2];
  int out[2];
  bool reset = false;  // the next try takes it; then reads find an end
  bool reset_taken = false;
  int inside = 0;
  int closes = 0;
  int ends_told = 0;
};

// A stream on two pipes. Like a socket it reports a reset once.
class PipesTransport : public Transport {
 public:
  explicit PipesTransport(Pipes* pipes) : pipes_(pipes) {}

  Attempt TryRead(absl::Span<const iovec> into) override {
    // Nobody sees that a byte has gone.
    const Inside inside(pipes_, /*moves=*/pipes_->reset);
    if (TakesReset()) return Attempt::Failed(ECONNRESET);
    if (pipes_->reset_taken) return Attempt::Eof();
    const ssize_t n = ::read(pipes_->in[0], into[0].iov_base, 1);
    if (n > 0) return Attempt::Transferred(1);
    return Attempt::WouldBlock(Wait::ForFd(pipes_->in[0], POLLIN));
  }
  Attempt TryWrite(absl::Span<const iovec> from) override {
    const Inside inside(pipes_, /*moves=*/true);
    if (TakesReset()) return Attempt::Failed(ECONNRESET);
    if (pipes_->reset_taken) return Attempt::Failed(EPIPE);
    const ssize_t n =
        ::write(pipes_->out[1], from[0].iov_base, from[0].iov_len);
    if (n > 0) return Attempt::Transferred(static_cast<size_t>(n));
    return Attempt::WouldBlock(Wait::ForFd(pipes_->out[1], POLLOUT));
  }
  Attempt TryShutdown(ShutdownMode half) override {
    const Inside inside(pipes_, /*moves=*/true);
    if (half == ShutdownMode::kWrite) ++pipes_->ends_told;
    return Attempt::Transferred(0);
  }
  absl::Status Close() override {
    StepKernel(/*write=*/true);
    Require(pipes_->inside == 0, "closed while somebody was inside");
    ++pipes_->closes;
    return absl::OkStatus();
  }
  bool PollIsTruth() const override { return true; }

 private:
  class Inside {
   public:
    Inside(Pipes* pipes, bool moves) : pipes_(pipes) {
      Require(pipes_->closes == 0, "used after it was closed");
      ++pipes_->inside;
      StepKernel(moves);
    }
    ~Inside() { --pipes_->inside; }

   private:
    Pipes* const pipes_;
  };

  bool TakesReset() {
    if (!pipes_->reset) return false;
    pipes_->reset = false;
    return pipes_->reset_taken = true;
  }

  Pipes* const pipes_;
};

// A flow, its peer, and who else takes part.
struct World {
  World()
      : pipes(std::make_unique<Pipes>()),
        flow(std::make_unique<PipesTransport>(pipes.get()), &sys) {}

  InterleavedSyscalls sys;
  std::unique_ptr<Pipes> pipes;
  CancelSource source;
  Flow flow;  // goes first
};

using Outcomes = std::map<std::string, int>;

std::string NameOf(const absl::Status& status) {
  if (status.ok()) return "ok";
  if (absl::IsCancelled(status)) {
    return IsClosedLocally(status) ? "closed meanwhile" : "cancelled";
  }
  if (IsClosedLocally(status)) return "closed before";
  return IsReset(status) ? "reset" : status.ToString();
}

std::string Read(World& world, const Limits& limits = {}) {
  char byte = 0;
  const absl::StatusOr<OrEof<size_t>> got =
      world.flow.ReadInto(absl::MakeSpan(&byte, 1), limits);
  if (!got.ok()) return NameOf(got.status());
  return got->is_eof() ? "eof" : "data";
}

// Tries all orders of `threads(world)`; `outcome` says, once all have ended,
// what came of one.
struct Story {
  std::function<Threads(const std::shared_ptr<World>&)> threads;
  std::function<std::string(World&)> outcome;
  // 0: all; else so many by chance, where all would take minutes.
  uint64_t sample = 0;
};
Outcomes Tell(const Story& story) {
  Outcomes outcomes;
  ExploreOptions options;
  if (!absl::GetFlag(FLAGS_complete)) {
    options.sample = kSanitized ? kSample : story.sample;
  }
  options.warm_up = [] { Waker::ForThisThread(Syscalls::Real()); };
  const Explored explored = Explore(
      [&] {
        auto world = std::make_shared<World>();
        return Scenario{story.threads(world), [world, &story, &outcomes] {
                          ++outcomes[story.outcome(*world)];
                        }};
      },
      options);
  EXPECT_EQ(explored.complete, options.sample == 0);
  std::cout << explored.executions
            << (explored.complete ? " orders, all that there are ("
                                  : " orders, by chance (")
            << explored.redundant << " redundant), up to " << explored.longest
            << " steps";
  for (const auto& [name, count] : outcomes) {
    std::cout << "; " << name << " " << count;
  }
  std::cout << std::endl;
  return outcomes;
}

std::vector<std::string> NamesOf(const Outcomes& outcomes) {
  std::vector<std::string> names;
  for (const auto& [name, count] : outcomes) names.push_back(name);
  return names;
}

using Names = std::vector<std::string>;

// P3, P5.
TEST(Interleavings, CloseWakesABlockedRead) {
  std::string read;
  const Outcomes outcomes =
      Tell({[&read](const std::shared_ptr<World>& w) -> Threads {
              return {[w, &read] { read = Read(*w); },
                      [w] { Require(w->flow.Close().ok(), "Close failed"); }};
            },
            [&read](World&) { return read; }});
  EXPECT_EQ(NamesOf(outcomes), (Names{"closed before", "closed meanwhile"}));
}

// P3: and the flow did not fail.
TEST(Interleavings, CancelWakesABlockedRead) {
  std::string read;
  const Outcomes outcomes =
      Tell({[&read](const std::shared_ptr<World>& w) -> Threads {
              return {[w, &read] {
                        Limits limits;
                        limits.cancel = w->source.token();
                        read = Read(*w, limits);
                      },
                      [w] { w->source.Cancel(); }};
            },
            [&read](World& w) {
              w.pipes->Send();
              return read + ", then " + Read(w);
            }});
  EXPECT_EQ(NamesOf(outcomes), (Names{"cancelled, then data"}));
}

// P2: a byte that was taken is delivered, whatever else happens.
TEST(Interleavings, DataOrCloseButNothingElse) {
  std::string read;
  const Outcomes outcomes = Tell(
      {[&read](const std::shared_ptr<World>& w) -> Threads {
         return {[w, &read] { read = Read(*w); }, [w] { w->pipes->Send(); },
                 [w] { Require(w->flow.Close().ok(), "Close failed"); }};
       },
       [&read](World&) { return read; }, kSample});
  EXPECT_EQ(NamesOf(outcomes),
            (Names{"closed before", "closed meanwhile", "data"}));
}

// P5: one close(2), however many Closes.
TEST(Interleavings, SeveralClosesAreOne) {
  const Outcomes outcomes =
      Tell({[](const std::shared_ptr<World>& w) -> Threads {
              const auto close = [w] {
                Require(w->flow.Close().ok(), "Close failed");
              };
              return {close, close, close};
            },
            [](World& w) { return w.pipes->closes == 1 ? "once" : "not"; },
            kSample});
  EXPECT_EQ(NamesOf(outcomes), (Names{"once"}));
}

// The seed: "shutdown `read ... subsequent calls will return `Eof", a blocked
// one too.
TEST(Interleavings, ShutdownWakesABlockedRead) {
  std::string read;
  const Outcomes outcomes =
      Tell({[&read](const std::shared_ptr<World>& w) -> Threads {
              return {[w, &read] { read = Read(*w); },
                      [w] {
                        Require(w->flow.Shutdown(ShutdownMode::kRead).ok(),
                                "Shutdown failed");
                      }};
            },
            [&read](World&) { return read; }});
  EXPECT_EQ(NamesOf(outcomes), (Names{"eof"}));
}

// Two readers and two bytes: whoever waits for his turn gets it.
TEST(Interleavings, AQueuedReadIsHandedTheDirection) {
  std::string reads[2];
  const Outcomes outcomes =
      Tell({[&reads](const std::shared_ptr<World>& w) -> Threads {
              w->pipes->Send();
              w->pipes->Send();
              return {[w, &reads] { reads[0] = Read(*w); },
                      [w, &reads] { reads[1] = Read(*w); }};
            },
            [&reads](World&) { return reads[0] + ", " + reads[1]; }});
  EXPECT_EQ(NamesOf(outcomes), (Names{"data, data"}));
}

// P3: also for who waits for his turn only.
TEST(Interleavings, CloseWakesAQueuedRead) {
  std::string reads[2];
  const Outcomes outcomes =
      Tell({[&reads](const std::shared_ptr<World>& w) -> Threads {
              return {[w, &reads] { reads[0] = Read(*w); },
                      [w, &reads] { reads[1] = Read(*w); },
                      [w] { Require(w->flow.Close().ok(), "Close failed"); }};
            },
            [&reads](World&) { return reads[0] + ", " + reads[1]; }, kSample});
  EXPECT_EQ(NamesOf(outcomes), (Names{"closed before, closed before",
                                      "closed before, closed meanwhile",
                                      "closed meanwhile, closed before",
                                      "closed meanwhile, closed meanwhile"}));
}

// Shutdown(kWrite) comes after the Write under way, and tells the end once.
TEST(Interleavings, ShutdownWaitsForTheWriteUnderWay) {
  std::string wrote;
  const Outcomes outcomes =
      Tell({[&wrote](const std::shared_ptr<World>& w) -> Threads {
              return {[w, &wrote] { wrote = NameOf(w->flow.Write("x")); },
                      [w] {
                        Require(w->flow.Shutdown(ShutdownMode::kWrite).ok(),
                                "Shutdown failed");
                      }};
            },
            [&wrote](World& w) {
              Require(w.pipes->ends_told == 1, "the end was not told once");
              char byte = 0;
              const bool arrived = ::read(w.pipes->out[0], &byte, 1) == 1;
              return wrote + (arrived ? ", arrived" : ", nothing");
            },
            kSample});
  EXPECT_EQ(NamesOf(outcomes),
            (Names{"closed before, nothing", "ok, arrived"}));
}

// P3: a Write that waits for room.
TEST(Interleavings, ABlockedWriteGoesOnOrIsClosed) {
  std::string wrote;
  const Outcomes outcomes =
      Tell({[&wrote](const std::shared_ptr<World>& w) -> Threads {
              w->pipes->Clog();
              return {[w, &wrote] { wrote = NameOf(w->flow.Write("x")); },
                      [w] { w->pipes->Drain(); },
                      [w] { Require(w->flow.Close().ok(), "Close failed"); }};
            },
            [&wrote](World&) { return wrote; }, kSample});
  EXPECT_EQ(NamesOf(outcomes),
            (Names{"closed before", "closed meanwhile", "ok"}));
}

// P1: the kernel reports a reset once, and then an end. Whoever meets it first,
// the other says so too, and nobody says Eof.
TEST(Interleavings, AResetIsNoEofForEitherSide) {
  std::string read;
  std::string wrote;
  const Outcomes outcomes =
      Tell({[&](const std::shared_ptr<World>& w) -> Threads {
              w->pipes->reset = true;
              return {[w, &read] { read = Read(*w); },
                      [w, &wrote] { wrote = NameOf(w->flow.Write("x")); }};
            },
            [&](World& w) { return read + ", " + wrote + ", " + Read(w); }});
  EXPECT_EQ(NamesOf(outcomes), (Names{"reset, reset, reset"}));
}

}  // namespace
}  // namespace flow

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  absl::ParseCommandLine(argc, argv);
  return RUN_ALL_TESTS();
}
