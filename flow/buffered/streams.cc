#include "flow/buffered/streams.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "flow/or_eof.h"

namespace flow {
namespace internal {

void ReaderBuf::Settle() {
  const auto taken = static_cast<uint64_t>(gptr() - eback());
  setg(nullptr, nullptr, nullptr);
  // These bytes are there, so that this can neither wait nor fail.
  static_cast<void>(reader_->Skip(taken));
}

ReaderBuf::int_type ReaderBuf::underflow() {
  if (gptr() < egptr()) return traits_type::to_int_type(*gptr());
  Settle();
  const absl::StatusOr<OrEof<absl::string_view>> there =
      reader_->Peek(1, limits_);
  status_ = there.status();
  if (!there.ok()) {
    stream_->setstate(std::ios_base::badbit);
    return traits_type::eof();
  }
  if (there->is_eof()) return traits_type::eof();
  const absl::string_view all = reader_->Buffered();
  // A get area has no const form; nothing writes to it (no putback).
  char* const begin = const_cast<char*>(all.data());
  setg(begin, begin, begin + all.size());
  return traits_type::to_int_type(*begin);
}

std::streamsize ReaderBuf::xsgetn(char* into, std::streamsize count) {
  if (count <= 0) return 0;
  Settle();
  std::streamsize have = 0;
  while (have < count) {
    const absl::StatusOr<OrEof<size_t>> got = reader_->ReadInto(
        absl::MakeSpan(into + have, static_cast<size_t>(count - have)),
        limits_);
    status_ = got.status();
    if (!got.ok()) {
      stream_->setstate(std::ios_base::badbit);
      break;
    }
    if (got->is_eof()) break;
    have += static_cast<std::streamsize>(got->data());
  }
  return have;
}

std::streamsize ReaderBuf::showmanyc() {
  return static_cast<std::streamsize>(reader_->Buffered().size()) -
         (gptr() - eback());
}

int ReaderBuf::sync() {
  Settle();
  return 0;
}

bool WriterBuf::Check(const absl::Status& status) {
  status_ = status;
  if (!status_.ok()) stream_->setstate(std::ios_base::badbit);
  return status_.ok();
}

WriterBuf::int_type WriterBuf::overflow(int_type c) {
  if (traits_type::eq_int_type(c, traits_type::eof())) {
    return traits_type::not_eof(c);
  }
  const char byte = traits_type::to_char_type(c);
  return Check(writer_->Write(absl::string_view(&byte, 1), limits_))
             ? c
             : traits_type::eof();
}

std::streamsize WriterBuf::xsputn(const char* from, std::streamsize count) {
  if (count <= 0) return 0;
  const absl::string_view bytes(from, static_cast<size_t>(count));
  return Check(writer_->Write(bytes, limits_)) ? count : 0;
}

int WriterBuf::sync() { return Check(writer_->Flush(limits_)) ? 0 : -1; }

}  // namespace internal

FlowIstream::FlowIstream(Reader* reader)
    : std::istream(nullptr), buffer_(reader, this) {
  rdbuf(&buffer_);
}

FlowIstream::FlowIstream(Flow flow, const ReaderOptions& options)
    : std::istream(nullptr),
      own_(std::make_unique<Reader>(std::move(flow), options)),
      buffer_(own_.get(), this) {
  rdbuf(&buffer_);
}

FlowIstream::~FlowIstream() { buffer_.Settle(); }

Reader& FlowIstream::reader() {
  buffer_.Settle();
  return *buffer_.reader();
}

FlowOstream::FlowOstream(Writer* writer)
    : std::ostream(nullptr), buffer_(writer, this) {
  rdbuf(&buffer_);
}

FlowOstream::FlowOstream(Flow flow, const WriterOptions& options)
    : std::ostream(nullptr),
      own_(std::make_unique<Writer>(std::move(flow), options)),
      buffer_(own_.get(), this) {
  rdbuf(&buffer_);
}

FlowOstream::~FlowOstream() = default;

}  // namespace flow
