// File: writer.h
//
// Writer: small writes gathered into large ones.
//
//   flow::Writer out(*std::move(connection));
//   for (const Record& record : records) {
//     if (absl::Status s = out.WriteFrame(record.bytes()); !s.ok()) return s;
//   }
//   return out.Close(absl::Seconds(30));     // flushes first
//
// Also known as: buffered writer, coalescing, channel. Bytes are copied into a
// buffer, and leave it in one system call when it is full or at Flush. What
// doesn't fit goes together with what is buffered, from where it is: long
// strings and Cords are not copied.
//
// **OK of a Write means that the Writer has all of it, an error that it has
// nothing of it.** Nothing is on its way before Flush, Shutdown, Close or
// Release is OK, though it may be.
// - A limit loses nothing and seals nothing: where Flow::Write would refuse to
//   go on in the middle, the Writer still has the rest, and a later Flush (or
//   Write, Shutdown, Close) goes on with the very next byte.
// - A Write that a limit meets before the first of its bytes is taken has done
//   nothing, and may be repeated. One that it meets later is OK: the rest is
//   kept (a string's is copied), and the next call meets the limit.
// - Limits count for waiting: a Write that finds room asks neither the flow nor
//   the clock.
// - An error of the flow is sticky: every later Write and Flush is told the
//   same.
//
// **No peer takes a part for the whole.** If bytes can't be delivered any more,
// the flow is ended by Abort rather than in order (flow/flow.h,
// abort_is_visible): by Close, when its flush fails or another call has sealed
// the flow, and by the destructor.
//
// |                    | flushes          | then                            |
// |--------------------|------------------|---------------------------------|
// | Flush              | yes              |                                 |
// | Shutdown(kWrite)   | yes; if it fails,| the end mark                    |
// |                    | no end mark      |                                 |
// | Close, CloseGrace- | yes; if it fails,| the same of the flow            |
// | fully              | Abort            |                                 |
// | Release            | yes; if it fails,| the flow is given away          |
// |                    | nothing happens  |                                 |
// | destructor         | **no**: it never | Abort if bytes were dropped,    |
// |                    | blocks; what was | else Close without waiting (of  |
// |                    | not flushed is   | an own flow)                    |
// |                    | dropped          |                                 |
//
// A reader for the other direction is flow/buffered/reader.h; both over one
// flow is flow/buffered/channel.h.
//
// Guarantees:
// - Memory: no block before the first byte; then WriterOptions::buffer_size,
//   and what a limit has left of one Write.
// - One system call for each time that the buffer is full, for each write that
//   is larger, and for each Flush; more only if the peer takes bytes slowly.
// - A Writer belongs to one thread at a time. Abort and flow() may be used by
//   any thread, flow().Close() too: they wake a blocked call (CANCELLED), as a
//   token does. What others write to flow() meanwhile gets between its bytes.

#ifndef FLOW_BUFFERED_WRITER_H_
#define FLOW_BUFFERED_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/buffered/byte_queue.h"
#include "flow/buffered/encoding.h"
#include "flow/buffered/flow_holder.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/transport.h"

namespace flow {

namespace internal {
class Pieces;
}  // namespace internal

// How a Writer writes.
struct WriterOptions {
  // How many bytes are gathered before they are sent, and the largest piece
  // that is copied. 0 is taken for 1: every Write goes at once.
  size_t buffer_size = size_t{64} << 10;

  // "buffer_size=4096": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const WriterOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const WriterOptions& options) {
    return os << options.ToString();
  }
};

// What a Writer has done so far. A value.
struct WriterStats {
  uint64_t bytes = 0;    // the Writer has taken them
  uint64_t sent = 0;     // and the transport has, of those
  uint64_t copied = 0;   // by way of the buffer, or kept for a limit
  uint64_t flushes = 0;  // calls that were OK
  // Steps in which the transport took bytes; of an fd: system calls.
  uint64_t steps = 0;

  // "12 B taken, 10 B sent in 1 steps, 12 B copied, 0 flushes".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const WriterStats& stats) {
    sink.Append(stats.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const WriterStats& stats) {
    return os << stats.ToString();
  }
};

class Writer {
 public:
  // Owns the flow.
  explicit Writer(Flow flow, const WriterOptions& options = {});
  // Writes to the caller's flow, which outlives it.
  explicit Writer(Flow* flow, const WriterOptions& options = {});

  // A moved-from Writer is like one of no flow: *closed locally*.
  Writer(Writer&& other) noexcept;
  Writer& operator=(Writer&& other) noexcept;
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // See above. A borrowed flow is aborted too if bytes that it would still have
  // taken were dropped.
  ~Writer();

  // ------------------------------------------------ Writing.

