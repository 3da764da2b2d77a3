// File: interleaving.h
//
// Explore: runs a few threads in every order that could make a difference.
//
//   const Explored explored = Explore([] {
//     auto shared = std::make_shared<Shared>();
//     Threads threads;
//     threads.push_back([shared] { ... });
//     threads.push_back([shared] { ... });
//     return Scenario{threads, [shared] { EXPECT_EQ(...); }};
//   });
//
// (Also known as systematic concurrency testing, stateless model checking.) The
// threads share nothing but Stepped primitives (interleaving_primitives.h) and
// what they guard. Before each access to one a thread stops, and one of them is
// let go on; so an execution is a list of choices, and all lists are tried but
// those that differ from a tried one only in the order of accesses that can't
// see each other (dynamic partial-order reduction with sleep sets, after
// Flanagan and Godefroid, "Dynamic partial-order reduction for model checking
// software", POPL 2005).
//
// The memory is sequentially consistent: what weaker orders allow is
// ThreadSanitizer's and the compiler's matter.
//
// Time does not pass by itself. A poll with a timeout that finds nothing ready
// when its thread is chosen has timed out; since the thread could have been
// chosen later, both outcomes are tried. A poll without one is not chosen until
// it is ready.
//
// If no thread can go on and not all have ended, a wake-up was lost: the
// process says so, prints the steps, and aborts. So it does if an execution
// does not end.
//
// Guarantees: deterministic (the sample, too); one Explore at a time in a
// process.

#ifndef FLOW_TESTING_INTERLEAVING_H_
#define FLOW_TESTING_INTERLEAVING_H_

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/strings/string_view.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"

namespace flow_testing {

using Threads = std::vector<std::function<void()>>;

struct Scenario {
  Threads threads;             // two to eight
  std::function<void()> then;  // once all have ended
};

struct ExploreOptions {
  // 0: every order. Else so many that are drawn by chance (with `seed`), for
  // scenarios of which there are too many; `complete` is then false.
  uint64_t sample = 0;
  uint32_t seed = 1;

  // Run once on each thread, which serves all executions: makes what is
  // thread_local and shared.
  std::function<void()> warm_up;
};

struct Explored {
  uint64_t executions = 0;
  uint64_t redundant = 0;  // of these, found to be like another on the way
  uint64_t steps = 0;
  size_t longest = 0;     // steps of one execution
  bool complete = false;  // every order was tried
};

// Makes the scenario anew and runs it, once for each order.
Explored Explore(const std::function<Scenario()>& make,
                 const ExploreOptions& options = {});

// The kernel of such threads: poll and the clocks. Each thread has a clock of
// its own, which only its timeouts move.
class InterleavedSyscalls : public flow::Syscalls {
 public:
  flow::MonoTime Now() override;
  flow::MonoTime CoarseNow() override { return Now(); }
  int Poll(pollfd* fds, nfds_t count, int timeout_ms) override;
};

// Before an access to something that is no Stepped primitive, such as a pipe:
// to see, or (`write`) to change, what poll and other such accesses see.
void StepKernel(bool write);

// Unless `holds`: says `what`, prints the steps, and aborts.
void Require(bool holds, absl::string_view what);

}  // namespace flow_testing

#endif  // FLOW_TESTING_INTERLEAVING_H_
