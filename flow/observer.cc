#include "flow/observer.h"

#include "absl/strings/str_cat.h"

namespace flow {

absl::string_view OperationKindName(OperationKind kind) {
  switch (kind) {
    case OperationKind::kRead:
      return "read";
    case OperationKind::kDrain:
      return "drain";
    case OperationKind::kWrite:
      return "write";
    case OperationKind::kShutdown:
      return "shutdown";
    case OperationKind::kShutdownRead:
      return "shutdown_read";
    case OperationKind::kClose:
      return "close";
    case OperationKind::kAbort:
      return "abort";
    case OperationKind::kPeerEnd:
      return "wait_peer_end";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, OperationKind kind) {
  return os << OperationKindName(kind);
}

std::string Operation::ToString() const {
  std::string text = absl::StrCat(name, " #", id);
  if (size > 0) absl::StrAppend(&text, " of ", size, " B");
  return text;
}

std::string Waiting::ToString() const {
  std::string text(ActivityName(what));
  if (!until.is_never()) absl::StrAppend(&text, " until ", until.ToString());
  if (bytes > 0) absl::StrAppend(&text, ", ", bytes, " B done");
  return text;
}

std::string Outcome::ToString() const {
  return absl::StrCat(eof ? "Eof" : absl::StatusCodeToString(code), ", ", bytes,
                      " B in ", absl::FormatDuration(duration));
}

void FlowObserver::OnBegin(const Operation& /*operation*/) noexcept {}

void FlowObserver::OnWait(const Operation& /*operation*/,
                          const Waiting& /*waiting*/) noexcept {}

void FlowObserver::OnEnd(const Operation& /*operation*/,
                         const Outcome& /*outcome*/) noexcept {}

void FlowObserver::OnClosed() noexcept {}

}  // namespace flow
