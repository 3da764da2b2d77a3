#include "flow/buffered/writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/buffered/chained_pieces.h"
#include "flow/changed_fields.h"
#include "flow/core.h"
#include "flow/flow_access.h"
#include "flow/pieces.h"
#include "flow/status.h"
#include "flow/writing.h"

namespace flow {
namespace {

using internal::Core;
using internal::FlowAccess;

// A Cord up to this long is copied if it fits: less work than one system call.
constexpr size_t kCopiedCord = 4096;

// Whether a flow that answered so is as it was: a limit, or one that can't be.
bool MayGoOn(const absl::Status& status) {
  const ErrorKind kind = KindOf(status);
  return kind == ErrorKind::kDeadline || kind == ErrorKind::kCancelled ||
         status.code() == absl::StatusCode::kInvalidArgument;
}

// What a call says of which nothing was taken.
absl::Status NothingTaken(const absl::Status& status) {
  ErrorDetail detail = DetailOf(status).value_or(ErrorDetail());
  if (detail.bytes_done == 0) return status;
  detail.bytes_done = 0;
  return MakeStatus(
      status.code(),
      absl::StrCat(status.message(), ", all of them of earlier writes"),
      detail);
}

// `pieces` without their first `n` bytes.
absl::Cord Behind(absl::Span<const absl::string_view> pieces, size_t n) {
  absl::Cord rest;
  for (absl::string_view piece : pieces) {
    const size_t skipped = std::min(n, piece.size());
    n -= skipped;
    rest.Append(piece.substr(skipped));
  }
  return rest;
}

absl::Status TooLong(uint64_t size, const FrameFormat& format) {
  return InvalidArgument(absl::StrCat(
      "write_frame() refused: ", size, " bytes are more than the limit of ",
      format.max_length, ", or than the length's field can hold"));
}

// The length before a frame; empty if it can't be one.
absl::string_view Head(uint64_t size, const FrameFormat& format,
                       char (&space)[internal::kMaxVarint]) {
  if (size > format.max_length) return {};
  return {space, internal::StoreLength(format.prefix, size, space)};
}

}  // namespace

Writer::Writer(Flow flow, const WriterOptions& options)
    : flow_(std::move(flow)),
      buffer_size_(std::max<size_t>(options.buffer_size, 1)) {}

Writer::Writer(Flow* flow, const WriterOptions& options)
    : flow_(flow), buffer_size_(std::max<size_t>(options.buffer_size, 1)) {}

Writer::Writer(Writer&& other) noexcept
    : flow_(std::move(other.flow_)),
      bytes_(std::move(other.bytes_)),
      rest_(std::exchange(other.rest_, absl::Cord())),
      buffer_size_(other.buffer_size_),
      held_(std::exchange(other.held_, false)),
      shut_(std::exchange(other.shut_, false)),
      status_(std::move(other.status_)),
      stats_(other.stats_) {
  other.status_ = other.flow().Write("");  // no flow
}

Writer& Writer::operator=(Writer&& other) noexcept {
  if (this == &other) return *this;
  Drop();
  flow_ = std::move(other.flow_);
  bytes_ = std::move(other.bytes_);
  rest_ = std::exchange(other.rest_, absl::Cord());
  buffer_size_ = other.buffer_size_;
  held_ = std::exchange(other.held_, false);
  shut_ = std::exchange(other.shut_, false);
  status_ = std::move(other.status_);
  stats_ = other.stats_;
  other.status_ = other.flow().Write("");  // no flow
  return *this;
}

Writer::~Writer() { Drop(); }

void Writer::Drop() {
  if (!flow()) return;
  // Of a borrowed flow that has failed or is sealed, its owner knows.
  const bool cut = flow_.owns() ? HasWork() || (!status_.ok() && !shut_) ||
                                      FlowAccess::IsSealed(flow())
                                : HasWork() && status_.ok();
  if (cut) FlowAccess::CoreOf(flow())->AbortUnwaited();
}

absl::Status Writer::MakeRoom(const Limits& limits) {
  if (!rest_.empty()) {
    const absl::Status pushed = PushRest(limits);
    if (!pushed.ok()) return NothingTaken(pushed);
  }
  bytes_.Reserve(buffer_size_);
  return absl::OkStatus();
}

absl::Status Writer::Send(internal::Pieces& more, size_t size,
                          const Limits& limits, size_t& taken) {
  taken = 0;
  Core* const core = FlowAccess::CoreOf(flow());
  if (core == nullptr) return status_ = flow().Write("");
  const size_t head = bytes_.size();
  internal::ChainedPieces all(bytes_.view(), more);
  uint64_t accepted = 0;
  const absl::Status status =
      internal::WriteResumable(*core, all, head + size, limits, accepted);
  const auto sent = static_cast<size_t>(accepted);
  taken = sent - std::min(sent, head);
  bytes_.Consume(sent - taken);
  held_ = !status.ok() && (held_ || all.steps() > 0);
  stats_.sent += sent;
  stats_.steps += all.steps();
  if (!status.ok() && !MayGoOn(status)) status_ = status;
  return status;
}

absl::Status Writer::PushRest(const Limits& limits) {
  internal::CordPieces rest(rest_);
  size_t taken = 0;
  const absl::Status status = Send(rest, rest_.size(), limits, taken);
  rest_.RemovePrefix(taken);
  return status;
}

absl::Status Writer::Writev(absl::Span<const absl::string_view> pieces,
                            const Limits& limits) {
  if (!status_.ok()) return status_;
  uint64_t total = 0;
  absl::Status status = internal::MeasureWrite(pieces, total);
  if (!status.ok() || total == 0) return status;
  const auto size = static_cast<size_t>(total);
  if (size <= buffer_size_ || !rest_.empty()) {
    if (status = MakeRoom(limits); !status.ok()) return status;
    if (size <= bytes_.room()) {
      for (const absl::string_view piece : pieces) bytes_.Put(piece);
      Count(size);
      return absl::OkStatus();
    }
  }
  internal::ViewPieces views(pieces);
  size_t taken = 0;
  status = Send(views, size, limits, taken);
  if (!status.ok() && (taken == 0 || !status_.ok())) return Refused(status);
  rest_ = Behind(pieces, taken);
  stats_.bytes += size;
  stats_.copied += rest_.size();
  return absl::OkStatus();
}

absl::Status Writer::Write(const absl::Cord& bytes, const Limits& limits) {
  if (!status_.ok()) return status_;
  if (bytes.empty()) return absl::OkStatus();
  if (bytes.size() <= std::min(kCopiedCord, buffer_size_) || !rest_.empty()) {
    const absl::Status room = MakeRoom(limits);
    if (!room.ok()) return room;
  }
  if (bytes.size() <= std::min(kCopiedCord, bytes_.room())) {
    for (const absl::string_view chunk : bytes.Chunks()) bytes_.Put(chunk);
    Count(bytes.size());
    return absl::OkStatus();
  }
  internal::CordPieces pieces(bytes);
  size_t taken = 0;
  const absl::Status status = Send(pieces, bytes.size(), limits, taken);
  if (!status.ok() && (taken == 0 || !status_.ok())) return Refused(status);
  rest_ = bytes.Subcord(taken, bytes.size() - taken);
  stats_.bytes += bytes.size();
  return absl::OkStatus();
}

absl::Status Writer::Refused(const absl::Status& status) const {
  return status_.ok() ? NothingTaken(status) : status;
}

absl::Status Writer::WriteVarint(uint64_t value, const Limits& limits) {
  char space[internal::kMaxVarint];
  return Write(absl::string_view(space, internal::StoreVarint(value, space)),
               limits);
}

absl::Status Writer::WriteFrame(absl::string_view bytes,
                                const FrameFormat& format,
                                const Limits& limits) {
  char space[internal::kMaxVarint];
  const absl::string_view head = Head(bytes.size(), format, space);
  if (head.empty()) return TooLong(bytes.size(), format);
  return Writev({head, bytes}, limits);
}

absl::Status Writer::WriteFrame(const absl::Cord& bytes,
                                const FrameFormat& format,
                                const Limits& limits) {
  char space[internal::kMaxVarint];
  const absl::string_view head = Head(bytes.size(), format, space);
  if (head.empty()) return TooLong(bytes.size(), format);
  absl::Cord frame = bytes;
  frame.Prepend(head);
  return Write(frame, limits);
}

absl::Status Writer::Flush(const Limits& limits) {
  if (!status_.ok()) return status_;
  absl::Status status;
  if (pending() > 0) {
    status = PushRest(limits);
  } else {
    Core* const core = FlowAccess::CoreOf(flow());
    status = held_ && core != nullptr ? internal::FlushHeld(*core, limits)
                                      : flow().Write("", limits);
    if (status.ok()) held_ = false;
    if (!status.ok() && !MayGoOn(status)) status_ = status;
  }
  if (status.ok()) ++stats_.flushes;
  return status;
}

absl::Status Writer::Finish(const Limits& limits) {
  const bool released = !flow() && !HasWork();
  if (shut_ || released) return absl::OkStatus();
  if (HasWork() || !status_.ok()) return Flush(limits);
  // Nothing is missing, unless somebody else's Write was cut.
  return FlowAccess::IsSealed(flow()) ? flow().Write("") : absl::OkStatus();
}

absl::Status Writer::Shutdown(ShutdownMode mode, const Limits& limits) {
  if (mode != ShutdownMode::kRead) {
    const absl::Status flushed = Finish(limits);
    if (!flushed.ok()) return flushed;
  }
  const absl::Status status = flow().Shutdown(mode, limits);
  const absl::Status state = flow().Write("");
  if (mode != ShutdownMode::kRead && IsClosedLocally(state)) {
    shut_ = true;
    status_ = state;
  }
  return status;
}

absl::Status Writer::Close(const Limits& limits) {
  const absl::Status flushed = Finish(limits);
  if (flushed.ok()) return flow().Close();
  static_cast<void>(flow().Abort());
  return flushed;
}

absl::Status Writer::CloseGracefully(const Limits& limits) {
  const absl::Status flushed = Finish(limits);
  if (flushed.ok()) return flow().CloseGracefully(limits);
  static_cast<void>(flow().Abort());
  return flushed;
}

absl::StatusOr<Flow> Writer::Release(const Limits& limits) {
  const absl::Status flushed = Flush(limits);
  if (!flushed.ok()) return flushed;
  Flow released = flow_.Take();
  status_ = flow().Write("");  // no flow
  return absl::StatusOr<Flow>(std::move(released));
}

std::string WriterStats::ToString() const {
  return absl::StrCat(bytes, " B taken, ", sent, " B sent in ", steps,
                      " steps, ", copied, " B copied, ", flushes, " flushes");
}

std::string Writer::ToString() const {
  return absl::StrCat("writer, ", stats().ToString(), ", of ",
                      flow().ToString());
}

std::string WriterOptions::ToString() const {
  const WriterOptions usual;
  return internal::ChangedFields()
      .Add("buffer_size", buffer_size, usual.buffer_size)
      .Text();
}

}  // namespace flow
