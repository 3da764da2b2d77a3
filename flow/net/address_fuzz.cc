// Texts that may be addresses, whatever they are: a libFuzzer target.
//
//   tools/fuzz --seconds=60 address_fuzz
//
// A text is refused with a message that can be shown, or it is an address whose
// canonical form is printable, reads back as an equal address, and is its own
// canonical form. (address_corpus_test replays the corpus in every test run.)

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/address.h"
#include "flow/net/schemes.h"

namespace {

using flow::Address;

void Check(bool holds) {
  if (!holds) std::abort();
}

bool IsPrintable(absl::string_view text) {
  for (const char c : text) {
    if (c < ' ' || c > '~') return false;
  }
  return true;
}

const flow::Schemes& Added() {
  static const flow::Schemes* const added = [] {
    auto* const schemes = new flow::Schemes;
    flow::Scheme scheme;
    scheme.name = "tls";
    scheme.options = {{"ca", flow::OptionValue::kText},
                      {"insecure", flow::OptionValue::kSwitch}};
    scheme.open = [](const Address&, const flow::Limits&,
                     const flow::OpenOptions&) {
      return absl::StatusOr<flow::Flow>(absl::UnimplementedError(""));
    };
    Check(schemes->Add(scheme).ok());
    scheme.name = "text";
    scheme.target = flow::Scheme::Target::kText;
    Check(schemes->Add(scheme).ok());
    return schemes;
  }();
  return *added;
}

void CheckAddress(const Address& address) {
  const std::string canonical = address.ToString();
  Check(IsPrintable(canonical));
  const absl::StatusOr<Address> again = flow::ParseAddress(canonical, &Added());
  Check(again.ok());
  Check(*again == address);
  Check(again->ToString() == canonical);
  Check(address.socket.Check().ok());
  if (address.is_unix()) {
    Check(!address.path.empty() && address.path.size() <= flow::kMaxUnixPath);
    Check(address.is_unix_abstract() ||
          address.path.find('\0') == std::string::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<Address> address = flow::ParseAddress(text, &Added());
  if (address.ok()) {
    CheckAddress(*address);
    return 0;
  }
  Check(absl::IsInvalidArgument(address.status()));
  Check(IsPrintable(address.status().message()));
  Check(address.status().message().size() < 2000);
  return 0;
}
