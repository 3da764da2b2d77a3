// File: hints.h
//
// What a person may do about a failure, where that is known: a sentence for
// below the message.
//
// Guarantees: never fails; asks the kernel (what there is at a unix path) for
// at most a second.

#ifndef FLOW_TOOLS_FLOWCAT_HINTS_H_
#define FLOW_TOOLS_FLOWCAT_HINTS_H_

#include <string>

#include "absl/status/status.h"
#include "flow/net/address.h"

namespace flow_tools {

// "" if there is nothing to say. `status`: why `address` could not be opened or
// listened on.
std::string HintFor(const flow::Address& address, const absl::Status& status);

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_HINTS_H_
