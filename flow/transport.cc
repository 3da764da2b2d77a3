#include "flow/transport.h"

#include <cerrno>

namespace flow {

absl::string_view ShutdownModeName(ShutdownMode mode) {
  switch (mode) {
    case ShutdownMode::kRead:
      return "read";
    case ShutdownMode::kWrite:
      return "write";
    case ShutdownMode::kReadWrite:
      return "read-write";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, ShutdownMode mode) {
  return os << ShutdownModeName(mode);
}

absl::string_view PeerEndName(PeerEnd end) {
  switch (end) {
    case PeerEnd::kFinished:
      return "finished";
    case PeerEnd::kGone:
      return "gone";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, PeerEnd end) {
  return os << PeerEndName(end);
}

Attempt Transport::TryPeerEnd(PeerEnd /*at_least*/) {
  return Attempt::Failed(ENOSYS, ErrorScope::kDirection);
}

Attempt Transport::TryDrain(absl::Span<const iovec> /*scratch*/) {
  return Attempt::Eof();
}

}  // namespace flow
