// File: reader.h
//
// Reader: a flow read by lines, frames, numbers and exact lengths.
//
//   flow::Reader in(*std::move(connection));
//   for (;;) {
//     absl::StatusOr<flow::OrEof<flow::Line>> line =
//         in.ReadLine(absl::Seconds(30));
//     if (!line.ok()) return line.status();
//     if (line->is_eof()) break;
//     Handle(line->data().text);
//   }
//
// Also known as: buffered reader, scanner, channel. It asks the flow for more
// than it is asked for itself, so that small reads cost no system call each; a
// writer for the other direction is flow/buffered/writer.h, both over one flow
// is flow/buffered/channel.h.
//
// **A call takes what it returns, or nothing.** Whatever it fails with, no byte
// is lost: what had arrived stays in the Reader, where Buffered() shows it, a
// repeated call goes on, and any other call may be made instead. (Skip and
// SkipLine alone drop as they go.) So for each call that wants so many bytes:
//
// | it ends with                 | when                                    |
// |------------------------------|-----------------------------------------|
// | data                         | all of it is there                      |
// | Eof                          | the stream ended in order, and nothing  |
// |                              | is left: a clean boundary               |
// | DATA_LOSS, kind kTruncated   | the stream ended in order, in the       |
// |                              | middle. The short data can be had by    |
// |                              | Buffered, Read, ReadAll, and then Eof   |
// | DATA_LOSS, kind kOther       | bytes that can't be what was asked for  |
// |                              | (a varint)                              |
// | RESOURCE_EXHAUSTED           | it is longer than the call allows; a    |
// |                              | call that allows more, or Skip, goes on |
// | DEADLINE_EXCEEDED, CANCELLED | a limit; a repeated call goes on        |
// | an error of the flow         | as Flow::Read tells it, again and again,|
// |                              | to every call that needs more bytes     |
//
// With each error BytesDone(status) says how many bytes of what was asked for
// are there. What is buffered had arrived: it is given without asking the flow,
// also after a limit, an error, or a Close by another thread.
//
// Memory: no block before the first byte; then 4 KiB, and twice as much
// whenever the stream fills it, up to ReaderOptions::read_ahead, and back if it
// trickles. A call that wants more makes it grow with what has arrived, never
// with what a peer has only announced: at most about twice the call's limit.
//
// Guarantees:
// - A system call is made only when a call needs bytes that are not there, one
//   for each refill. ReadExactly and ReadInto of more than the read-ahead read
//   straight into the caller's memory.
// - A Reader belongs to one thread at a time, another from the Writer's if it
//   likes. Close, Abort and flow() may be used by any thread: they wake a
//   blocked call (CANCELLED), as a token does.
// - The views of Peek and Buffered hold until the next call that is not const.

#ifndef FLOW_BUFFERED_READER_H_
#define FLOW_BUFFERED_READER_H_

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/buffer.h"
#include "flow/buffered/byte_queue.h"
#include "flow/buffered/encoding.h"
#include "flow/buffered/flow_holder.h"
#include "flow/buffered/line.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/or_eof.h"

namespace flow {

// How a Reader reads.
struct ReaderOptions {
  // The most that is read beyond what a call asks for.
  size_t read_ahead = size_t{64} << 10;

  // "read_ahead=4096": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ReaderOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const ReaderOptions& options) {
    return os << options.ToString();
  }
};

// The longest line that ReadLine takes unless told otherwise, without its end.
inline constexpr size_t kMaxLine = size_t{64} << 10;

class Reader {
 public:
  // Owns the flow.
  explicit Reader(Flow flow, const ReaderOptions& options = {});
  // Reads from the caller's flow, which outlives it. Bytes that this Reader has
  // read ahead are lost to the flow's other readers.
  explicit Reader(Flow* flow, const ReaderOptions& options = {});

  // A moved-from Reader is like one of no flow: *closed locally*.
  Reader(Reader&&) noexcept = default;
  Reader& operator=(Reader&&) noexcept = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // Drops what is buffered. If the flow is the Reader's, closes it without
  // waiting.
  ~Reader() = default;

  // ------------------------------------------------ What is there.

  // At least one byte, as Flow::Read and ReadInto: what is buffered, or else
  // what one read of the flow gives. An empty span is 0 at once.
  [[nodiscard]] absl::StatusOr<OrEof<Buffer>> Read(const Limits& limits = {});
  [[nodiscard]] absl::StatusOr<OrEof<size_t>> ReadInto(
      absl::Span<char> into, const Limits& limits = {});

  // Waits until `n` bytes are there and shows them, without taking them. Fewer
  // only if the stream ends behind them; Eof if it ends at once. (So it never
  // says kTruncated.) n = 0: an empty view at once.
  [[nodiscard]] absl::StatusOr<OrEof<absl::string_view>> Peek(
      size_t n, const Limits& limits = {});

  // What is buffered. Never waits.
  absl::string_view Buffered() const { return bytes_.view(); }

  // ------------------------------------------------ So many bytes.

  // Fills `into`. Its contents are anything after an error. Empty: 0 at once.
  [[nodiscard]] absl::StatusOr<OrEof<size_t>> ReadExactly(
      absl::Span<char> into, const Limits& limits = {});
  // A buffer of exactly `n` bytes; empty if n is 0.
  [[nodiscard]] absl::StatusOr<OrEof<Buffer>> ReadExactly(
      size_t n, const Limits& limits = {});

