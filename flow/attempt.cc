#include "flow/attempt.h"

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

absl::string_view RawEndKindName(RawEnd::Kind kind) {
  switch (kind) {
    case RawEnd::Kind::kNone:
      return "none";
    case RawEnd::Kind::kTcp:
      return "tcp";
    case RawEnd::Kind::kSocket:
      return "socket";
    case RawEnd::Kind::kPipe:
      return "pipe";
    case RawEnd::Kind::kFile:
      return "file";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, RawEnd::Kind kind) {
  return os << RawEndKindName(kind);
}

std::string RawEnd::ToString() const {
  const absl::string_view name = RawEndKindName(kind);
  return kind == Kind::kNone ? std::string(name)
                             : absl::StrCat(name, " fd ", fd);
}

absl::string_view AttemptKindName(Attempt::Kind kind) {
  switch (kind) {
    case Attempt::Kind::kTransferred:
      return "transferred";
    case Attempt::Kind::kEof:
      return "Eof";
    case Attempt::Kind::kWouldBlock:
      return "would block";
    case Attempt::Kind::kFailed:
      return "failed";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, Attempt::Kind kind) {
  return os << AttemptKindName(kind);
}

}  // namespace flow
