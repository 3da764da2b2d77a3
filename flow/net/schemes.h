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
absl::string_view OptionValueName(OptionValue value);
std::ostream& operator<<(std::ostream& os, OptionValue value);
template <typename Sink>
void AbslStringify(Sink& sink, OptionValue value) {
  sink.Append(OptionValueName(value));
}

// An option that addresses of a scheme may have.
struct SchemeOption {
  std::string name;
  OptionValue value = OptionValue::kText;
  std::vector<std::string> choices = {};
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
};

class Schemes {
 public:
  // INVALID_ARGUMENT: the name can't be one, or there is such a scheme already,
  // built in or added; an option's name can't be one, is there twice, or is one
  // of tcp's; or what is to be called is missing. Nothing was added then.
  absl::Status Add(Scheme scheme);

  // Null if there is none of that name.
  const Scheme* Find(absl::string_view name) const;

  const std::vector<Scheme>& all() const { return all_; }

 private:
  std::vector<Scheme> all_;
};

}  // namespace flow

#endif  // FLOW_NET_SCHEMES_H_
