// File: logging.h
//
// Log: a flow that tells what passes through it, line by line.
//
//   auto sink = std::make_shared<flow::LogSink>(
//       [](absl::string_view line) { std::cerr << line << '\n'; });
//   flow::LogOptions options;
//   options.format = flow::LogFormat::kHexdump;
//   absl::StatusOr<flow::Flow> logged =
//       flow::Log(*std::move(connection), sink, options);
//
// Also known as: trace, sniffer, dump, `socat -v -x`. What the three formats
// say of the same events (`>` is what we send, `<` what we receive):
//
// clang-format off
// | kText      | +0.000102 tcp 127.0.0.1:1 -> 127.0.0.1:2 > 14 B "GET / HTTP/1.0"                |
// |            | +0.000502 tcp 127.0.0.1:1 -> 127.0.0.1:2 < eof                                  |
// | kHexdump   | +0.000102 tcp 127.0.0.1:1 -> 127.0.0.1:2 > 14 B                                 |
// |            | > 00000000  47 45 54 20 2f 20 48 54  54 50 2f 31 2e 30        |GET / HTTP/1.0| |
// | kJsonLines | {"t":0.000102,"flow":"tcp 127.0.0.1:1 -> 127.0.0.1:2","dir":"out",              |
// |            |  "event":"data","at":0,"bytes":14,"data":"GET / HTTP/1.0"}                      |
// clang-format on
//
// Events: open, data, eof, failed, shutdown, abort, close. `data` are the steps
// in which bytes passed, not the calls: what one Write sent may be two lines,
// and two Writes' never one. Bytes count from the start of the flow, each
// direction for itself (the offsets of a hexdump, "at" in JSON).
//
// The flow is a layer (flow/flow.h, "Shutdown"): it owns the flow below, whose
// properties and endpoints it shows.
//
// Guarantees:
// - Lines are complete, without a newline; no byte of the peer's can end one or
//   forge another, since all that is not printable ASCII is escaped. In JSON
//   the byte 0xff is \u00ff: each byte is one code point, so none is lost.
// - A line is given to the sink before the call that it is about returns.
// - Time is seconds since this layer was made, on the clock of the flow below
//   (its Syscalls).
//
// Payload may be secret: LogOptions::payload = 0 shows sizes alone.

#ifndef FLOW_LAYERS_LOGGING_H_
#define FLOW_LAYERS_LOGGING_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <ostream>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "flow/flow.h"

namespace flow {

// Where lines go. Several flows may share one: their lines don't mix, and those
// of one event stand together.
//
// The callback is called by one thread at a time, inside the flow's calls, also
// on the thread of an AsyncContext: it should be quick, since the flow waits
// for it, and must not use a flow that logs to this sink. What it throws is
// dropped and counted; the flow goes on.
class LogSink {
 public:
  // Takes one entry.
  using Callback = absl::AnyInvocable<void(absl::string_view line)>;

  // Entries go to `callback`.
  explicit LogSink(Callback callback) : callback_(std::move(callback)) {}
  // Each line and a newline. `stream` must outlive the sink.
  explicit LogSink(std::ostream* stream);

  // Lines go there from now on. Once this returns, the former callback is not
  // running and will not be called. Not inside a callback.
  void Redirect(Callback callback) ABSL_LOCKS_EXCLUDED(mu_);

  // How many lines the callback has dropped by throwing.
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

  // Gives the callback all of `lines`, in a row.
  void Add(absl::Span<const std::string> lines) ABSL_LOCKS_EXCLUDED(mu_);

  // "log sink, 0 lines dropped".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const LogSink& log) {
    sink.Append(log.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const LogSink& log) {
    return os << log.ToString();
  }

 private:
  absl::Mutex mu_;
  Callback callback_ ABSL_GUARDED_BY(mu_);
  std::atomic<uint64_t> dropped_{0};
};

// How an event is written.
enum class LogFormat : uint8_t {
  kText,       // one line, its bytes quoted and escaped
  kHexdump,    // the bytes in lines of 16, in hex and as text
  kJsonLines,  // one JSON object a line
};
// "text", "hexdump", "JSON lines"
absl::string_view LogFormatName(LogFormat format);
std::ostream& operator<<(std::ostream& os, LogFormat format);
template <typename Sink>
void AbslStringify(Sink& sink, LogFormat format) {
  sink.Append(LogFormatName(format));
}

// What is logged, and how.
struct LogOptions {
  // Of `payload`: every byte.
  static constexpr size_t kAll = std::numeric_limits<size_t>::max();

  // How each event is written.
  LogFormat format = LogFormat::kText;

  // How many bytes of each step are shown at most; "..." (in JSON "cut":true)
  // says that there were more. 0: none, only sizes.
  size_t payload = kAll;

  // What to call the flow. Empty: by its endpoints.
  std::string name;

  // Each entry has the seconds since the layer was made.
  bool timestamps = true;

  // "format=hexdump, payload=64": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const LogOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const LogOptions& options) {
    return os << options.ToString();
  }
};

// `below`, logged to `sink`. INVALID_ARGUMENT if there is no sink;
// FAILED_PRECONDITION if `below` is in use or has ended on either side. On an
// error `below` is closed.
[[nodiscard]] absl::StatusOr<Flow> Log(Flow below,
                                       std::shared_ptr<LogSink> sink,
                                       const LogOptions& options = {});

}  // namespace flow

#endif  // FLOW_LAYERS_LOGGING_H_
