// File: amnesiac_transport.h
//
// AmnesiacTransport: a transport that reports each ending once, then forgets
// it.
//
// The kernel does that: a reset is told to whoever asks first, and the next
// read gives a clean 0. This wrapper does it to any transport, and worse: once
// a direction has been told of its end (Eof or a failure), its further tries
// get, at random, bytes that nobody sent, Eof, a success, or "not now" with a
// wait that is already over and then one of those; never the failure again. A
// flow whose answers nevertheless keep to the table in flow/flow.h takes them
// from its own state (flow/state.h) and from nowhere else.
//
// A failure of the whole flow is told once to both directions together. Where
// the other direction asks after it, it gets what the kernel gives: a read the
// bytes that had arrived and then Eof or "not now"; a write EPIPE, once.
//
// TryPeerEnd, TryShutdown, Abort, Close and the properties are passed on. The
// random choices depend on the seed and on the order of the tries alone.

#ifndef FLOW_TESTING_AMNESIAC_TRANSPORT_H_
#define FLOW_TESTING_AMNESIAC_TRANSPORT_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "flow/flow.h"
#include "flow/transport.h"

namespace flow_testing {

// `below`, with a bad memory. Owns it.
std::unique_ptr<flow::Transport> AmnesiacTransport(
    std::unique_ptr<flow::Transport> below, uint64_t seed);

// The same for a flow that is not in use and has not ended
// (Flow::ReleaseTransport says FAILED_PRECONDITION otherwise; `below` is then
// closed).
absl::StatusOr<flow::Flow> Amnesiac(flow::Flow below, uint64_t seed);

}  // namespace flow_testing

#endif  // FLOW_TESTING_AMNESIAC_TRANSPORT_H_
