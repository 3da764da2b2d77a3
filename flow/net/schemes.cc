#include "flow/net/schemes.h"

#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "flow/net/grammar.h"
#include "flow/status.h"

namespace flow {
namespace {

// Why `scheme` can't be added; empty if it can.
std::string Problem(const Scheme& scheme) {
  if (!internal::IsName(scheme.name)) {
    return "its name must be of lower-case letters, digits and dashes, and "
           "begin with a letter";
  }
  const bool listens = internal::ListensByName(scheme.name);
  if (!listens && scheme.open == nullptr) {
    return "a scheme that does not listen needs `open`";
  }
  if (listens && (scheme.upgrade == nullptr ||
                  scheme.target != Scheme::Target::kHostPort)) {
    return "a scheme whose name ends with -listen needs `upgrade`, and "
           "HOST:PORT for a target";
  }
  internal::SchemeSpec tcp;
  if (scheme.target == Scheme::Target::kHostPort) {
    tcp = *internal::FindScheme(listens ? "tcp-listen" : "tcp", nullptr);
  }
  for (size_t i = 0; i < scheme.options.size(); ++i) {
    const std::string& name = scheme.options[i].name;
    if (!internal::IsName(name)) {
      return absl::StrCat("no option can be called \"", absl::CHexEscape(name),
                          "\"");
    }
    for (const absl::string_view taken : tcp.socket) {
      if (taken == name) {
        return absl::StrCat("\"", name, "\" is an option of tcp's");
      }
    }
    for (size_t k = 0; k < i; ++k) {
      if (scheme.options[k].name == name) {
        return absl::StrCat("option \"", name, "\" twice");
      }
    }
  }
  return "";
}

}  // namespace

absl::Status Schemes::Add(Scheme scheme) {
  std::string problem = Problem(scheme);
  if (problem.empty() && internal::FindScheme(scheme.name, this).has_value()) {
    problem = "there is one of that name already";
  }
  if (!problem.empty()) {
    return InvalidArgument(absl::StrCat("scheme \"",
                                        absl::CHexEscape(scheme.name),
                                        "\" can't be added: ", problem));
  }
  all_.push_back(std::move(scheme));
  return absl::OkStatus();
}

const Scheme* Schemes::Find(absl::string_view name) const {
  for (const Scheme& scheme : all_) {
    if (scheme.name == name) return &scheme;
  }
  return nullptr;
}

absl::string_view OptionValueName(OptionValue value) {
  switch (value) {
    case OptionValue::kSwitch:
      return "switch";
    case OptionValue::kText:
      return "text";
    case OptionValue::kMode:
      return "mode";
    case OptionValue::kChoice:
      return "choice";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, OptionValue value) {
  return os << OptionValueName(value);
}

absl::string_view SchemeTargetName(Scheme::Target target) {
  switch (target) {
    case Scheme::Target::kHostPort:
      return "HOST:PORT";
    case Scheme::Target::kText:
      return "TEXT";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, Scheme::Target target) {
  return os << SchemeTargetName(target);
}

std::string SchemeOption::ToString() const {
  return absl::StrCat(name, "=",
                      value == OptionValue::kChoice
                          ? absl::StrJoin(choices, "|")
                          : std::string(OptionValueName(value)));
}

std::string Scheme::ToString() const {
  return absl::StrCat(name, ":", SchemeTargetName(target),
                      options.empty() ? "" : ", options ",
                      absl::StrJoin(options, ", ", absl::StreamFormatter()));
}

std::string Schemes::ToString() const {
  if (all_.empty()) return "none";
  return absl::StrJoin(all_, ", ", [](std::string* out, const Scheme& scheme) {
    out->append(scheme.name);
  });
}

}  // namespace flow
