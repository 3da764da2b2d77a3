#include "flow/net/options_parser.h"

#include <sys/types.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "flow/net/percent.h"
#include "flow/status.h"

namespace flow {
namespace internal {
namespace {

// A message must stay readable whatever is passed for an address.
constexpr size_t kMaxShown = 200;

absl::Status BadValue(absl::string_view name, bool bare,
                      absl::string_view value, absl::string_view expected) {
  return InvalidArgument(absl::StrCat(
      "option ", Quoted(name),
      bare ? " needs a value" : absl::StrCat(": bad value ", Quoted(value)),
      "; expected ", expected));
}

// The canonical form of `value`; nothing if it is none.
std::optional<std::string> Canonical(const SchemeOption& option,
                                     absl::string_view value) {
  switch (option.value) {
    case OptionValue::kSwitch: {
      const std::optional<bool> on = ParseYesNo(value);
      if (!on.has_value()) return std::nullopt;
      return YesNo(*on);
    }
    case OptionValue::kMode: {
      const std::optional<mode_t> mode = ParseMode(value);
      if (!mode.has_value()) return std::nullopt;
      return ModeText(*mode);
    }
    case OptionValue::kText:
      // What it is for would end at a NUL.
      if (value.empty() || value.find('\0') != absl::string_view::npos) {
        return std::nullopt;
      }
      return std::string(value);
    case OptionValue::kChoice:
      for (const std::string& choice : option.choices) {
        if (choice == value) return choice;
      }
      return std::nullopt;
  }
  return std::nullopt;
}

std::string ExpectedOf(const SchemeOption& option) {
  switch (option.value) {
    case OptionValue::kSwitch:
      return "yes or no";
    case OptionValue::kMode:
      return "octal digits, from 0000 to 0777";
    case OptionValue::kText:
      return "a text, not empty, without a NUL byte";
    case OptionValue::kChoice:
      return absl::StrJoin(option.choices, " or ");
  }
  return "";
}

}  // namespace

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, kMaxShown)),
                      text.size() > kMaxShown ? "..." : "", "\"");
}

OptionsParser::OptionsParser(const SchemeSpec& spec, Address& into)
    : spec_(spec), into_(into), own_(spec.options.size()) {}

absl::Status OptionsParser::Take(absl::string_view item) {
  const size_t equals = item.find('=');
  const bool bare = equals == absl::string_view::npos;
  const absl::string_view name = item.substr(0, std::min(equals, item.size()));
  const std::optional<std::string> value =
      bare ? YesNo(true) : PercentDecode(item.substr(equals + 1));
  if (!value.has_value()) {
    return InvalidArgument(absl::StrCat(
        "a % in the value of option ", Quoted(name),
        " must be followed by two hex digits; a percent sign is written %25"));
  }
  for (const absl::string_view known : spec_.socket) {
    if (known == name) {
      return TakeSocketOption(*FindSocketOption(name), bare, *value);
    }
  }
  for (size_t i = 0; i < spec_.options.size(); ++i) {
    if (spec_.options[i].name == name) return TakeOwnOption(i, bare, *value);
  }
  return BadName("unknown option", name);
}

absl::Status OptionsParser::Finish() {
  for (size_t i = 0; i < own_.size(); ++i) {
    if (!own_[i].has_value()) continue;
    into_.options.push_back({spec_.options[i].name, *std::move(own_[i])});
  }
  return spec_.scheme == Address::Scheme::kFile ? CheckFile()
                                                : absl::OkStatus();
}

absl::Status OptionsParser::BadName(absl::string_view words,
                                    absl::string_view name) const {
  const std::string names = spec_.OptionNames();
  return InvalidArgument(absl::StrCat(
      words, " ", Quoted(name), "; ", spec_.name, ": has ",
      names.empty() ? "none (a comma before the options is written %2C)"
                    : names));
}

absl::Status OptionsParser::TakeSocketOption(const SocketOptionText& option,
                                             bool bare,
                                             absl::string_view value) {
  if (option.print(into_.socket).has_value()) {
    return BadName("doubled option", option.name);
  }
  if ((bare && !option.may_be_bare) || !option.parse(value, into_.socket)) {
    return BadValue(option.name, bare, value, option.expected);
  }
  return absl::OkStatus();
}

absl::Status OptionsParser::TakeOwnOption(size_t index, bool bare,
                                          absl::string_view value) {
  const SchemeOption& option = spec_.options[index];
  std::optional<std::string>& into = own_[index];
  if (into.has_value()) return BadName("doubled option", option.name);
  const bool lacks_value = bare && option.value != OptionValue::kSwitch;
  if (!lacks_value) into = Canonical(option, value);
  if (!into.has_value()) {
    return BadValue(option.name, lacks_value, value, ExpectedOf(option));
  }
  return absl::OkStatus();
}

// Combinations that could only be mistakes.
absl::Status OptionsParser::CheckFile() const {
  const bool writes = into_.IsOn("write") || into_.IsOn("append");
  for (const absl::string_view name : {"truncate", "create"}) {
    if (into_.IsOn(name) && !writes) {
      return InvalidArgument(
          absl::StrCat("option \"", name, "\" needs \"write\" or \"append\""));
    }
  }
  if (into_.FindOption("mode") != nullptr && !into_.IsOn("create")) {
    return InvalidArgument("option \"mode\" needs \"create\"");
  }
  if (!into_.IsOn("read", !writes) && !writes) {
    return InvalidArgument("neither \"read\" nor \"write\" nor \"append\"");
  }
  return absl::OkStatus();
}

}  // namespace internal
}  // namespace flow
