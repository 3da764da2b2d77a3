// File: errno_table.h
//
// The one place that knows what an errno means to a flow: which kind of error
// it is, which absl::StatusCode it gets, whether it ends one direction or the
// whole flow, and which answers of the kernel are no errors at all but "again",
// "later" or "already so".
//
// Guarantees: pure functions of plain values; callable from anywhere.

#ifndef FLOW_SYS_ERRNO_TABLE_H_
#define FLOW_SYS_ERRNO_TABLE_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace flow {

// What happened, for a program to branch on. An absl::StatusCode alone can't
// tell these apart; KindOf() in flow/status.h reads the kind from a Status.
enum class ErrorKind : uint8_t {
  // Used after, or pending during, this side's own Close; or written to after
  // its own Shutdown(kWrite); or a direction that the flow never had.
  kClosedLocally,
  // The peer takes no more bytes (EPIPE), but had ended in order.
  kClosedByPeer,
  // The connection was torn down (ECONNRESET, ECONNABORTED).
  kReset,
  // A limit cut an earlier Write in the middle: going on would garble the
  // stream, so the write side refuses.
  kSealed,
  // The stream stopped without its own end mark (TLS), or a layer's protocol
  // was violated.
  kTruncated,
  // The call's own deadline, its token's, or its stall limit.
  kDeadline,
  // The call's CancelToken.
  kCancelled,
  // Another answer of the operating system; the errno is in the Status.
  kSystem,
  // Anything else, and every Status that flow did not make.
  kOther,
};

// "closed locally", "reset", ...
absl::string_view ErrorKindName(ErrorKind kind);
std::ostream& operator<<(std::ostream& os, ErrorKind kind);
template <typename Sink>
void AbslStringify(Sink& sink, ErrorKind kind) {
  sink.Append(ErrorKindName(kind));
}

// How far an error reaches.
enum class ErrorScope : uint8_t {
  kDirection,  // ends the side that met it: EPIPE, ENOSPC
  kFlow,       // ends both sides: ECONNRESET, ETIMEDOUT
};
// "direction", "flow"
absl::string_view ErrorScopeName(ErrorScope scope);
std::ostream& operator<<(std::ostream& os, ErrorScope scope);
template <typename Sink>
void AbslStringify(Sink& sink, ErrorScope scope) {
  sink.Append(ErrorScopeName(scope));
}

// What an errno means to a flow.
struct ErrnoMeaning {
  absl::StatusCode code;  // of the status that the caller gets
  ErrorKind kind;         // what KindOf() that status says
  ErrorScope scope;       // which sides of the flow it ends

  // "UNAVAILABLE, reset, ends the flow".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ErrnoMeaning& meaning) {
    sink.Append(meaning.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const ErrnoMeaning& meaning) {
    return os << meaning.ToString();
  }
};

// What `error` (an errno, > 0) means when a call on a connected flow, or a call
// that makes one, fails with it. Unknown numbers are INTERNAL, kSystem.
ErrnoMeaning MeaningOf(int error);

// The system calls whose failures are not always failures.
enum class SysCall : uint8_t {
  kRead,      // read, recv, ...
  kPtyRead,   // read from the master side of a pty
  kWrite,     // write, send, ...
  kTtyWrite,  // write to a terminal
  kAccept,    // accept4
  kConnect,   // connect
  kShutdown,  // shutdown
  kPoll,      // poll
  kOther,     // whatever makes or asks
};
// "read", "pty read", ...
absl::string_view SysCallName(SysCall call);
std::ostream& operator<<(std::ostream& os, SysCall call);
template <typename Sink>
void AbslStringify(Sink& sink, SysCall call) {
  sink.Append(SysCallName(call));
}

// What is to be done about a failed call.
enum class Treatment : uint8_t {
  kFail,      // a failure: MeaningOf says which
  kAgain,     // interrupted, or a client that is already gone: call again now
  kWait,      // nothing to do yet: wait for readiness
  kShortage,  // the machine is short of something: again after 1 to 50 ms
  kDone,      // it is as the caller wants it already
  kEnd,       // no failure, but how this kind of stream says that it ended
};
// "fail", "again", "wait", "shortage", "done", "end"
absl::string_view TreatmentName(Treatment treatment);
std::ostream& operator<<(std::ostream& os, Treatment treatment);
template <typename Sink>
void AbslStringify(Sink& sink, Treatment treatment) {
  sink.Append(TreatmentName(treatment));
}

// What a driver or transport does about `error` from `call`. P7: whatever is
// not kFail never reaches the caller of a flow.
Treatment TreatmentOf(SysCall call, int error);

// "Connection reset by peer [104]".
std::string ErrnoText(int error);

}  // namespace flow

#endif  // FLOW_SYS_ERRNO_TABLE_H_
