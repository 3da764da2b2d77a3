// Bash's completion.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "tools/flowcat/manual.h"

namespace flow_tools {
namespace {

// What may follow a flag that takes a value: its choices, or a file.
std::string ValueCases() {
  std::string cases;
  for (const FlagText& flag : Flags()) {
    if (*flag.choices != '\0') {
      absl::StrAppend(&cases, "      --", flag.name, ") words=\"", flag.choices,
                      "\" ;;\n");
    } else if (flag.value == absl::string_view("FILE")) {
      absl::StrAppend(&cases, "      --", flag.name,
                      ") COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n");
    } else if (*flag.value != '\0') {
      absl::StrAppend(&cases, "      --", flag.name, ") return ;;\n");
    }
  }
  return cases;
}

std::string FlagsOf(Command command) {
  std::vector<std::string> flags;
  for (const FlagText& flag : Flags()) {
    if ((flag.commands & command) == 0) continue;
    flags.push_back(
        absl::StrCat("--", flag.name, *flag.value != '\0' ? "=" : ""));
  }
  return absl::StrJoin(flags, " ");
}

std::string FlagCases() {
  std::string cases;
  for (const CommandText& command : Commands()) {
    if (*command.name == '\0') continue;
    absl::StrAppend(&cases, "      ", command.name, ") words=\"",
                    FlagsOf(command.command), "\" ;;\n");
  }
  absl::StrAppend(&cases, "      *) words=\"", FlagsOf(kRelay), "\" ;;\n");
  return cases;
}

}  // namespace

std::string BashCompletion() {
  std::vector<std::string> first;
  for (const CommandText& command : Commands()) {
    if (*command.name != '\0') first.emplace_back(command.name);
  }
  std::vector<std::string> schemes = {"-"};
  for (const absl::string_view scheme :
       {"tcp:", "tcp-listen:", "unix:", "unix-listen:", "unix-abstract:",
        "unix-abstract-listen:", "tls:", "tls-listen:", "fd:", "file:", "exec:",
        "pty:", "activate:"}) {
    schemes.emplace_back(scheme);
  }
  return absl::StrCat(
      "# Completion of flowcat for bash; made by `flowcat completion`.\n"
      "_flowcat() {\n"
      "  local line=${COMP_LINE:0:COMP_POINT} word flag='' words=''\n"
      "  word=${line##*[[:space:]]}\n"
      "  COMPREPLY=()\n"
      "  # Bash parts words at = and :, the reply is for the last part.\n"
      "  if [[ $word == --*=* ]]; then\n"
      "    flag=${word%%=*} word=${word#*=}\n"
      "    case $flag in\n",
      ValueCases(),
      "    esac\n"
      "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "    return\n"
      "  fi\n"
      "  if [[ $word == -?* ]]; then\n"
      "    case ${COMP_WORDS[1]} in\n",
      FlagCases(),
      "    esac\n"
      "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace\n"
      "    return\n"
      "  fi\n"
      "  case $word in\n"
      "    file:* | unix:* | unix-listen:*)\n"
      "      COMPREPLY=($(compgen -f -- \"${word#*:}\")) ;;\n"
      "    *:*) ;;\n"
      "    *)\n"
      "      words=\"",
      absl::StrJoin(schemes, " "),
      "\"\n"
      "      ((COMP_CWORD > 1)) || words+=\" ",
      absl::StrJoin(first, " "),
      "\"\n"
      "      COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "      [[ ${COMPREPLY[0]-} == *: ]] && compopt -o nospace ;;\n"
      "  esac\n"
      "}\n"
      "complete -F _flowcat flowcat\n");
}

}  // namespace flow_tools
