#include "flow/transport.h"

#include <cerrno>

namespace flow {

Attempt Transport::TryPeerEnd(PeerEnd /*at_least*/) {
  return Attempt::Failed(ENOSYS, ErrorScope::kDirection);
}

Attempt Transport::TryDrain(absl::Span<const iovec> /*scratch*/) {
  return Attempt::Eof();
}

}  // namespace flow
