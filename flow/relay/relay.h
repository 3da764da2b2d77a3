// File: relay.h
//
// Copy and Relay: from flow to flow, with every ending told to the other side.
//
//   flow::RelayResult result = flow::Relay(client, server);
//   std::cerr << result << "\n";
//   // a -> b: 1000 B in order; b -> a: 1048576 B in order
//   if (!result.ok()) return result.status();
//
// (Also known as proxy, pump, splice, tunnel, port forwarding,
// copyBidirectional.)
//
// What a Relay does with what it meets:
//
// | one side                    | the other side                              |
// |-----------------------------|---------------------------------------------|
// | Eof                         | Shutdown(kWrite), and nothing more: the     |
// |                             | other direction goes on for as long as it   |
// |                             | likes                                       |
// | an error of a read or write | both flows are aborted, visibly where the   |
// |                             | transport can show it: over TCP a reset     |
// |                             | stays a reset                               |
// | a limit or the token        | the same: a cut stream must not look like a |
// |                             | clean end                                   |
// | after its Eof, its peer is  | the other direction ends: there is nobody   |
// | gone for certain            | left to take its bytes. Both are aborted,   |
// | (WaitPeerEnd)               | or, where a peer that is gone may still have|
// |                             | ended in order (unix sockets, pipes), closed|
//
// ENOTCONN and its like, which the kernel says to a Shutdown when both sides
// have ended, are no errors. A flow whose ends are not visible (borrowed
// standard output, a file) is shut down only in name.
//
// Limits of a Copy or Relay, by the fields of its flow::Limits:
// - deadline: a total for all of it;
// - stall_timeout: the longest time without a byte moved, in either direction
//   of a Relay (an idle limit). 0 and less are INVALID_ARGUMENT;
// - cancel: ends it within 100 ms.
//
// Not seen yet: that the source was reset while the sink takes nothing, before
// the next read of the source; set stall_timeout where that matters.
//
// Guarantees:
// - Each direction's bytes arrive exactly and in order; the counts are exact
//   on every way out.
// - Neither direction waits for the other; one that waits when the other fails
//   is freed within 100 ms.
// - Memory: 64 KiB per direction, whatever the peers do.
// - A Relay has one thread beside the caller's, which has ended when it
//   returns; all signals are blocked in it. No signal is raised. Where the
//   machine has no thread left: RESOURCE_EXHAUSTED, the flows are untouched.
// - Nothing is thrown.
// - Others may use the flows meanwhile (GetStats, Close: that ends the relay),
//   but bytes that they read or write are missing or foreign to its peers.

#ifndef FLOW_RELAY_RELAY_H_
#define FLOW_RELAY_RELAY_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/limits.h"

namespace flow {

// Which side of a copy failed.
enum class CopySide : uint8_t {
  kNone,    // neither
  kSource,  // reading; a limit or token that hit while it waited for bytes
  kSink,    // writing, or telling the end; or a limit while it waited for room
};
absl::string_view CopySideName(CopySide side);
std::ostream& operator<<(std::ostream& os, CopySide side);
template <typename Sink>
void AbslStringify(Sink& sink, CopySide side) {
  sink.Append(CopySideName(side));
}

struct CopyOptions {
  // See above.
  Limits limits;

  // False: after the source's Eof the sink stays open, for more to be written;
  // after an error the caller decides (the sink's peer should not be shown a
  // clean end: Abort it). True: the sink ends as the source did, Eof becomes
  // Shutdown(kWrite), an error Abort.
  bool end_sink = false;
};

// What became of one direction. Valid on every way out. A value.
struct CopyResult {
  uint64_t bytes_read = 0;  // taken from the source
  uint64_t bytes = 0;       // of these, accepted by the sink
  uint64_t reads = 0;       // calls that gave data
  uint64_t writes = 0;      // calls that accepted data
  absl::Duration duration;

  // OK if the source ended in order, or its side was not what failed.
  absl::Status read_status;
  // OK if the sink accepted all that was read, and its end where that was
  // asked for.
  absl::Status write_status;

  // True if it ended only because the other direction of its relay had failed.
  bool cut = false;

  // Eof at the source, all of it accepted by the sink.
  bool ok() const { return read_status.ok() && write_status.ok(); }
  CopySide failed_side() const;

  // OK, or the failure with its side and count in the message, BytesDone() =
  // `bytes`, and the code and kind of the failed call.
  absl::Status status() const;

  // "1000 B in order", "4096 B, then writing to the sink failed: ...".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const CopyResult& result) {
    sink.Append(result.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const CopyResult& result) {
    return os << result.ToString();
  }
};

// Reads `src` to its Eof and writes all of it to `dst`. Blocks. The flows stay
// open (but see CopyOptions::end_sink).
[[nodiscard]] CopyResult Copy(Flow& src, Flow& dst,
                              const CopyOptions& options = {});

struct RelayOptions {
  // See above.
  Limits limits;
};

// What became of both directions, neither hidden by the other. A value.
struct RelayResult {
  CopyResult a_to_b;
  CopyResult b_to_a;
  absl::Duration duration;

  // Both directions ended in order.
  bool ok() const { return a_to_b.ok() && b_to_a.ok(); }

  // OK, or the failure of the direction that failed by itself; if both did, the
  // code is that of a to b and the message has both.
  absl::Status status() const;

  // "a -> b: 1000 B in order; b -> a: 4096 B, then ...".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const RelayResult& result) {
    sink.Append(result.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const RelayResult& result) {
    return os << result.ToString();
  }
};

// Copies in both directions at once until both have ended. Blocks. After both
// ended in order, the flows are open but at their ends in both directions:
// nothing is in the way of the bytes still in flight, and closing them is all
// that is left to do. After anything else they are closed.
[[nodiscard]] RelayResult Relay(Flow& a, Flow& b,
                                const RelayOptions& options = {});

}  // namespace flow

#endif  // FLOW_RELAY_RELAY_H_
