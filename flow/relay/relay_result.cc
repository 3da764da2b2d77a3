#include "flow/relay/relay_result.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "flow/changed_fields.h"
#include "flow/relay/relay_options.h"
#include "flow/status.h"

namespace flow {

absl::string_view CopySideName(CopySide side) {
  switch (side) {
    case CopySide::kNone:
      return "none";
    case CopySide::kSource:
      return "source";
    case CopySide::kSink:
      return "sink";
  }
  return "?";
}

std::ostream& operator<<(std::ostream& os, CopySide side) {
  return os << CopySideName(side);
}

absl::string_view CopyEndName(CopyEnd end) {
  switch (end) {
    case CopyEnd::kInOrder:
      return "in order";
    case CopyEnd::kPolicy:
      return "policy";
    case CopyEnd::kFailed:
      return "failed";
    case CopyEnd::kLimit:
      return "limit";
    case CopyEnd::kCancelled:
      return "cancelled";
    case CopyEnd::kClosedHere:
      return "closed here";
    case CopyEnd::kOtherFailed:
      return "other failed";
    case CopyEnd::kRefused:
      return "refused";
  }
  return "?";
}

std::ostream& operator<<(std::ostream& os, CopyEnd end) {
  return os << CopyEndName(end);
}

absl::string_view CopyMethodName(CopyMethod method) {
  switch (method) {
    case CopyMethod::kAuto:
      return "auto";
    case CopyMethod::kBuffered:
      return "buffered";
    case CopyMethod::kSplice:
      return "splice";
    case CopyMethod::kSendfile:
      return "sendfile";
    case CopyMethod::kCopyFileRange:
      return "copy_file_range";
  }
  return "?";
}

std::ostream& operator<<(std::ostream& os, CopyMethod method) {
  return os << CopyMethodName(method);
}

absl::string_view RelayPolicyName(RelayPolicy policy) {
  switch (policy) {
    case RelayPolicy::kHalfClose:
      return "half-close";
    case RelayPolicy::kCloseBoth:
      return "close both";
    case RelayPolicy::kFailFast:
      return "fail fast";
  }
  return "?";
}

std::ostream& operator<<(std::ostream& os, RelayPolicy policy) {
  return os << RelayPolicyName(policy);
}

CopyEnd CopyResult::end() const {
  if (refused) return CopyEnd::kRefused;
  if (ok()) return by_policy ? CopyEnd::kPolicy : CopyEnd::kInOrder;
  if (cut) return CopyEnd::kOtherFailed;
  switch (KindOf(read_status.ok() ? write_status : read_status)) {
    case ErrorKind::kDeadline:
      return CopyEnd::kLimit;
    case ErrorKind::kCancelled:
      return CopyEnd::kCancelled;
    case ErrorKind::kClosedLocally:
      return CopyEnd::kClosedHere;
    case ErrorKind::kClosedByPeer:
    case ErrorKind::kReset:
    case ErrorKind::kSealed:
    case ErrorKind::kTruncated:
    case ErrorKind::kSystem:
    case ErrorKind::kOther:
      break;
  }
  return CopyEnd::kFailed;
}

CopySide CopyResult::failed_side() const {
  if (!read_status.ok()) return CopySide::kSource;
  return write_status.ok() ? CopySide::kNone : CopySide::kSink;
}

absl::Status CopyResult::status() const {
  const CopySide side = failed_side();
  if (side == CopySide::kNone) return absl::OkStatus();
  const bool reading = side == CopySide::kSource;
  const absl::Status& why = reading ? read_status : write_status;
  if (refused) return why;
  ErrorDetail detail = DetailOf(why).value_or(ErrorDetail());
  detail.bytes_done = bytes;
  if (cut) {
    return MakeStatus(why.code(),
                      absl::StrCat("cut after ", bytes,
                                   " B, since the other direction failed"),
                      detail);
  }
  return MakeStatus(
      why.code(),
      absl::StrCat(reading ? "reading from the source" : "writing to the sink",
                   " failed after ", bytes, " B: ", why.message()),
      detail);
}

std::string CopyResult::ToString() const {
  if (by_policy) return absl::StrCat(bytes, " B, ended since the other had");
  if (ok()) return absl::StrCat(bytes, " B in order");
  if (cut) {
    return absl::StrCat(bytes, " B, cut since the other direction failed");
  }
  return status().ToString(absl::StatusToStringMode::kWithNoExtraData);
}

absl::Status RelayResult::status() const {
  if (ok()) return absl::OkStatus();
  const bool a_first = !a_to_b.ok() && (!a_to_b.cut || b_to_a.ok());
  const absl::Status first = a_first ? a_to_b.status() : b_to_a.status();
  std::string message =
      absl::StrCat(a_first ? "a -> b: " : "b -> a: ", first.message());
  if (a_first && !b_to_a.ok() && !b_to_a.cut) {
    absl::StrAppend(&message, "; b -> a: ", b_to_a.status().message());
  }
  return MakeStatus(first.code(), message,
                    DetailOf(first).value_or(ErrorDetail()));
}

std::string RelayResult::ToString() const {
  return absl::StrCat("a -> b: ", a_to_b.ToString(),
                      "; b -> a: ", b_to_a.ToString());
}

std::string CopyProgress::ToString() const {
  return absl::StrCat(bytes, " B, ", bytes_back, " B back in ",
                      absl::FormatDuration(elapsed));
}

std::string CopyOptions::ToString() const {
  const CopyOptions usual;
  return internal::ChangedFields()
      .Nest("limits", limits.ToString(), usual.limits.ToString())
      .Add("end_sink", end_sink, usual.end_sink)
      .Add("method", method, usual.method)
      .Add("buffer_size", buffer_size, usual.buffer_size)
      .Given("progress", progress != nullptr)
      .Add("progress_interval", progress_interval, usual.progress_interval)
      .Text();
}

std::string RelayOptions::ToString() const {
  const RelayOptions usual;
  return internal::ChangedFields()
      .Nest("limits", limits.ToString(), usual.limits.ToString())
      .Add("policy", policy, usual.policy)
      .Add("half_close_limit", half_close_limit, usual.half_close_limit)
      .Add("method", method, usual.method)
      .Add("buffer_size", buffer_size, usual.buffer_size)
      .Given("progress", progress != nullptr)
      .Add("progress_interval", progress_interval, usual.progress_interval)
      .Text();
}

}  // namespace flow
