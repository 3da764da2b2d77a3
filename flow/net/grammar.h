// File: grammar.h (internal)
//
// Which schemes there are, what each wants for a target, and which options each
// has. Parser, printer and messages all go by this one table.

#ifndef FLOW_NET_GRAMMAR_H_
#define FLOW_NET_GRAMMAR_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "flow/net/address.h"
#include "flow/net/schemes.h"

namespace flow {
namespace internal {

enum class TargetKind : uint8_t {
  kHostPort,
  kUnixPath,
  kAbstractName,
  kFds,
  kNone,
  kText,  // of at least a byte, without NUL
};

struct SchemeSpec {
  Address::Scheme scheme;
  std::string name;
  TargetKind target;
  // What is behind the colon, in words: "HOST:PORT".
  std::string shape;
  // The names of SocketOptions that it has, in the order of option_text.h.
  std::vector<absl::string_view> socket;
  std::vector<SchemeOption> options;

  // "nodelay, keepalive, bind"; empty if it has none.
  std::string OptionNames() const;
};

// Of a scheme that is built in, or in `schemes` (which may be null).
std::optional<SchemeSpec> FindScheme(absl::string_view name,
                                     const Schemes* schemes);

// "tcp, tcp-listen, ..., tls".
std::string SchemeNames(const Schemes* schemes);

// Begins with a lower-case letter; then letters, digits and dashes.
bool IsName(absl::string_view text);

// Whether a scheme of that name listens.
bool ListensByName(absl::string_view name);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_GRAMMAR_H_
