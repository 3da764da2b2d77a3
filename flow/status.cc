#include "flow/status.h"

#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace flow {
namespace {

// The payload: "kind errno bytes operation\nlocal\npeer", text so that a
// debugger or absl::Status::ToString() shows it readably. The three texts are
// escaped, so that none of them holds a newline.
absl::Cord Encode(const ErrorDetail& d) {
  return absl::Cord(
      absl::StrCat(static_cast<int>(d.kind), " ", d.error, " ", d.bytes_done,
                   " ", absl::CHexEscape(d.operation), "\n",
                   absl::CHexEscape(d.local), "\n", absl::CHexEscape(d.peer)));
}

std::optional<ErrorDetail> Decode(const absl::Cord& payload) {
  const std::string text(payload);
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  const std::vector<std::string> head =
      absl::StrSplit(lines[0], absl::MaxSplits(' ', 3));
  ErrorDetail d;
  int kind = 0;
  if (lines.size() != 3 || head.size() != 4 ||
      !absl::SimpleAtoi(head[0], &kind) || kind < 0 ||
      kind > static_cast<int>(ErrorKind::kOther) ||
      !absl::SimpleAtoi(head[1], &d.error) ||
      !absl::SimpleAtoi(head[2], &d.bytes_done) ||
      !absl::CUnescape(head[3], &d.operation) ||
      !absl::CUnescape(lines[1], &d.local) ||
      !absl::CUnescape(lines[2], &d.peer)) {
    return std::nullopt;
  }
  d.kind = static_cast<ErrorKind>(kind);
  return d;
}

}  // namespace

std::optional<ErrorDetail> DetailOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kStatusPayloadUrl);
  if (!payload.has_value()) return std::nullopt;
  return Decode(*payload);
}

ErrorKind KindOf(const absl::Status& status) {
  const std::optional<ErrorDetail> detail = DetailOf(status);
  return detail.has_value() ? detail->kind : ErrorKind::kOther;
}

bool IsClosed(const absl::Status& status) {
  switch (KindOf(status)) {
    case ErrorKind::kClosedLocally:
    case ErrorKind::kClosedByPeer:
    case ErrorKind::kReset:
      return true;
    case ErrorKind::kSealed:
    case ErrorKind::kTruncated:
    case ErrorKind::kDeadline:
    case ErrorKind::kCancelled:
    case ErrorKind::kSystem:
    case ErrorKind::kOther:
      return false;
  }
  return false;
}

bool IsClosedLocally(const absl::Status& status) {
  return KindOf(status) == ErrorKind::kClosedLocally;
}
bool IsClosedByPeer(const absl::Status& status) {
  return KindOf(status) == ErrorKind::kClosedByPeer;
}
bool IsReset(const absl::Status& status) {
  return KindOf(status) == ErrorKind::kReset;
}
bool IsSealed(const absl::Status& status) {
  return KindOf(status) == ErrorKind::kSealed;
}
bool IsTruncated(const absl::Status& status) {
  return KindOf(status) == ErrorKind::kTruncated;
}

uint64_t BytesDone(const absl::Status& status) {
  const std::optional<ErrorDetail> detail = DetailOf(status);
  return detail.has_value() ? detail->bytes_done : 0;
}

int ErrnoOf(const absl::Status& status) {
  const std::optional<ErrorDetail> detail = DetailOf(status);
  return detail.has_value() ? detail->error : 0;
}

absl::StatusCode CodeOf(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kClosedLocally:
    case ErrorKind::kClosedByPeer:
    case ErrorKind::kSealed:
      return absl::StatusCode::kFailedPrecondition;
    case ErrorKind::kReset:
      return absl::StatusCode::kUnavailable;
    case ErrorKind::kTruncated:
      return absl::StatusCode::kDataLoss;
    case ErrorKind::kDeadline:
      return absl::StatusCode::kDeadlineExceeded;
    case ErrorKind::kCancelled:
      return absl::StatusCode::kCancelled;
    case ErrorKind::kSystem:
    case ErrorKind::kOther:
      return absl::StatusCode::kInternal;
  }
  return absl::StatusCode::kInternal;
}

absl::Status MakeStatus(absl::StatusCode code, absl::string_view message,
                        const ErrorDetail& detail) {
  absl::Status status(code, message);
  status.SetPayload(kStatusPayloadUrl, Encode(detail));
  return status;
}

absl::Status InvalidArgument(absl::string_view message) {
  return MakeStatus(absl::StatusCode::kInvalidArgument, message, {});
}

absl::Status ErrnoStatus(int error, absl::string_view operation,
                         absl::string_view context) {
  const ErrnoMeaning meaning = MeaningOf(error);
  ErrorDetail detail;
  detail.kind = meaning.kind;
  detail.error = error;
  detail.operation = std::string(operation);
  return MakeStatus(meaning.code,
                    absl::StrCat(operation, "() failed: ", ErrnoText(error),
                                 context.empty() ? "" : "; ", context),
                    detail);
}

std::string ErrorDetail::ToString() const {
  std::string text(ErrorKindName(kind));
  if (error != 0) absl::StrAppend(&text, ", errno ", error);
  if (!operation.empty()) absl::StrAppend(&text, ", ", operation);
  if (!local.empty() || !peer.empty()) {
    absl::StrAppend(&text, ", ", local, " -> ", peer);
  }
  absl::StrAppend(&text, ", ", bytes_done, " B done");
  return text;
}

}  // namespace flow
