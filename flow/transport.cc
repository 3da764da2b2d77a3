#include "flow/transport.h"

#include <cerrno>

#include "absl/strings/str_cat.h"

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

std::string Wait::ToString() const {
  std::string text;
  if (fd >= 0) absl::StrAppend(&text, "; fd ", fd, ", events ", events);
  if (!until.is_never()) absl::StrAppend(&text, "; until ", until.ToString());
  if (signal != nullptr) absl::StrAppend(&text, "; a signal");
  return text.empty() ? "for ever" : text.substr(2);
}

std::string Attempt::ToString() const {
  switch (kind_) {
    case Kind::kTransferred:
      return absl::StrCat(n_, " transferred");
    case Kind::kEof:
      return "Eof";
    case Kind::kWouldBlock:
      return absl::StrCat("would block: ", wait_.ToString());
    case Kind::kFailed:
      break;
  }
  return absl::StrCat(ErrorKindName(error_kind_), " [", error_, "]");
}

}  // namespace flow
