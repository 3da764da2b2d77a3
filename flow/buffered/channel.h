// File: channel.h
//
// Channel: a Reader and a Writer over one flow, for protocols of requests and
// answers.
//
//   flow::Channel chat(*std::move(connection));
//   absl::Status asked = chat.writer().Write("STARTTLS\r\n");
//   if (asked.ok()) asked = chat.writer().Flush(absl::Seconds(5));
//   ...
//   absl::StatusOr<flow::OrEof<flow::Line>> answer =
//       chat.reader().ReadLine(absl::Seconds(5));
//   ...
//   absl::StatusOr<flow::Flow> plain = chat.Release();   // nothing is lost
//   if (!plain.ok()) return plain.status();
//   flow::TlsConnect(*std::move(plain), client, "example.org");
//
// Also known as: duplex, buffered stream, Mirage's `ic` and `oc` in one. What
// waits for an answer flushes its request first: neither side does that for the
// other, since they may be in two threads.
//
// Guarantees: reader() belongs to one thread at a time and writer() to one,
// perhaps another; they never wait for each other. The rest, but flow() and
// Abort, is for when only one thread uses the Channel.

#ifndef FLOW_BUFFERED_CHANNEL_H_
#define FLOW_BUFFERED_CHANNEL_H_

#include <ostream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "flow/buffered/reader.h"
#include "flow/buffered/writer.h"
#include "flow/flow.h"
#include "flow/limits.h"

namespace flow {

class Channel {
 public:
  // Owns the flow.
  explicit Channel(Flow flow, const ReaderOptions& reading = {},
                   const WriterOptions& writing = {})
      : writer_(std::move(flow), writing), reader_(&writer_.flow(), reading) {}

  Channel(Channel&& other) noexcept = default;
  // What this had ends as by its destructor.
  Channel& operator=(Channel&& other) noexcept = default;
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Never blocks. Bytes that were not flushed are dropped, and then the flow is
  // aborted; else it is closed without waiting.
  ~Channel() = default;

  // The two sides.
  Reader& reader() { return reader_; }
  Writer& writer() { return writer_; }
  // None once it was released or moved.
  Flow& flow() const { return writer_.flow(); }

  // As the Writer's: flush first, and Abort if that fails.
  absl::Status Close(const Limits& limits = {}) {
    return writer_.Close(limits);
  }
  [[nodiscard]] absl::Status CloseGracefully(const Limits& limits) {
    return writer_.CloseGracefully(limits);
  }
  absl::Status Abort() { return writer_.Abort(); }

  // Flushes, then gives the flow back, beginning with the bytes that have been
  // received and not read. On an error nothing is given, and nothing is lost.
  [[nodiscard]] absl::StatusOr<Flow> Release(const Limits& limits = {});

  // "channel of flow tcp 10.0.0.1:80 -> ...".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Channel& channel) {
    sink.Append(channel.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Channel& channel) {
    return os << channel.ToString();
  }

 private:
  Writer writer_;  // has the flow, and knows how it may end
  Reader reader_;  // of the writer's flow, which stays where it is
};

}  // namespace flow

#endif  // FLOW_BUFFERED_CHANNEL_H_
