// File: prefix.h
//
// Prefix: a flow whose reads give some bytes first, then the flow's.
//
//   // Look at the first bytes, then hand the whole stream on.
//   absl::StatusOr<flow::OrEof<flow::Buffer>> head = connection.Read();
//   ...
//   absl::StatusOr<flow::Flow> whole =
//       flow::Prefix(std::move(connection), std::move(head->data()));
//
// Also known as: rewind, push back, unread, give back, sniffing. Who has read
// too far (a protocol sniffer, a buffered reader that is taken apart, STARTTLS)
// puts the bytes back in front of what is still to come.
//
// The flow is a layer (flow/flow.h, "Shutdown"): it owns the flow below, whose
// properties and endpoints it shows. Writes, and everything once the bytes are
// read, pass straight through.
//
// Guarantees:
// - A Read gives bytes of the prefix or bytes of the flow, never both; those of
//   the prefix without a wait and without a system call.
// - Endings of the flow below (Eof, a reset) are told when the prefix has been
//   read, not before. WaitPeerEnd tells what the peer has done, whatever is
//   left to read.
// - Shutdown(kRead) drops what is left of the prefix. ReleaseTransport keeps
//   it: the next layer (TLS) reads it first.
// - The prefix is kept as it is given, without a copy, until it has been read.

#ifndef FLOW_LAYERS_PREFIX_H_
#define FLOW_LAYERS_PREFIX_H_

#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "flow/buffer.h"
#include "flow/flow.h"

namespace flow {

// `below`, whose reads give `bytes` first. With nothing to give it is `below`
// itself, whatever its state. FAILED_PRECONDITION if `below` is in use or has
// ended on either side; it is then closed.
[[nodiscard]] absl::StatusOr<Flow> Prefix(Flow below, absl::Cord bytes);
[[nodiscard]] absl::StatusOr<Flow> Prefix(Flow below, Buffer bytes);
// The same with a copy of `bytes`.
[[nodiscard]] absl::StatusOr<Flow> Prefix(Flow below, absl::string_view bytes);

}  // namespace flow

#endif  // FLOW_LAYERS_PREFIX_H_
