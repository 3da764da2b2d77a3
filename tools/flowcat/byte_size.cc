#include "tools/flowcat/byte_size.h"

#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace flow_tools {
namespace {

// Takes the unit off the end of `text`; 1 if there is none.
double TakeUnit(absl::string_view* text) {
  absl::ConsumeSuffix(text, "B");
  absl::ConsumeSuffix(text, "i");
  double unit = 1;
  for (const char letter : {'k', 'm', 'g', 't'}) {
    unit *= 1024;
    if (text->empty() ||
        absl::ascii_tolower(static_cast<unsigned char>(text->back())) != letter)
      continue;
    text->remove_suffix(1);
    return unit;
  }
  return 1;
}

// Digits, perhaps with a point: neither a sign, nor "inf", nor an exponent.
bool ParseNumber(absl::string_view text, double* value) {
  constexpr double kMost = 9e18;
  const bool plain =
      text.find_first_not_of("0123456789.") == absl::string_view::npos;
  const double unit = plain ? 1 : TakeUnit(&text);
  if (text.empty() ||
      !absl::ascii_isdigit(static_cast<unsigned char>(text[0])) ||
      text.find_first_not_of("0123456789.") != absl::string_view::npos ||
      !absl::SimpleAtod(text, value)) {
    return false;
  }
  *value *= unit;
  return *value <= kMost;
}

}  // namespace

bool AbslParseFlag(absl::string_view text, ByteSize* size, std::string* error) {
  double value = 0;
  if (!ParseNumber(text, &value) || value != std::floor(value)) {
    *error = "expected a count of bytes such as 4096, 64k or 1.5M";
    return false;
  }
  size->bytes = static_cast<uint64_t>(value);
  return true;
}

std::string AbslUnparseFlag(ByteSize size) {
  return size.given() ? absl::StrCat(size.bytes) : "";
}

bool AbslParseFlag(absl::string_view text, ByteRate* rate, std::string* error) {
  absl::ConsumeSuffix(&text, "/s");
  double value = 0;
  if (!ParseNumber(text, &value) || value <= 0) {
    *error = "expected bytes a second, such as 4096, 64k or 1.5M";
    return false;
  }
  rate->per_second = value;
  return true;
}

std::string AbslUnparseFlag(ByteRate rate) {
  return rate.given() ? absl::StrCat(rate.per_second) : "";
}

}  // namespace flow_tools
