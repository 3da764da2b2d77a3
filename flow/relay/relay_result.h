// File: relay_result.h
//
// What became of a Copy or a Relay (flow/relay/relay.h). Plain values, valid on
// every way out.

#ifndef FLOW_RELAY_RELAY_RESULT_H_
#define FLOW_RELAY_RELAY_RESULT_H_

#include <cstdint>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/relay/relay_options.h"

namespace flow {

// Which side of a copy failed.
enum class CopySide : uint8_t {
  kNone,    // neither
  kSource,  // reading; a limit or token that hit while it waited for bytes
  kSink,    // writing, or telling the end; or a limit while it waited for room
};
// "none", "source", "sink", ...
absl::string_view CopySideName(CopySide side);
std::ostream& operator<<(std::ostream& os, CopySide side);
template <typename Sink>
void AbslStringify(Sink& sink, CopySide side) {
  sink.Append(CopySideName(side));
}

// How one direction ended.
enum class CopyEnd : uint8_t {
  kInOrder,      // Eof at the source, all of it accepted by the sink
  kPolicy,       // the other direction had ended, and the policy is kCloseBoth
  kFailed,       // a read or a write failed: failed_side() says which
  kLimit,        // the deadline, the idle limit or the half-close limit
  kCancelled,    // the token
  kClosedHere,   // somebody closed one of the flows on this side
  kOtherFailed,  // only because the other direction of its relay had failed
  kRefused,      // the options made no sense, or can't be done with these flows
};
// In words, for messages.
absl::string_view CopyEndName(CopyEnd end);
std::ostream& operator<<(std::ostream& os, CopyEnd end);
template <typename Sink>
void AbslStringify(Sink& sink, CopyEnd end) {
  sink.Append(CopyEndName(end));
}

// What became of one direction.
struct CopyResult {
  uint64_t bytes_read = 0;  // taken from the source
  uint64_t bytes = 0;       // of these, accepted by the sink
  uint64_t reads = 0;       // operations that gave data
  uint64_t writes = 0;      // operations that accepted data
  absl::Duration duration;  // from the call to this direction's end

  // How the last bytes were moved; kBuffered if there were none.
  CopyMethod method = CopyMethod::kBuffered;

  // OK if the source ended in order, or its side was not what failed.
  absl::Status read_status;
  // OK if the sink accepted all that was read, and its end where that was
  // asked for.
  absl::Status write_status;

  // True if it ended only because the other direction of its relay had failed.
  bool cut = false;
  // True if it ended because the other had, and kCloseBoth says so.
  bool by_policy = false;
  // True if nothing was tried: the options made no sense, or can't be done.
  bool refused = false;

  // Eof at the source, all of it accepted by the sink; or kPolicy.
  bool ok() const { return read_status.ok() && write_status.ok(); }
  CopySide failed_side() const;
  CopyEnd end() const;

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

// What became of both directions, neither hidden by the other.
struct RelayResult {
  CopyResult a_to_b;        // what was read from a and written to b
  CopyResult b_to_a;        // the other way
  absl::Duration duration;  // from the call to the later end

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

}  // namespace flow

#endif  // FLOW_RELAY_RELAY_RESULT_H_
