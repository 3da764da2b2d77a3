// Any stream, in any pieces, read by any calls: a libFuzzer target.
//
//   tools/fuzz --seconds=60 reader_fuzz
//
// An input is: the read-ahead, the size of the pieces, the number of calls, a
// byte for each call, and the stream. What each call gives is compared with
// what the whole stream says, by code that knows nothing of pieces; and what it
// leaves has to be what it did not give. (reader_fuzz_corpus_test replays the
// corpus in every test run.)

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"
#include "flow/buffer.h"
#include "flow/buffered/buffered_test_support.h"
#include "flow/buffered/encoding.h"
#include "flow/buffered/line.h"
#include "flow/buffered/reader.h"
#include "flow/or_eof.h"
#include "flow/status.h"

namespace {

using flow::Buffer;
using flow::Line;
using flow::OrEof;
using flow::Reader;

void Check(bool holds) {
  if (!holds) std::abort();
}

// A Reader and what is left of its stream.
class Walk {
 public:
  Walk(Reader& in, absl::string_view left) : in_(in), left_(left) {}

  void Step(unsigned call) {
    const size_t argument = call / 9;
    switch (call % 9) {
      case 0:
        CheckLine(in_.ReadLine(argument), "\n", true, argument);
        break;
      case 1:
        CheckLine(in_.ReadUntil("aab", argument), "aab", false, argument);
        break;
      case 2:
        CheckFrame(argument);
        break;
      case 3:
        CheckVarint();
        break;
      case 4:
        CheckExactly(argument);
        break;
      case 5:
        CheckInts(argument);
        break;
      case 6:
        CheckPeek(argument);
        break;
      case 7:
        CheckSkip(argument);
        break;
      default:
        CheckSkipLine();
        break;
    }
    Check(absl::StartsWith(left_, in_.Buffered()));
  }

 private:
  void CheckLine(const absl::StatusOr<OrEof<Line>>& got, absl::string_view mark,
                 bool crlf_too, size_t max) {
    const size_t at = left_.find(mark);
    const bool found = at != absl::string_view::npos;
    absl::string_view text = found ? left_.substr(0, at) : left_;
    if (found && crlf_too) absl::ConsumeSuffix(&text, "\r");
    if (text.size() > max) {
      Check(absl::IsResourceExhausted(got.status()));
      return;
    }
    Check(got.ok());
    Check(got->is_eof() == left_.empty());
    if (got->is_eof()) return;
    Check(got->data().text == text);
    Check(got->data().terminated == found);
    left_.remove_prefix(found ? at + mark.size() : left_.size());
  }

  // A call that takes `n` bytes whole, or says why not.
  template <typename T>
  bool Whole(const absl::StatusOr<OrEof<T>>& got, size_t n) {
    if (n > 0 && left_.empty()) {
      Check(got.ok() && got->is_eof());
    } else if (left_.size() < n) {
      Check(flow::IsTruncated(got.status()));
      Check(flow::BytesDone(got.status()) == left_.size());
    } else {
      Check(got.ok() && got->has_data());
      return true;
    }
    return false;
  }

  void CheckFrame(size_t argument) {
    flow::FrameFormat format;
    format.prefix = static_cast<flow::LengthPrefix>(argument % 8);
    format.max_length = argument > 7 ? SIZE_MAX : 16;
    const auto got = in_.ReadFrame(format);
    const auto head = flow::internal::ParseLength(format.prefix, left_);
    if (head.state == flow::internal::Parsed::State::kBad) {
      Check(absl::IsDataLoss(got.status()));
    } else if (head.state == flow::internal::Parsed::State::kShort) {
      Whole(got, head.size);
    } else if (head.value > format.max_length ||
               head.value > SIZE_MAX - head.size) {
      Check(absl::IsResourceExhausted(got.status()));
    } else if (Whole(got, head.size + head.value)) {
      Check(got->data().view() == left_.substr(head.size, head.value));
      left_.remove_prefix(head.size + head.value);
    }
  }

  void CheckVarint() {
    const auto got = in_.ReadVarint();
    const auto number = flow::internal::ParseVarint(left_);
    if (number.state == flow::internal::Parsed::State::kBad) {
      Check(absl::IsDataLoss(got.status()));
    } else if (Whole(got, number.size)) {
      Check(got->data() == number.value);
      left_.remove_prefix(number.size);
    }
  }

  void CheckExactly(size_t n) {
    if (n % 2 == 0) {
      const absl::StatusOr<OrEof<Buffer>> got = in_.ReadExactly(n);
      if (!Whole(got, n)) return;
      Check(got->data().view() == left_.substr(0, n));
    } else {
      std::string into(n, '\0');
      const auto got = in_.ReadExactly(absl::MakeSpan(into));
      if (!Whole(got, n)) return;
      Check(into == left_.substr(0, n));
    }
    left_.remove_prefix(n);
  }

  template <typename Int>
  void CheckInt(flow::Endian order) {
    const auto got = in_.ReadInt<Int>(order);
    if (!Whole(got, sizeof(Int))) return;
    char raw[sizeof(Int)];
    flow::internal::StoreInt(got->data(), order, raw);
    Check(absl::string_view(raw, sizeof(raw)) == left_.substr(0, sizeof(raw)));
    left_.remove_prefix(sizeof(raw));
  }
  void CheckInts(size_t argument) {
    const auto order =
        argument % 2 == 0 ? flow::Endian::kBig : flow::Endian::kLittle;
    switch (argument / 2 % 4) {
      case 0:
        return CheckInt<uint8_t>(order);
      case 1:
        return CheckInt<int16_t>(order);
      case 2:
        return CheckInt<uint32_t>(order);
      default:
        return CheckInt<int64_t>(order);
    }
  }

  void CheckPeek(size_t n) {
    const auto got = in_.Peek(n);
    Check(got.ok());
    Check(got->is_eof() == (n > 0 && left_.empty()));
    if (got->has_data()) Check(got->data() == left_.substr(0, n));
  }

  void CheckSkip(size_t n) {
    const auto got = in_.Skip(n);
    Whole(got, n);
    left_.remove_prefix(std::min(n, left_.size()));
  }

  void CheckSkipLine() {
    const auto got = in_.SkipLine();
    const size_t at = left_.find('\n');
    const size_t n = at == absl::string_view::npos ? left_.size() : at + 1;
    Check(got.ok() && got->is_eof() == left_.empty());
    if (got->has_data()) Check(got->data() == n);
    left_.remove_prefix(n);
  }

  Reader& in_;
  absl::string_view left_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3 || size > (1u << 16)) return 0;
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t calls = std::min<size_t>(data[2], size - 3);
  const absl::string_view stream = input.substr(3 + calls);
  const size_t piece = data[1] + 1u;
  std::vector<std::string> pieces;
  for (size_t at = 0; at < stream.size(); at += piece) {
    pieces.emplace_back(stream.substr(at, piece));
  }
  flow::ReaderOptions options;
  options.read_ahead = data[0] + 1u;
  Reader in(flow_testing::SourceOf(std::move(pieces)), options);
  Walk walk(in, stream);
  for (size_t i = 0; i < calls; ++i) walk.Step(data[3 + i]);
  return 0;
}
