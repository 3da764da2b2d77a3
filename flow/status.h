// File: status.h
//
// What flow's errors say, beyond their absl::StatusCode.
//
//   absl::Status s = f.Write(request);
//   if (flow::IsClosed(s)) return Reconnect();      // nobody takes bytes here
//   if (flow::KindOf(s) == flow::ErrorKind::kDeadline) ...
//   LogLine(s.ToString());
//   // UNAVAILABLE: write() failed: Connection reset by peer [104]; flow tcp
//   // 127.0.0.1:5432 -> 127.0.0.1:40112, 4096 of 65536 bytes done
//
// A code alone can't tell "closed by me" from "closed by the peer", or a
// deadline of mine from a time-out of the kernel's. Each Status that flow makes
// carries a payload with the kind, the errno, the operation, both endpoints and
// the bytes that were done; the predicates read it. They never guess from the
// code: a Status without the payload is kOther.
//
// | what happened                                   | code                |
// |-------------------------------------------------|---------------------|
// | used after local Close or Shutdown(kWrite);     | FAILED_PRECONDITION |
// |   sealed; write refused by a peer that ended in |                     |
// |   order (EPIPE); EADDRINUSE, EBADF              |                     |
// | reset, refused, ETIMEDOUT of the kernel,        | UNAVAILABLE         |
// |   unreachable, name look-up                     |                     |
// | Close or Cancel while pending                   | CANCELLED           |
// | own deadline or stall limit                     | DEADLINE_EXCEEDED   |
// | EMFILE, ENFILE, ENOMEM; ENOSPC, EDQUOT, EFBIG;  | RESOURCE_EXHAUSTED  |
// |   line and size limits                          |                     |
// | stream cut without its own end mark             | DATA_LOSS           |
// | bad certificate                                 | UNAUTHENTICATED     |
// | EACCES, EPERM                                   | PERMISSION_DENIED   |
// | bad argument, not a stream socket               | INVALID_ARGUMENT    |
// | no such path                                    | NOT_FOUND           |
// | not supported here                              | UNIMPLEMENTED       |
// | anything else                                   | INTERNAL            |
//
// Messages never contain bytes of the stream, nor control characters that come
// from a peer. (No predicate has a name that absl has for a Status, such as
// IsCancelled: argument-dependent look-up would make calls ambiguous.)
//
// Guarantees: pure functions; any thread.

#ifndef FLOW_STATUS_H_
#define FLOW_STATUS_H_

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "flow/sys/errno_table.h"

namespace flow {

// The kind of `status`; kOther for OK and for a Status that flow did not make.
ErrorKind KindOf(const absl::Status& status);

// The seed's `Closed`: closed locally, closed by the peer, or reset. Whatever
// is written to this flow from now on goes nowhere.
bool IsClosed(const absl::Status& status);

// One kind each: kClosedLocally, kClosedByPeer, kReset, kSealed, kTruncated.
bool IsClosedLocally(const absl::Status& status);
bool IsClosedByPeer(const absl::Status& status);
bool IsReset(const absl::Status& status);
bool IsSealed(const absl::Status& status);
bool IsTruncated(const absl::Status& status);

// How many bytes of the failed operation were done before it failed: accepted
// by the transport for a write, received for a read. 0 if `status` does not
// say. The status that a sticky ending repeats says what the first failure
// said.
uint64_t BytesDone(const absl::Status& status);

// The errno behind `status`; 0 if there is none.
int ErrnoOf(const absl::Status& status);

// The name of the payload in a Status: absl::Status::GetPayload(kPayloadUrl).
inline constexpr char kStatusPayloadUrl[] = "type.flow-io.dev/flow.Error";

// The code that a failure of `kind` has when no errno says more.
absl::StatusCode CodeOf(ErrorKind kind);

// Everything that a Status of flow's can carry (for transports and for tests).
struct ErrorDetail {
  ErrorKind kind = ErrorKind::kOther;  // what happened
  int error = 0;                       // errno, 0 if none
  std::string operation;               // "read", "write", "connect", ...
  // Both endpoints in words; empty if not known.
  std::string local;
  std::string peer;
  uint64_t bytes_done = 0;  // what BytesDone() says

  // "reset, errno 104, write, 127.0.0.1:1 -> 127.0.0.1:2, 12 B done".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ErrorDetail& detail) {
    sink.Append(detail.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const ErrorDetail& detail) {
    return os << detail.ToString();
  }
};

// A Status with `detail` as its payload. `message` is for people and may hold
// anything but bytes of the stream.
absl::Status MakeStatus(absl::StatusCode code, absl::string_view message,
                        const ErrorDetail& detail);

// INVALID_ARGUMENT, kind kOther: the caller's mistake, nothing was tried.
absl::Status InvalidArgument(absl::string_view message);

// "operation() failed: TEXT [errno]" and `context` if it is not empty, with the
// code and the kind from the errno table.
absl::Status ErrnoStatus(int error, absl::string_view operation,
                         absl::string_view context);

// The detail in `status`, if flow made it.
std::optional<ErrorDetail> DetailOf(const absl::Status& status);

}  // namespace flow

#endif  // FLOW_STATUS_H_
