// File: streams.h
//
// std::istream and std::ostream over a flow.
//
//   flow::Channel chat(*std::move(connection));
//   flow::FlowIstream ic(&chat.reader());
//   flow::FlowOstream oc(&chat.writer());
//   ic.tie(&oc);                      // flush before waiting for an answer
//   oc << "GET " << path << "\r\n";
//   for (std::string word; ic >> word;) ...
//   if (!ic.status().ok()) return ic.status();    // cut, late, reset, ...
//   oc.flush();
//   if (!oc) return oc.status();
//
// Also known as: Mirage's `ic` and `oc`, socket streams. For code that has to
// have a std stream; what knows flows is better off with Reader and Writer,
// whose calls say at once how they ended.
//
// - The end of the stream is eofbit, and status() is OK. An error is badbit
//   with status() saying which: never one for the other. As ever with
//   std::istream, eofbit and badbit come with failbit.
// - Nothing is lost by an error: after a limit, clear() lets reading (or a
//   flush) go on where it was. status() stays until the next call that waits.
// - Limits are those of the Reader's and Writer's calls, each refill and each
//   flush being one: a deadline is one total for all of them.
// - Buffers are the Reader's and the Writer's, so both ways of using them can
//   be mixed: an istream takes from the Reader what was read from it, as soon
//   as reader() is asked for, and by sync().
// - Nothing is thrown unless the user turns that on with exceptions().
// - The destructors neither flush nor close what is not theirs. A FlowOstream
//   of its own Writer drops what was not flushed, as ~Writer does.
//
// Guarantees: as thread-safe as a std::istream. An istream and an ostream over
// one Channel may be in two threads (not tied).

#ifndef FLOW_BUFFERED_STREAMS_H_
#define FLOW_BUFFERED_STREAMS_H_

#include <cstddef>
#include <istream>
#include <memory>
#include <ostream>
#include <streambuf>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "flow/buffered/reader.h"
#include "flow/buffered/writer.h"
#include "flow/flow.h"
#include "flow/limits.h"

namespace flow {

namespace internal {

// Shows a Reader's buffer as a get area. Sets badbit in `stream` itself, since
// a streambuf can say no more than "no character".
class ReaderBuf final : public std::streambuf {
 public:
  ReaderBuf(Reader* reader, std::ios* stream)
      : reader_(reader), stream_(stream) {}

  Reader* reader() { return reader_; }
  const absl::Status& status() const { return status_; }
  void set_limits(const Limits& limits) { limits_ = limits; }
  // Takes from the Reader what was read from this.
  void Settle();

 protected:
  int_type underflow() override;
  std::streamsize xsgetn(char* into, std::streamsize count) override;
  std::streamsize showmanyc() override;
  int sync() override;

 private:
  Reader* const reader_;
  std::ios* const stream_;
  Limits limits_;
  absl::Status status_;
};

class WriterBuf final : public std::streambuf {
 public:
  WriterBuf(Writer* writer, std::ios* stream)
      : writer_(writer), stream_(stream) {}

  Writer* writer() { return writer_; }
  const absl::Status& status() const { return status_; }
  void set_limits(const Limits& limits) { limits_ = limits; }

 protected:
  int_type overflow(int_type c) override;
  std::streamsize xsputn(const char* from, std::streamsize count) override;
  int sync() override;

 private:
  bool Check(const absl::Status& status);

  Writer* const writer_;
  std::ios* const stream_;
  Limits limits_;
  absl::Status status_;
};

}  // namespace internal

// A std::istream over a flow.
class FlowIstream : public std::istream {
 public:
  // From the caller's Reader, which outlives it.
  explicit FlowIstream(Reader* reader);
  // From a Reader of its own.
  explicit FlowIstream(Flow flow, const ReaderOptions& options = {});
  FlowIstream(const FlowIstream&) = delete;
  FlowIstream& operator=(const FlowIstream&) = delete;
  ~FlowIstream() override;

  // Why there was nothing to read; OK at the end of the stream.
  const absl::Status& status() const { return buffer_.status(); }
  void set_limits(const Limits& limits) { buffer_.set_limits(limits); }
  // The Reader, at the place where this is.
  Reader& reader();

 private:
  std::unique_ptr<Reader> own_;
  internal::ReaderBuf buffer_;
};

// A std::ostream over a flow.
class FlowOstream : public std::ostream {
 public:
  // To the caller's Writer, which outlives it.
  explicit FlowOstream(Writer* writer);
  // To a Writer of its own.
  explicit FlowOstream(Flow flow, const WriterOptions& options = {});
  FlowOstream(const FlowOstream&) = delete;
  FlowOstream& operator=(const FlowOstream&) = delete;
  ~FlowOstream() override;

  // Why something could not be written; OK if everything could.
  const absl::Status& status() const { return buffer_.status(); }
  void set_limits(const Limits& limits) { buffer_.set_limits(limits); }
  Writer& writer() { return *buffer_.writer(); }

 private:
  std::unique_ptr<Writer> own_;
  internal::WriterBuf buffer_;
};

}  // namespace flow

#endif  // FLOW_BUFFERED_STREAMS_H_
