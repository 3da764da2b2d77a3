#include "flow/net/interleave.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

namespace flow {
namespace internal {
namespace {

bool Same(const SocketAddress& a, const SocketAddress& b) {
  return a.length == b.length &&
         std::memcmp(&a.storage, &b.storage, a.length) == 0;
}

}  // namespace

Addresses Interleaved(Addresses addresses) {
  Addresses first;   // of the first one's family
  Addresses others;  // of any other
  for (const SocketAddress& each : addresses) {
    Addresses& kin =
        each.family() == addresses.front().family() ? first : others;
    const bool known =
        std::any_of(kin.begin(), kin.end(),
                    [&](const SocketAddress& one) { return Same(one, each); });
    if (!known) kin.push_back(each);
  }
  Addresses order;
  for (size_t i = 0; i < std::max(first.size(), others.size()); ++i) {
    if (i < first.size()) order.push_back(first[i]);
    if (i < others.size()) order.push_back(others[i]);
  }
  return order;
}

}  // namespace internal
}  // namespace flow
