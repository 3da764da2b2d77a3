#include "flow/net/grammar.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace flow {
namespace internal {
namespace {

using S = Address::Scheme;
using T = TargetKind;
using Names = std::vector<absl::string_view>;

Names TcpOptions(bool listens) {
  Names names = {"nodelay", "keepalive",     "send-buffer", "receive-buffer",
                 "linger",  "reuse-address", "reuse-port"};
  if (!listens) names.push_back("bind");
  names.push_back("interface");
  if (listens) names.push_back("v6only");
  return names;
}

std::vector<SchemeSpec> MakeBuiltIn() {
  const Names buffers = {"send-buffer", "receive-buffer"};
  const Names with_path = {"send-buffer", "receive-buffer", "mode", "reclaim"};
  const OptionValue on = OptionValue::kSwitch;
  const std::vector<SchemeOption> file = {
      {"read", on},     {"write", on},  {"append", on},
      {"truncate", on}, {"create", on}, {"mode", OptionValue::kMode}};
  return {
      {S::kTcp, "tcp", T::kHostPort, "HOST:PORT", TcpOptions(false), {}},
      {S::kTcpListen,
       "tcp-listen",
       T::kHostPort,
       "HOST:PORT",
       TcpOptions(true),
       {}},
      {S::kUnix, "unix", T::kUnixPath, "PATH", buffers, {}},
      {S::kUnixListen, "unix-listen", T::kUnixPath, "PATH", with_path, {}},
      {S::kUnixAbstract,
       "unix-abstract",
       T::kAbstractName,
       "NAME",
       buffers,
       {}},
      {S::kUnixAbstractListen,
       "unix-abstract-listen",
       T::kAbstractName,
       "NAME",
       buffers,
       {}},
      {S::kFd, "fd", T::kFds, "N or IN:OUT", {}, {{"own", on}}},
      {S::kFile, "file", T::kText, "PATH", {}, file},
      {S::kStdio, "stdio", T::kNone, "", {}, {}},
      {S::kPty, "pty", T::kNone, "", {}, {{"raw", on}}},
      {S::kExec, "exec", T::kText, "COMMAND", {}, {{"pty", on}}},
      {S::kActivate, "activate", T::kText, "NAME", {}, {}},
  };
}

const std::vector<SchemeSpec>& BuiltIn() {
  static const std::vector<SchemeSpec>* const all =
      new std::vector<SchemeSpec>(MakeBuiltIn());
  return *all;
}

SchemeSpec SpecOf(const Scheme& scheme) {
  SchemeSpec spec = {S::kOther, scheme.name, T::kText,
                     "TEXT",    {},          scheme.options};
  if (scheme.target == Scheme::Target::kHostPort) {
    spec.target = T::kHostPort;
    spec.shape = "HOST:PORT";
    spec.socket = TcpOptions(ListensByName(scheme.name));
  }
  return spec;
}

}  // namespace

std::string SchemeSpec::OptionNames() const {
  Names names = socket;
  for (const SchemeOption& option : options) names.push_back(option.name);
  return absl::StrJoin(names, ", ");
}

std::optional<SchemeSpec> FindScheme(absl::string_view name,
                                     const Schemes* schemes) {
  for (const SchemeSpec& spec : BuiltIn()) {
    if (spec.name == name) return spec;
  }
  const Scheme* const added =
      schemes == nullptr ? nullptr : schemes->Find(name);
  if (added == nullptr) return std::nullopt;
  return SpecOf(*added);
}

std::string SchemeNames(const Schemes* schemes) {
  Names names;
  for (const SchemeSpec& spec : BuiltIn()) names.push_back(spec.name);
  if (schemes != nullptr) {
    for (const Scheme& scheme : schemes->all()) names.push_back(scheme.name);
  }
  return absl::StrJoin(names, ", ");
}

bool IsName(absl::string_view text) {
  return !text.empty() &&
         absl::ascii_islower(static_cast<unsigned char>(text[0])) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return absl::ascii_islower(byte) || absl::ascii_isdigit(byte) ||
                  c == '-';
         });
}

bool ListensByName(absl::string_view name) {
  return absl::EndsWith(name, "-listen");
}

}  // namespace internal
}  // namespace flow
