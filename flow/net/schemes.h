// File: schemes.h
//
// Schemes: what a program adds to the grammar of addresses.
//
//   flow::Schemes schemes;
//   absl::Status s = flow::AddTlsSchemes(schemes);  // flow/tls/tls_schemes.h
//   flow::OpenOptions options;
//   options.schemes = &schemes;
//   auto f = flow::Open("tls:example.org:443", absl::Seconds(5), options);
//
// An object that is made and passed, not a global: what a text may open is the
// decision of who reads the text. The library itself links none of what may be
// added.
//
// Guarantees: filled by one thread; then any number may use it. It has to
// outlive the calls that it is given to, not what they return.

#ifndef FLOW_NET_SCHEMES_H_
#define FLOW_NET_SCHEMES_H_

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/address.h"

namespace flow {

struct OpenOptions;

// Makes the flow that an address stands for out of a connection that was
// accepted: TLS's handshake, say. May block, within the limits, for as long as
// the client likes: so it is called off the accepting thread (P12), by several
// threads at once if need be. On an error the connection is closed.
using FlowUpgrade =
    std::function<absl::StatusOr<Flow>(Flow accepted, const Limits& limits)>;

// What an option of a scheme takes.
enum class OptionValue : uint8_t {
  kSwitch,  // yes or no
  kText,    // anything but nothing
  kMode,    // octal digits, to 0777
  kChoice,  // one of `choices`
};
// "switch", "text", "mode", "choice"
absl::string_view OptionValueName(OptionValue value);
std::ostream& operator<<(std::ostream& os, OptionValue value);
template <typename Sink>
void AbslStringify(Sink& sink, OptionValue value) {
  sink.Append(OptionValueName(value));
}

// An option that addresses of a scheme may have.
struct SchemeOption {
  // As it is written before the `=`.
  std::string name;
  // What may stand behind it; of kChoice, one of `choices`.
  OptionValue value = OptionValue::kText;
  std::vector<std::string> choices = {};

  // "cert=text"; "version=1.2|1.3".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const SchemeOption& option) {
    sink.Append(option.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const SchemeOption& option) {
    return os << option.ToString();
  }
};

// A kind of address.
struct Scheme {
  // What stands behind the colon.
  enum class Target : uint8_t {
    kHostPort,  // HOST:PORT, and the options of tcp: (tcp-listen:) as well
    kText,      // anything but nothing, in Address::path
  };

  // Lower-case letters, digits and dashes. It ends with "-listen" if, and only
  // if, it listens.
  std::string name;
  Target target = Target::kHostPort;
  std::vector<SchemeOption> options;

  // Makes the flow; for a scheme that does not listen. `address` is of this
  // scheme. Called by Open, with its limits and options, from any thread.
  std::function<absl::StatusOr<Flow>(
      const Address& address, const Limits& limits, const OpenOptions& options)>
      open;
  // For a scheme that listens, whose target has to be kHostPort: OpenListener
  // listens there as for tcp-listen:, when this has said how connections are
  // upgraded. What can be wrong with the options shows here, and not when the
  // first client comes. Doesn't wait.
  std::function<absl::StatusOr<FlowUpgrade>(const Address& address,
                                            const OpenOptions& options)>
      upgrade;

  // "tls:HOST:PORT, options ca=text, verify=switch".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Scheme& scheme) {
    sink.Append(scheme.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Scheme& scheme) {
    return os << scheme.ToString();
  }
};

// "HOST:PORT", "TEXT"
absl::string_view SchemeTargetName(Scheme::Target target);
std::ostream& operator<<(std::ostream& os, Scheme::Target target);
template <typename Sink>
void AbslStringify(Sink& sink, Scheme::Target target) {
  sink.Append(SchemeTargetName(target));
}

class Schemes {
 public:
  // INVALID_ARGUMENT: the name can't be one, or there is such a scheme already,
  // built in or added; an option's name can't be one, is there twice, or is one
  // of tcp's; or what is to be called is missing. Nothing was added then.
  [[nodiscard]] absl::Status Add(Scheme scheme);

  // Null if there is none of that name.
  const Scheme* Find(absl::string_view name) const;

  // In the order in which they were added.
  const std::vector<Scheme>& all() const { return all_; }

  // "tls, tls-listen": their names; "none".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Schemes& schemes) {
    sink.Append(schemes.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Schemes& schemes) {
    return os << schemes.ToString();
  }

 private:
  std::vector<Scheme> all_;
};

}  // namespace flow

#endif  // FLOW_NET_SCHEMES_H_
