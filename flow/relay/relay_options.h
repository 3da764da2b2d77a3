// File: relay_options.h
//
// What can be asked of Copy, Relay (flow/relay/relay.h) and AsyncRelay
// (flow/relay/async_relay.h). Plain values.

#ifndef FLOW_RELAY_RELAY_OPTIONS_H_
#define FLOW_RELAY_RELAY_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/limits.h"

namespace flow {

// How the bytes of one direction are moved.
//
// | method          | from, to                      | what it is           |
// |-----------------|-------------------------------|----------------------|
// | kBuffered       | any, any; layers too          | a read and a write   |
// | kSplice         | socket, pipe or file each     | through a pipe, in   |
// |                 |                               | the kernel, no copy  |
// | kSendfile       | file, socket                  | the file's own pages |
// | kCopyFileRange  | file, file                    | may share blocks     |
//
// All but kBuffered need flows on plain descriptors that flow may make
// non-blocking (sockets and pipes that it owns; files always). Where the kernel
// refuses one in the middle of a stream (EINVAL, ENOSYS, EXDEV, EPERM, ...), or
// has no pipe to give, it goes on buffered, and no byte is lost or doubled. A
// file that is changed while kSendfile or kSplice sends it may arrive changed.
enum class CopyMethod : uint8_t {
  kAuto,  // kCopyFileRange or kSendfile where they fit; else kBuffered while
          // chunks are small, and kSplice from TCP and pipes once two reads in
          // a row have filled half of the buffer
  kBuffered,       // read and write
  kSplice,         // splice(2), through a pipe of our own
  kSendfile,       // sendfile(2)
  kCopyFileRange,  // copy_file_range(2)
};
// "auto", "buffered", "splice", "sendfile", "copy_file_range"
absl::string_view CopyMethodName(CopyMethod method);
std::ostream& operator<<(std::ostream& os, CopyMethod method);
template <typename Sink>
void AbslStringify(Sink& sink, CopyMethod method) {
  sink.Append(CopyMethodName(method));
}

// What the end of one direction of a relay means for the other.
enum class RelayPolicy : uint8_t {
  kHalfClose,  // nothing: it goes on for as long as it likes (or half_close_
               // limit allows)
  kCloseBoth,  // it ends too, once the first's bytes and end have been taken;
               // for peers that never half-close but by mistake. No failure
  kFailFast,   // an Eof while the other side has not ended is a failure, and
               // both are aborted; for peers that are to stay for good
};
// "half-close", "close both", "fail fast"
absl::string_view RelayPolicyName(RelayPolicy policy);
std::ostream& operator<<(std::ostream& os, RelayPolicy policy);
template <typename Sink>
void AbslStringify(Sink& sink, RelayPolicy policy) {
  sink.Append(RelayPolicyName(policy));
}

// How far it has come.
struct CopyProgress {
  uint64_t bytes = 0;       // accepted by the sink; of a relay, by b
  uint64_t bytes_back = 0;  // of a relay, accepted by a
  absl::Duration elapsed;   // since the call

  // "12 B, 34 B back in 1.5s".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const CopyProgress& progress) {
    sink.Append(progress.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const CopyProgress& progress) {
    return os << progress.ToString();
  }
};

// Told after bytes have moved, at most once every `progress_interval`, and once
// at the end. Called by a thread of the copy, never by two at once. What it
// throws is contained, and it is then not called again. It must not block: the
// bytes wait for it.
using ProgressFunction = std::function<void(const CopyProgress&)>;

// How bytes are copied one way.
struct CopyOptions {
  // deadline: of all of it; stall_timeout: the longest time without a byte;
  // cancel. See flow/relay/relay.h.
  Limits limits;

  // False: after the source's Eof the sink stays open, for more to be written;
  // after an error the caller decides (the sink's peer should not be shown a
  // clean end: Abort it). True: the sink ends as the source did, Eof becomes
  // Shutdown(kWrite), an error Abort.
  bool end_sink = false;

  // Another than kAuto that the two flows can't do is UNIMPLEMENTED, and
  // nothing is moved.
  CopyMethod method = CopyMethod::kAuto;

  // The most bytes that are between the two flows. 0: 64 KiB of memory, or a
  // pipe of 1 MiB where bytes are spliced (less where the system's
  // pipe-max-size or pipe-user-pages-soft say so). At most 16 MiB.
  size_t buffer_size = 0;

  // Who is told how far it is, and the least time between two tellings: > 0.
  // Null: nobody.
  ProgressFunction progress = nullptr;
  absl::Duration progress_interval = absl::Seconds(1);

  // "method=splice, end_sink=yes": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const CopyOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const CopyOptions& options) {
    return os << options.ToString();
  }
};

// How bytes are relayed both ways.
struct RelayOptions {
  // As above; the idle limit counts both directions as one.
  Limits limits;

  // What one direction's end means for the other.
  RelayPolicy policy = RelayPolicy::kHalfClose;

  // How long one direction may go on after the other has ended in order. Then
  // both are aborted, with DEADLINE_EXCEEDED.
  absl::Duration half_close_limit = absl::InfiniteDuration();

  // As above; of each direction by itself.
  CopyMethod method = CopyMethod::kAuto;
  size_t buffer_size = 0;

  // As above; told of both directions together.
  ProgressFunction progress = nullptr;
  absl::Duration progress_interval = absl::Seconds(1);

  // "policy=close both": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const RelayOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const RelayOptions& options) {
    return os << options.ToString();
  }
};

}  // namespace flow

#endif  // FLOW_RELAY_RELAY_OPTIONS_H_
