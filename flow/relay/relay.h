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
// | (WaitPeerEnd)               | once what it sent has arrived, or, where a  |
// |                             | peer that is gone may still have ended in   |
// |                             | order (unix sockets, pipes), closed         |
//
// ENOTCONN and its like, which the kernel says to a Shutdown when both sides
// have ended, are no errors. What the end of one direction means for the other
// can be chosen (RelayPolicy), and how long that may go on (half_close_limit).
// A flow whose ends are not visible (borrowed
// standard output, a file) is shut down only in name.
//
// Limits of a Copy or Relay, by the fields of its flow::Limits:
// - deadline: a total for all of it;
// - stall_timeout: the longest time without a byte moved, in either direction
//   of a Relay (an idle limit). 0 and less are INVALID_ARGUMENT;
// - cancel: ends it within 100 ms.
//
// A source that is reset while the sink takes nothing is noticed within 0.6 s,
// over TCP (also below TLS and other layers that name its descriptor). That a
// peer which has ended in order is gone, or refuses what comes back, is no
// reset: what it sent goes on to the sink. (Until the other direction meets the
// refusal: that is its error.)
//
// A sink that is a pipe without a name, whose reader is gone, is noticed within
// 0.6 s too while its source has nothing: as the error of a write.
//
// Guarantees:
// - Each direction's bytes arrive exactly and in order; the counts are exact
//   on every way out.
// - Neither direction waits for the other; one that waits when the other fails
//   is freed within 100 ms.
// - Memory: 64 KiB per direction, whatever the peers do; where the kernel moves
//   the bytes, two descriptors and at most 1 MiB of pages that it holds for as
//   long as the sink takes none (CopyOptions::buffer_size). All of it is given
//   back at the end.
// - A Relay has one thread beside the caller's, which has ended when it
//   returns; all signals are blocked in it. No signal is raised. Where the
//   machine has no thread left: RESOURCE_EXHAUSTED, the flows are untouched.
//   For many relays without threads of their own: flow/relay/async_relay.h.
// - Nothing is thrown.
// - Others may use the flows meanwhile (GetStats, Close: that ends the relay),
//   but bytes that they read or write are missing or foreign to its peers.

#ifndef FLOW_RELAY_RELAY_H_
#define FLOW_RELAY_RELAY_H_

#include "flow/flow.h"
#include "flow/relay/relay_options.h"
#include "flow/relay/relay_result.h"

namespace flow {

// Reads `src` to its Eof and writes all of it to `dst`. Blocks. The flows stay
// open (but see CopyOptions::end_sink). A limit that cuts it when bytes taken
// from `src` have yet to reach `dst` seals `dst` (flow/flow.h), whose stream
// misses them; none are lost by a limit while it waits for `src`.
[[nodiscard]] CopyResult Copy(Flow& src, Flow& dst,
                              const CopyOptions& options = {});

// Copies in both directions at once until both have ended. Blocks. After both
// ended in order, the flows are open but at their ends in both directions:
// nothing is in the way of the bytes still in flight, and closing them is all
// that is left to do. After anything else they are closed.
[[nodiscard]] RelayResult Relay(Flow& a, Flow& b,
                                const RelayOptions& options = {});

}  // namespace flow

#endif  // FLOW_RELAY_RELAY_H_