  // All that comes until the end of the stream, perhaps nothing.
  // RESOURCE_EXHAUSTED if that is more than `max_bytes`.
  [[nodiscard]] absl::StatusOr<Buffer> ReadAll(size_t max_bytes,
                                               const Limits& limits = {});

  // Drops `n` bytes, in memory that does not grow with n. On an error
  // BytesDone(status) have been dropped.
  [[nodiscard]] absl::StatusOr<OrEof<uint64_t>> Skip(uint64_t n,
                                                     const Limits& limits = {});

  // ------------------------------------------------ Up to a mark.

  // A line, which ends with LF or CRLF: its text without either, at most
  // `max_length` bytes (else RESOURCE_EXHAUSTED). A stream that ends without
  // the last line's end gives that line too, with Line::terminated false:
  // whether it is whole nobody can know.
  [[nodiscard]] absl::StatusOr<OrEof<Line>> ReadLine(
      const Limits& limits = {}) {
    return ReadLine(kMaxLine, limits);
  }
  [[nodiscard]] absl::StatusOr<OrEof<Line>> ReadLine(size_t max_length,
                                                     const Limits& limits = {});

  // The same for a mark of the caller's, which is not empty
  // (INVALID_ARGUMENT). For lines that end with CRLF alone: "\r\n".
  [[nodiscard]] absl::StatusOr<OrEof<Line>> ReadUntil(
      absl::string_view delimiter, size_t max_length,
      const Limits& limits = {});

  // Drops everything up to and with the next LF, or the end of the stream, and
  // says how many bytes that was: the way past a line that is too long. Errors
  // as of Skip.
  [[nodiscard]] absl::StatusOr<OrEof<uint64_t>> SkipLine(
      const Limits& limits = {});

  // ------------------------------------------------ Numbers and frames.

  // ReadInt<uint32_t>(flow::Endian::kBig).
  template <typename Int>
  [[nodiscard]] absl::StatusOr<OrEof<Int>> ReadInt(Endian order,
                                                   const Limits& limits = {}) {
    static_assert(internal::kIsFixedWidth<Int>, "an integer, not a bool");
    char raw[sizeof(Int)];
    const absl::StatusOr<OrEof<size_t>> got =
        ReadExactly(absl::MakeSpan(raw), limits);
    if (!got.ok()) return got.status();
    if (got->is_eof()) return OrEof<Int>(Eof{});
    return OrEof<Int>(internal::LoadInt<Int>(raw, order));
  }
  [[nodiscard]] absl::StatusOr<OrEof<uint64_t>> ReadVarint(
      const Limits& limits = {});

  // The bytes of a frame, perhaps none. RESOURCE_EXHAUSTED as soon as its
  // length is known to be more than format.max_length.
  [[nodiscard]] absl::StatusOr<OrEof<Buffer>> ReadFrame(
      const FrameFormat& format = {}, const Limits& limits = {});

  // ------------------------------------------------ The flow.

  // Gives the flow back, beginning with the unread bytes: for STARTTLS and
  // other changes of protocol. With nothing unread it is the very flow; else a
  // layer on it (flow/layers/prefix.h), and FAILED_PRECONDITION, with nothing
  // changed, while a call is under way or after an ending of either side. A
  // borrowed Flow object is left empty.
  [[nodiscard]] absl::StatusOr<Flow> Release();

  // Reading from it directly misses what is buffered.
  Flow& flow() const { return flow_.get(); }
  // Not const: they end the flow.
  // NOLINTBEGIN(readability-make-member-function-const)
  absl::Status Close() { return flow().Close(); }
  absl::Status Abort() { return flow().Abort(); }
  // NOLINTEND(readability-make-member-function-const)

  // "reader, 12 B buffered, of flow tcp 10.0.0.1:80 -> ...".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Reader& reader) {
    sink.Append(reader.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Reader& reader) {
    return os << reader.ToString();
  }

 private:
  // One refill, on the way to `wanted` bytes, more than are there. False: Eof.
  absl::StatusOr<bool> Refill(size_t wanted, const Limits& limits);
  // Waits for `n` bytes. False: the stream ended with fewer.
  absl::StatusOr<bool> Want(size_t n, const Limits& limits);
  // The same for who takes the end for an error: false only at a boundary.
  absl::StatusOr<bool> Need(absl::string_view operation, size_t n,
                            const Limits& limits);
  absl::StatusOr<OrEof<size_t>> ReadStraight(absl::Span<char> into,
                                             const Limits& limits);
  absl::StatusOr<OrEof<Line>> Delimited(const internal::LineEnd& end,
                                        size_t max_length,
                                        const Limits& limits);
  absl::StatusOr<OrEof<internal::Parsed>> Number(absl::string_view operation,
                                                 LengthPrefix prefix,
                                                 const Limits& limits);
  // Takes the first `n` bytes.
  Buffer Take(size_t n);
  // What is known of a call that failed, for a status.
  absl::Status Failure(absl::StatusCode code, ErrorKind kind,
                       absl::string_view operation, absl::string_view what,
                       uint64_t done) const;
  static absl::Status Dropped(const absl::Status& status, uint64_t dropped);
  absl::Status Truncated(absl::string_view operation, uint64_t done,
                         uint64_t wanted) const;

  internal::FlowHolder flow_;
  internal::ByteQueue bytes_;
  size_t read_ahead_;
  size_t chunk_;  // how much a refill asks for, at least
};

}  // namespace flow

#endif  // FLOW_BUFFERED_READER_H_
