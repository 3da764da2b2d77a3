// File: interleave.h (internal)
//
// The order in which the addresses of a name are tried (RFC 8305, section 4).

#ifndef FLOW_NET_INTERLEAVE_H_
#define FLOW_NET_INTERLEAVE_H_

#include "flow/net/resolver.h"

namespace flow {
namespace internal {

// The same addresses, each once, families by turns for as long as there are
// both, beginning with the first one's; within a family the order (RFC 6724's,
// by the system's resolver) stays. So that a machine whose IPv6 leads nowhere
// meets an IPv4 address second, and not after all the others.
Addresses Interleaved(Addresses addresses);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_INTERLEAVE_H_