  // Takes all of `bytes`; waits only if they don't fit into the buffer.
  [[nodiscard]] absl::Status Write(absl::string_view bytes,
                                   const Limits& limits = {}) {
    if (!status_.ok()) return status_;
    if (bytes.size() > bytes_.room() || !rest_.empty() || bytes.empty() ||
        bytes.data() == nullptr) {
      return Writev(absl::MakeConstSpan(&bytes, 1), limits);
    }
    bytes_.Append(bytes.data(), bytes.size());
    Count(bytes.size());
    return absl::OkStatus();
  }
  [[nodiscard]] absl::Status Write(const absl::Cord& bytes,
                                   const Limits& limits = {});
  // All pieces or none.
  [[nodiscard]] absl::Status Writev(absl::Span<const absl::string_view> pieces,
                                    const Limits& limits = {});

  // WriteInt<uint32_t>(length, flow::Endian::kBig).
  template <typename Int>
  [[nodiscard]] absl::Status WriteInt(Int value, Endian order,
                                      const Limits& limits = {}) {
    static_assert(internal::kIsFixedWidth<Int>, "an integer, not a bool");
    char raw[sizeof(Int)];
    internal::StoreInt(value, order, raw);
    return Write(absl::string_view(raw, sizeof(raw)), limits);
  }
  [[nodiscard]] absl::Status WriteVarint(uint64_t value,
                                         const Limits& limits = {});

  // The length, then the bytes. INVALID_ARGUMENT if they are more than
  // format.max_length, or than the length can say.
  [[nodiscard]] absl::Status WriteFrame(absl::string_view bytes,
                                        const FrameFormat& format = {},
                                        const Limits& limits = {});
  [[nodiscard]] absl::Status WriteFrame(const absl::Cord& bytes,
                                        const FrameFormat& format = {},
                                        const Limits& limits = {});

  // ------------------------------------------------ Sending.

  // Waits until the transport has accepted everything. On an error
  // BytesDone(status) were accepted by this call, and pending() are left. With
  // nothing to send it asks the flow for its state.
  [[nodiscard]] absl::Status Flush(const Limits& limits = {});

  // kWrite and kReadWrite flush first. If that fails, nothing is shut: after a
  // limit it can be called again, after another error, or if the flow is
  // sealed, only Abort and Close are left. Else as Flow::Shutdown.
  [[nodiscard]] absl::Status Shutdown(ShutdownMode mode,
                                      const Limits& limits = {});

  // Flush, then Flow::Close. If the flush fails, its status, and Abort.
  absl::Status Close(const Limits& limits = {});
  // The same with Flow::CloseGracefully: OK says that the peer has ended
  // behind all of it.
  [[nodiscard]] absl::Status CloseGracefully(const Limits& limits);
  // Drops what is pending.
  // NOLINTNEXTLINE(readability-make-member-function-const): it ends the flow.
  absl::Status Abort() { return flow().Abort(); }

  // Flushes and gives the flow back, for another protocol. A borrowed Flow
  // object is left empty.
  [[nodiscard]] absl::StatusOr<Flow> Release(const Limits& limits = {});

  // ------------------------------------------------ What it is.

  // How many bytes it has that the transport has not.
  size_t pending() const { return bytes_.size() + rest_.size(); }
  // The sticky error; OK if there is none.
  const absl::Status& status() const { return status_; }
  const WriterStats& stats() const { return stats_; }
  Flow& flow() const { return flow_.get(); }

  // "writer, 12 B taken, ..., of flow tcp 10.0.0.1:80 -> ...".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Writer& writer) {
    sink.Append(writer.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Writer& writer) {
    return os << writer.ToString();
  }

 private:
  void Count(size_t bytes) {
    stats_.bytes += bytes;
    stats_.copied += bytes;
  }
  // Makes room; waits only for what a limit has left of an earlier Write.
  absl::Status MakeRoom(const Limits& limits);
  // Sends the buffer and then `more`, of `size` bytes. `taken`, how many of
  // those went. A limit is told as such, anything else is sticky.
  absl::Status Send(internal::Pieces& more, size_t size, const Limits& limits,
                    size_t& taken);
  // Sends all that is pending.
  absl::Status PushRest(const Limits& limits);
  // What a Write says of which nothing was taken, or that failed for good.
  absl::Status Refused(const absl::Status& status) const;
  bool HasWork() const { return pending() > 0 || held_; }
  // OK if the flow may end in order.
  absl::Status Finish(const Limits& limits);
  // What the destructor does before the flow goes.
  void Drop();

  internal::FlowHolder flow_;
  internal::ByteQueue bytes_;
  absl::Cord rest_;  // behind bytes_; then nothing is added to those
  size_t buffer_size_;
  bool held_ = false;  // a layer may hold back some of what was sent
  bool shut_ = false;  // our Shutdown has ended the write side
  absl::Status status_;
  WriterStats stats_;
};

}  // namespace flow

#endif  // FLOW_BUFFERED_WRITER_H_
