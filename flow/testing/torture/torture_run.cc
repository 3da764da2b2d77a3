#include "flow/testing/torture/torture_run.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "flow/buffer.h"
#include "flow/or_eof.h"
#include "flow/status.h"
#include "flow/sys/errno_table.h"

namespace flow_testing {
namespace {

// The byte at `offset`; any slip, repetition or swap shows.
char ByteAt(uint64_t offset) {
  return static_cast<char>((offset * 2654435761u) >> 11);
}

// Not sticky: the caller has given up, the flow has not failed.
bool IsLimit(const absl::Status& status) {
  const flow::ErrorKind kind = flow::KindOf(status);
  return kind == flow::ErrorKind::kDeadline ||
         kind == flow::ErrorKind::kCancelled;
}

// Empty, or what is wrong with a failure as flow tells it.
std::string Complaint(const absl::Status& status) {
  const std::optional<flow::ErrorDetail> detail = flow::DetailOf(status);
  if (!detail.has_value()) return "no status of flow's";
  // A tee has its sink's code and words, the errno among them, but not as its
  // own.
  const bool quoted = absl::StrContains(status.message(), "the tee's sink: ");
  if (absl::IsInternal(status) && !quoted &&
      (detail->error == 0 ||
       flow::MeaningOf(detail->error).code != absl::StatusCode::kInternal)) {
    return "INTERNAL, and no errno that means that";
  }
  if (absl::IsUnknown(status)) return "UNKNOWN is no code of flow's";
  for (const char c : status.message()) {
    if (static_cast<unsigned char>(c) < ' ') return "a control character";
  }
  return "";
}

}  // namespace

void TortureRun::Say(absl::string_view line) {
  absl::MutexLock lock(&mu_);
  absl::StrAppend(&transcript_, "  ", line, "\n");
}

void TortureRun::Fail(absl::string_view what) {
  Say(absl::StrCat("WRONG: ", what));
  absl::MutexLock lock(&mu_);
  failures_.emplace_back(what);
}

bool TortureRun::Note(const absl::Status& status) {
  if (status.ok()) return true;
  Say(status.ToString());
  const std::string complaint = Complaint(status);
  if (!complaint.empty())
    Fail(absl::StrCat(complaint, ": ", status.ToString()));
  return false;
}

bool TortureRun::Ok(const absl::Status& status) {
  if (Note(status)) return true;
  if (strict_) {
    Fail(absl::StrCat("nobody was to notice, but: ", status.ToString()));
  }
  return false;
}

void TortureRun::Fails(const absl::Status& status, absl::StatusCode code) {
  Note(status);
  if (strict_ && status.code() != code) {
    Fail(absl::StrCat("expected ", absl::StatusCodeToString(code), ", got ",
                      status.ToString()));
  }
}

std::vector<std::string> TortureRun::failures() const {
  absl::MutexLock lock(&mu_);
  return failures_;
}

std::string TortureRun::Transcript() const {
  absl::MutexLock lock(&mu_);
  return transcript_;
}

Lane::~Lane() {
  absl::MutexLock lock(&mu_);
  const std::string books =
      absl::StrCat(name_, ": ", ok_, " B told OK, ", accepted_, " B accepted, ",
                   received_, " B came");
  if (received_ > accepted_) {
    run_.Fail(absl::StrCat("more came than was accepted; ", books));
  }
  if (!eof_ || books_ == LaneBooks::kPrefix) return;
  if (received_ < ok_) run_.Fail(absl::StrCat("OK, but lost; ", books));
  if (books_ == LaneBooks::kExact && received_ != accepted_) {
    run_.Fail(absl::StrCat("Eof before the end; ", books));
  }
}

std::string Lane::Next(size_t n) const {
  absl::MutexLock lock(&mu_);
  std::string bytes(n, '\0');
  for (size_t i = 0; i < n; ++i) bytes[i] = ByteAt(accepted_ + i);
  return bytes;
}

bool Lane::Write(flow::Flow& flow, size_t n, const flow::Limits& limits) {
  const absl::Status status = flow.Write(Next(n), limits);
  Wrote(status, n);
  return run_.Ok(status);
}

bool Lane::WriteSome(flow::Flow& flow, size_t n, const flow::Limits& limits) {
  const absl::StatusOr<size_t> some = flow.WriteSome(Next(n), limits);
  Wrote(some.status(), some.value_or(0));
  return run_.Ok(some);
}

void Lane::Wrote(const absl::Status& status, size_t n) {
  absl::MutexLock lock(&mu_);
  if (status.ok()) {
    if (refused_) run_.Fail(absl::StrCat(name_, ": OK after a failure"));
    ok_ += n;
    accepted_ += n;
    return;
  }
  const uint64_t done = flow::BytesDone(status);
  // A later Write is told of the first failure, with the first one's count.
  if (refused_) return;
  accepted_ += done;
  if (done > n) run_.Fail(absl::StrCat(name_, ": more done than asked for"));
  if (done > 0 || !IsLimit(status)) refused_ = true;
}

void Lane::Loosen() {
  absl::MutexLock lock(&mu_);
  books_ = LaneBooks::kPrefix;
}

bool Lane::ReadSome(flow::Flow& flow, const flow::Limits& limits) {
  const absl::StatusOr<flow::OrEof<flow::Buffer>> got = flow.Read(limits);
  if (!got.ok()) {
    TookError(got.status());
    return run_.Ok(got.status());
  }
  if (got->is_eof()) {
    TookEof();
    return false;
  }
  Took(got->data().view());
  return true;
}

bool Lane::ReadUntil(flow::Flow& flow, uint64_t n) {
  while (received() < n) {
    if (!ReadSome(flow)) return false;
  }
  return true;
}

bool Lane::ReadToEnd(flow::Flow& flow) {
  while (ReadSome(flow)) {
  }
  // Once more: the end stays what it was.
  const absl::StatusOr<flow::OrEof<flow::Buffer>> again =
      flow.Read(run_.Long());
  absl::MutexLock lock(&mu_);
  if (eof_ && !(again.ok() && again->is_eof())) {
    run_.Fail(absl::StrCat(name_, ": Eof was not the end"));
  }
  if (broken_ && again.ok()) {
    run_.Fail(absl::StrCat(name_, ": an error, then ",
                           again->is_eof() ? "Eof" : "data"));
  }
  if (!eof_ && run_.strict()) run_.Fail(absl::StrCat(name_, ": no Eof"));
  return eof_;
}

void Lane::Took(absl::string_view bytes) {
  absl::MutexLock lock(&mu_);
  if (eof_) run_.Fail(absl::StrCat(name_, ": data after Eof"));
  if (bytes.empty()) run_.Fail(absl::StrCat(name_, ": an empty Read"));
  for (const char byte : bytes) {
    if (byte == ByteAt(received_++)) continue;
    run_.Fail(absl::StrCat(name_, ": a wrong byte at ", received_ - 1));
    return;
  }
}

void Lane::TookEof() {
  absl::MutexLock lock(&mu_);
  if (broken_) run_.Fail(absl::StrCat(name_, ": an error, then Eof"));
  eof_ = true;
}

void Lane::TookError(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  if (eof_ && !IsLimit(status)) {
    run_.Fail(absl::StrCat(name_, ": Eof, then ", status.ToString()));
  }
  if (!IsLimit(status)) broken_ = true;
}

uint64_t Lane::accepted() const {
  absl::MutexLock lock(&mu_);
  return accepted_;
}

uint64_t Lane::received() const {
  absl::MutexLock lock(&mu_);
  return received_;
}

}  // namespace flow_testing
