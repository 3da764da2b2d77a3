// File: encoding.h
//
// How numbers and frames stand in a stream: what flow/buffered/reader.h reads
// and flow/buffered/writer.h writes.
//
// - A fixed-width integer is its bytes, the most significant first (kBig, the
//   "network order") or last (kLittle).
// - A varint is an unsigned number in groups of 7 bits, the least significant
//   first, each in a byte whose high bit says that another follows (LEB128, as
//   in Protocol Buffers): 1 to 10 bytes. One that is longer than its number
//   needs, or beyond 64 bits, is refused: two spellings of one length are two
//   readings of one stream.
// - A frame is a length, then so many bytes.
//
// Guarantees: pure; any thread.

#ifndef FLOW_BUFFERED_ENCODING_H_
#define FLOW_BUFFERED_ENCODING_H_

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <type_traits>

#include "absl/strings/string_view.h"

namespace flow {

// Which byte of an integer comes first.
enum class Endian : uint8_t {
  kBig,     // the most significant, as in most protocols
  kLittle,  // the least significant, as in the memory of x86 and ARM
};
// "big-endian", "little-endian"
absl::string_view EndianName(Endian endian);
std::ostream& operator<<(std::ostream& os, Endian endian);
template <typename Sink>
void AbslStringify(Sink& sink, Endian endian) {
  sink.Append(EndianName(endian));
}

// How the length before a frame is written.
enum class LengthPrefix : uint8_t {
  kVarint,     // 7 bits a byte, the least first, as of protocol buffers
  kU8,         // one byte: at most 255
  kU16Big,     // two bytes, the most significant first
  kU16Little,  // two bytes, the least significant first
  kU32Big,     // four, likewise
  kU32Little,  // four, likewise
  kU64Big,     // eight, likewise
  kU64Little,  // eight, likewise
};
// "varint", "u8", "u16 big-endian", ...
absl::string_view LengthPrefixName(LengthPrefix prefix);
std::ostream& operator<<(std::ostream& os, LengthPrefix prefix);
template <typename Sink>
void AbslStringify(Sink& sink, LengthPrefix prefix) {
  sink.Append(LengthPrefixName(prefix));
}

// How frames are told apart.
struct FrameFormat {
  // How the length before each frame is written.
  LengthPrefix prefix = LengthPrefix::kVarint;
  // The most bytes of a frame, without its length. A peer can make a Reader
  // hold about twice as many.
  size_t max_length = size_t{1} << 20;

  // "length varint, at most 1048576 B".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const FrameFormat& format) {
    sink.Append(format.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const FrameFormat& format) {
    return os << format.ToString();
  }
};

namespace internal {

// The most bytes that a varint, and so a length, has.
inline constexpr size_t kMaxVarint = 10;

// Writes `value` to `out`, which has room for kMaxVarint bytes; how many it
// took.
size_t StoreVarint(uint64_t value, char* out);

// Likewise a length in `prefix`; 0 if that can't hold it.
size_t StoreLength(LengthPrefix prefix, uint64_t length, char* out);

// A number at the begin of some bytes.
struct Parsed {
  enum class State : uint8_t {
    kDone,
    kShort,  // it goes on behind these bytes
    kBad,    // no number begins like this
  };
  State state = State::kShort;
  uint64_t value = 0;
  size_t size = 0;  // kDone: how many bytes it is; kShort: at least so many
};

Parsed ParseVarint(absl::string_view bytes);
Parsed ParseLength(LengthPrefix prefix, absl::string_view bytes);

// True for what ReadInt and WriteInt take.
template <typename Int>
inline constexpr bool kIsFixedWidth =
    std::is_integral_v<Int> && !std::is_same_v<Int, bool>;

template <typename Int>
void StoreInt(Int value, Endian order, char* out) {
  auto bits = static_cast<uint64_t>(value);
  for (size_t i = 0; i < sizeof(Int); ++i, bits >>= 8) {
    out[order == Endian::kLittle ? i : sizeof(Int) - 1 - i] =
        static_cast<char>(bits & 0xff);
  }
}

template <typename Int>
Int LoadInt(const char* bytes, Endian order) {
  uint64_t bits = 0;
  for (size_t i = 0; i < sizeof(Int); ++i) {
    bits =
        bits << 8 | static_cast<unsigned char>(
                        bytes[order == Endian::kBig ? i : sizeof(Int) - 1 - i]);
  }
  return static_cast<Int>(bits);
}

}  // namespace internal
}  // namespace flow

#endif  // FLOW_BUFFERED_ENCODING_H_
