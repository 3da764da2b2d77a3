// The calls of flow::Reader that find the end of what they read by themselves:
// lines, numbers, frames.

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/buffered/reader.h"
#include "flow/status.h"

namespace flow {
namespace {

using internal::LineEnd;
using internal::Parsed;

// a + b, or the largest number.
size_t Sum(size_t a, size_t b) {
  return a > std::numeric_limits<size_t>::max() - b
             ? std::numeric_limits<size_t>::max()
             : a + b;
}

}  // namespace

absl::StatusOr<OrEof<Line>> Reader::ReadLine(size_t max_length,
                                             const Limits& limits) {
  return Delimited(LineEnd{"\n", /*crlf_too=*/true}, max_length, limits);
}

absl::StatusOr<OrEof<Line>> Reader::ReadUntil(absl::string_view delimiter,
                                              size_t max_length,
                                              const Limits& limits) {
  if (delimiter.empty()) {
    return InvalidArgument("read_until() refused: an empty delimiter");
  }
  return Delimited(LineEnd{delimiter, /*crlf_too=*/false}, max_length, limits);
}

absl::StatusOr<OrEof<Line>> Reader::Delimited(const LineEnd& end,
                                              size_t max_length,
                                              const Limits& limits) {
  // The longest that a refill may be asked for: text, CR, mark.
  const size_t longest = Sum(max_length, end.mark.size() + 1);
  for (size_t searched = 0;;) {
    const absl::string_view bytes = bytes_.view();
    const LineEnd::Place place = end.Find(bytes, searched);
    if (place.found ? place.text > max_length
                    : !end.MayFit(bytes, max_length)) {
      return Failure(
          absl::StatusCode::kResourceExhausted, ErrorKind::kOther, "read_line",
          absl::StrCat("longer than ", max_length, " bytes"), bytes.size());
    }
    if (place.found) {
      Line line{std::string(bytes.substr(0, place.text)), true};
      bytes_.Consume(place.end);
      return OrEof<Line>(std::move(line));
    }
    // A mark may have come in part.
    searched = bytes.size() - std::min(bytes.size(), end.mark.size() - 1);
    const absl::StatusOr<bool> more =
        Refill(std::max(longest, bytes.size() + 1), limits);
    if (!more.ok()) return more.status();
    if (*more) continue;
    if (bytes_.empty()) return OrEof<Line>(Eof{});
    if (bytes_.size() > max_length) {
      // A part of a mark stays text, and is too much.
      return Failure(
          absl::StatusCode::kResourceExhausted, ErrorKind::kOther, "read_line",
          absl::StrCat("longer than ", max_length, " bytes"), bytes_.size());
    }
    Line line{std::string(bytes_.view()), false};
    bytes_.Consume(bytes_.size());
    return OrEof<Line>(std::move(line));
  }
}

absl::StatusOr<OrEof<uint64_t>> Reader::SkipLine(const Limits& limits) {
  for (uint64_t dropped = 0;;) {
    const size_t held = bytes_.size();
    const size_t at = bytes_.view().find('\n');
    if (at != absl::string_view::npos) {
      bytes_.Consume(at + 1);
      return OrEof<uint64_t>(dropped + at + 1);
    }
    bytes_.Consume(held);
    dropped += held;
    const absl::StatusOr<bool> more = Refill(1, limits);
    if (!more.ok()) return Dropped(more.status(), dropped);
    if (*more) continue;
    if (dropped == 0) return OrEof<uint64_t>(Eof{});
    return OrEof<uint64_t>(dropped);
  }
}

absl::StatusOr<OrEof<Parsed>> Reader::Number(absl::string_view operation,
                                             LengthPrefix prefix,
                                             const Limits& limits) {
  for (;;) {
    const Parsed parsed = internal::ParseLength(prefix, bytes_.view());
    switch (parsed.state) {
      case Parsed::State::kDone:
        return OrEof<Parsed>(parsed);
      case Parsed::State::kBad:
        return Failure(absl::StatusCode::kDataLoss, ErrorKind::kOther,
                       operation,
                       "a varint that is not the shortest, or "
                       "beyond 64 bits",
                       bytes_.size());
      case Parsed::State::kShort:
        break;
    }
    const absl::StatusOr<bool> there = Need(operation, parsed.size, limits);
    if (!there.ok()) return there.status();
    if (!*there) return OrEof<Parsed>(Eof{});
  }
}

absl::StatusOr<OrEof<uint64_t>> Reader::ReadVarint(const Limits& limits) {
  const absl::StatusOr<OrEof<Parsed>> number =
      Number("read_varint", LengthPrefix::kVarint, limits);
  if (!number.ok()) return number.status();
  if (number->is_eof()) return OrEof<uint64_t>(Eof{});
  bytes_.Consume(number->data().size);
  return OrEof<uint64_t>(number->data().value);
}

absl::StatusOr<OrEof<Buffer>> Reader::ReadFrame(const FrameFormat& format,
                                                const Limits& limits) {
  const absl::StatusOr<OrEof<Parsed>> length =
      Number("read_frame", format.prefix, limits);
  if (!length.ok()) return length.status();
  if (length->is_eof()) return OrEof<Buffer>(Eof{});
  const Parsed head = length->data();
  if (head.value > std::min(format.max_length,
                            std::numeric_limits<size_t>::max() - head.size)) {
    return Failure(absl::StatusCode::kResourceExhausted, ErrorKind::kOther,
                   "read_frame",
                   absl::StrCat("a frame of ", head.value,
                                " bytes, the limit is ", format.max_length),
                   bytes_.size());
  }
  const auto size = static_cast<size_t>(head.value);
  const absl::StatusOr<bool> there =
      Need("read_frame", head.size + size, limits);
  if (!there.ok()) return there.status();
  bytes_.Consume(head.size);
  return OrEof<Buffer>(Take(size));
}

}  // namespace flow
