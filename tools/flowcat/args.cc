#include "tools/flowcat/args.h"

#include "absl/flags/commandlineflag.h"
#include "absl/flags/reflection.h"
#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "flow/net/address.h"
#include "tools/flowcat/settings.h"

namespace flow_tools {
namespace {

// A message must stay readable whatever is typed.
std::string Quoted(absl::string_view text) {
  constexpr size_t kMaxShown = 200;
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, kMaxShown)),
                      text.size() > kMaxShown ? "..." : "", "\"");
}

absl::Status Bad(absl::string_view what, absl::string_view text,
                 absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat(what, " ", Quoted(text), ": ", why));
}

// Whether it may stand without a value.
bool IsSwitch(const absl::CommandLineFlag& flag) {
  return flag.IsOfType<bool>() || flag.IsOfType<Switch>();
}

absl::CommandLineFlag* FindFlag(absl::string_view name) {
  return absl::FindCommandLineFlag(absl::StrReplaceAll(name, {{"-", "_"}}));
}

// "--name", "--name=value", "--noname"; `next` is the word after it, and is
// taken (true in `took_next`) if the flag needs a value and has none.
absl::Status SetFlag(absl::string_view word, const char* next, bool* took_next,
                     std::vector<std::string>* set) {
  absl::string_view name = absl::StripPrefix(word, "--");
  std::string value;
  const size_t equals = name.find('=');
  const bool has_value = equals != absl::string_view::npos;
  if (has_value) {
    value = std::string(name.substr(equals + 1));
    name = name.substr(0, equals);
  }
  absl::CommandLineFlag* flag = FindFlag(name);
  if (flag == nullptr && !has_value && absl::ConsumePrefix(&name, "no")) {
    flag = FindFlag(name);
    if (flag != nullptr && !IsSwitch(*flag)) flag = nullptr;
    value = "false";
  } else if (flag != nullptr && !has_value) {
    *took_next = !IsSwitch(*flag);
    if (*took_next && next == nullptr) {
      return Bad("flag", word, "needs a value");
    }
    value = *took_next ? next : "true";
  }
  if (flag == nullptr) return Bad("unknown flag", word, "see --help");
  std::string why;
  if (!flag->ParseFrom(value, &why)) {
    return Bad("bad value", value,
               absl::StrCat("of flag --", name, why.empty() ? "" : ": ", why));
  }
  set->emplace_back(flag->Name());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<End> ParseEnd(absl::string_view text,
                             const flow::Schemes* schemes) {
  absl::StatusOr<flow::Address> address = flow::ParseAddress(text, schemes);
  if (!address.ok()) return address.status();
  if (!address->listens() && address->numeric_port() == 0) {
    return Bad("bad address", text, "nobody can be reached at port 0");
  }
  return End{*std::move(address), absl::CHexEscape(text)};
}

absl::StatusOr<std::pair<End, End>> ParseEnds(
    absl::Span<const std::string> words, const flow::Schemes* schemes) {
  if (words.size() != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected two ends, FROM and TO, but got ", words.size(),
                     words.empty() ? "" : ", the last of them ",
                     words.empty() ? "" : Quoted(words.back())));
  }
  absl::StatusOr<End> from = ParseEnd(words[0], schemes);
  if (!from.ok()) return from.status();
  absl::StatusOr<End> to = ParseEnd(words[1], schemes);
  if (!to.ok()) return to.status();
  if (from->is_stdio() && to->is_stdio()) {
    return absl::InvalidArgumentError(
        "\"-\" twice: standard input and output are one end");
  }
  return std::make_pair(*std::move(from), *std::move(to));
}

absl::StatusOr<CommandLine> ParseFlags(absl::Span<const char* const> args) {
  CommandLine parsed;
  bool only_words = false;
  for (size_t i = 0; i < args.size(); ++i) {
    const absl::string_view word = args[i];
    if (only_words || word == "-" || !absl::StartsWith(word, "-")) {
      parsed.words.emplace_back(word);
    } else if (word == "--") {
      only_words = true;
    } else if (!absl::StartsWith(word, "--")) {
      return Bad("unknown flag", word, "flags begin with two dashes");
    } else {
      bool took_next = false;
      const char* next = i + 1 < args.size() ? args[i + 1] : nullptr;
      const absl::Status set = SetFlag(word, next, &took_next, &parsed.flags);
      if (!set.ok()) return set;
      if (took_next) ++i;
    }
  }
  return parsed;
}

}  // namespace flow_tools
