#include "flow/buffered/encoding.h"

#include <optional>

#include "absl/strings/str_cat.h"

namespace flow {
namespace internal {
namespace {

struct Fixed {
  size_t width;
  Endian order;
};

// Nothing for a varint.
std::optional<Fixed> FixedOf(LengthPrefix prefix) {
  switch (prefix) {
    case LengthPrefix::kVarint:
      return std::nullopt;
    case LengthPrefix::kU8:
      return Fixed{1, Endian::kBig};
    case LengthPrefix::kU16Big:
      return Fixed{2, Endian::kBig};
    case LengthPrefix::kU16Little:
      return Fixed{2, Endian::kLittle};
    case LengthPrefix::kU32Big:
      return Fixed{4, Endian::kBig};
    case LengthPrefix::kU32Little:
      return Fixed{4, Endian::kLittle};
    case LengthPrefix::kU64Big:
      return Fixed{8, Endian::kBig};
    case LengthPrefix::kU64Little:
      return Fixed{8, Endian::kLittle};
  }
  return std::nullopt;
}

// Where byte `i`, counted from the least significant, of `fixed` stands.
size_t PlaceOf(size_t i, const Fixed& fixed) {
  return fixed.order == Endian::kLittle ? i : fixed.width - 1 - i;
}

}  // namespace

size_t StoreVarint(uint64_t value, char* out) {
  size_t size = 0;
  for (; value >= 0x80; value >>= 7) {
    out[size++] = static_cast<char>((value & 0x7f) | 0x80);
  }
  out[size++] = static_cast<char>(value);
  return size;
}

size_t StoreLength(LengthPrefix prefix, uint64_t length, char* out) {
  const std::optional<Fixed> fixed = FixedOf(prefix);
  if (!fixed.has_value()) return StoreVarint(length, out);
  if (fixed->width < 8 && length >> (8 * fixed->width) != 0) return 0;
  for (size_t i = 0; i < fixed->width; ++i) {
    out[PlaceOf(i, *fixed)] = static_cast<char>(length >> (8 * i) & 0xff);
  }
  return fixed->width;
}

Parsed ParseVarint(absl::string_view bytes) {
  Parsed parsed;
  for (size_t i = 0; i < bytes.size() && i < kMaxVarint; ++i) {
    const auto group = static_cast<unsigned char>(bytes[i]);
    // The tenth byte holds the 64th bit alone; a last byte of 0 says nothing.
    if ((i == kMaxVarint - 1 && group > 1) || (i > 0 && group == 0)) {
      parsed.state = Parsed::State::kBad;
      return parsed;
    }
    parsed.value |= static_cast<uint64_t>(group & 0x7f) << (7 * i);
    if (group < 0x80) {
      parsed.state = Parsed::State::kDone;
      parsed.size = i + 1;
      return parsed;
    }
  }
  parsed.size = bytes.size() + 1;
  return parsed;
}

Parsed ParseLength(LengthPrefix prefix, absl::string_view bytes) {
  const std::optional<Fixed> fixed = FixedOf(prefix);
  if (!fixed.has_value()) return ParseVarint(bytes);
  Parsed parsed;
  parsed.size = fixed->width;
  if (bytes.size() < fixed->width) return parsed;
  parsed.state = Parsed::State::kDone;
  for (size_t i = 0; i < fixed->width; ++i) {
    parsed.value |= static_cast<uint64_t>(
                        static_cast<unsigned char>(bytes[PlaceOf(i, *fixed)]))
                    << (8 * i);
  }
  return parsed;
}

}  // namespace internal
absl::string_view EndianName(Endian endian) {
  switch (endian) {
    case Endian::kBig:
      return "big-endian";
    case Endian::kLittle:
      return "little-endian";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, Endian endian) {
  return os << EndianName(endian);
}

absl::string_view LengthPrefixName(LengthPrefix prefix) {
  switch (prefix) {
    case LengthPrefix::kVarint:
      return "varint";
    case LengthPrefix::kU8:
      return "u8";
    case LengthPrefix::kU16Big:
      return "u16 big-endian";
    case LengthPrefix::kU16Little:
      return "u16 little-endian";
    case LengthPrefix::kU32Big:
      return "u32 big-endian";
    case LengthPrefix::kU32Little:
      return "u32 little-endian";
    case LengthPrefix::kU64Big:
      return "u64 big-endian";
    case LengthPrefix::kU64Little:
      return "u64 little-endian";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, LengthPrefix prefix) {
  return os << LengthPrefixName(prefix);
}

std::string FrameFormat::ToString() const {
  return absl::StrCat("length ", LengthPrefixName(prefix), ", at most ",
                      max_length, " B");
}

}  // namespace flow
