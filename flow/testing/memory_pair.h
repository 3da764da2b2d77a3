// File: memory_pair.h
//
// MemoryPair: two connected flows without a kernel between them.
//
//   auto [client, server] = flow_testing::MemoryPair(/*capacity=*/16);
//   ASSERT_THAT(client.Write("hello"), IsOk());
//   ASSERT_THAT(server.Read(), IsOkAndHolds(IsData("hello")));
//
// Also known as: pipe pair, socketpair, loopback, in-memory connection. All
// that it waits for is the other end, so with simulated time
// (MemoryPairOptions::sys) a test of deadlines takes no time.
//
// What one end does and what the other sees:
//
// clang-format off
// | this end                         | the peer's Read            | the peer's Write | WaitPeerEnd |
// |----------------------------------|----------------------------|------------------|-------------|
// | Write                            | those bytes                | -                | -           |
// | Shutdown(kWrite)                 | what is queued, then Eof   | goes on          | kFinished   |
// | Shutdown(kRead)                  | -                          | closed by peer   | -           |
// | Close, having read all that came | what is queued, then Eof   | closed by peer   | kGone       |
// | Close with bytes unread          | what is queued, then reset | reset            | kGone       |
// | Abort                            | what is queued, then reset | reset            | kGone       |
// clang-format on
//
// The two lines with a reset are what TCP and unix sockets do: bytes that had
// arrived stay readable, and a close that throws bytes away is not an end in
// order. Bytes that Shutdown(kRead) drops count as read, since this end has
// said that it does not want them.
//
// Guarantees:
// - Bounded: each direction holds at most `capacity` bytes; a Write waits for
//   room. A capacity of 0 is taken for 1, for a Write could never end.
// - Memory is taken as bytes queue up, not in advance.
// - The two ends may be used, closed and destroyed from any threads, in any
//   order; either may outlive the other.
// - A transport of a pair never blocks: one mutex for the pair is held inside a
//   try, while bytes are copied.

#ifndef FLOW_TESTING_MEMORY_PAIR_H_
#define FLOW_TESTING_MEMORY_PAIR_H_

#include <cstddef>
#include <memory>
#include <ostream>
#include <string>
#include <utility>

#include "flow/flow.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"

namespace flow_testing {

// How a memory pair is made.
struct MemoryPairOptions {
  // What both flows wait with; null is the real kernel. Must outlive the flows.
  flow::Syscalls* sys = nullptr;

  // The names of the two ends in messages.
  std::string first_name = "memory a";
  std::string second_name = "memory b";

  // "first_name=\"client\"": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const MemoryPairOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const MemoryPairOptions& options) {
    return os << options.ToString();
  }
};

// How many bytes each direction holds unless told otherwise.
inline constexpr size_t kMemoryPairCapacity = 65536;

// Two flows; what one writes the other reads.
std::pair<flow::Flow, flow::Flow> MemoryPair(
    size_t capacity = kMemoryPairCapacity,
    const MemoryPairOptions& options = {});

// The transports of such a pair, to build something on. `options.sys` is not
// used: whoever makes the flows gives it to them.
std::pair<std::unique_ptr<flow::Transport>, std::unique_ptr<flow::Transport>>
MemoryTransportPair(size_t capacity = kMemoryPairCapacity,
                    const MemoryPairOptions& options = {});

}  // namespace flow_testing

#endif  // FLOW_TESTING_MEMORY_PAIR_H_
