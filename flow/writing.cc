#include "flow/writing.h"

#include <sys/uio.h>

#include <cstdint>
#include <limits>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/strings/str_cat.h"
#include "flow/call.h"
#include "flow/job.h"
#include "flow/pieces.h"
#include "flow/status.h"

namespace flow {
namespace internal {
namespace {

constexpr char kWrite[] = "write";

// The window of most writes. Longer ones take a larger stack frame, so that a
// Writev of up to IOV_MAX pieces is still one system call.
constexpr size_t kFewIovecs = 16;

// A write that ended early. If a limit cut it in the middle, later writes are
// refused: a retry would repeat bytes.
absl::Status EndWrite(const Call& call) {
  const absl::Status status = call.status();
  if (!call.hit_limit() || !call.turn().cut_in_the_middle()) return status;
  call.turn().core().Seal(SealedStatus(call.turn()));
  return status;
}

absl::Status RunWrite(Call& call, Pieces& pieces, absl::Span<iovec> space) {
  WriteJob job(pieces, space);
  return call.Run(job) ? absl::OkStatus() : EndWrite(call);
}

// Apart, so that short writes don't pay for 16 KiB of stack.
ABSL_ATTRIBUTE_NOINLINE absl::Status RunLongWrite(Call& call, Pieces& pieces) {
  iovec space[kMaxIovecs];
  return RunWrite(call, pieces, absl::MakeSpan(space));
}

// The state and the limits come first, whatever was passed.
absl::Status WriteNothingOr(absl::Status refusal, Core& core,
                            const Limits& limits) {
  Call call(core, Role::kWrite, limits, kWrite);
  if (!call.Look()) return call.status();
  return refusal.ok() ? refusal : call.Refuse(std::move(refusal));
}

}  // namespace

absl::Status MeasureWrite(absl::Span<const absl::string_view> views,
                          uint64_t& total) {
  total = 0;
  if (views.data() == nullptr && !views.empty()) {
    return InvalidArgument(absl::StrCat("write() refused: ", views.size(),
                                        " pieces at a null address"));
  }
  for (const absl::string_view view : views) {
    if (view.data() == nullptr && !view.empty()) {
      return InvalidArgument(absl::StrCat("write() refused: ", view.size(),
                                          " bytes at a null address"));
    }
    total += view.size();
    if (view.size() > std::numeric_limits<ssize_t>::max() ||
        total > std::numeric_limits<ssize_t>::max()) {
      return InvalidArgument(absl::StrCat(
          "write() refused: ", views.size(), " pieces are more than ",
          std::numeric_limits<ssize_t>::max(), " bytes together"));
    }
  }
  return absl::OkStatus();
}

absl::Status SealedStatus(const Turn& turn) {
  ErrorDetail detail = turn.core().Detail(kWrite, turn.done());
  detail.kind = ErrorKind::kSealed;
  return MakeStatus(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat("write() refused: an earlier write was cut by its limit; ",
                   turn.Context()),
      detail);
}

absl::Status WriteNothing(Core& core, const Limits& limits) {
  return WriteNothingOr(absl::OkStatus(), core, limits);
}

absl::Status WriteView(Core& core, absl::string_view bytes,
                       const Limits& limits) {
  if (bytes.empty() || bytes.data() == nullptr ||
      bytes.size() > std::numeric_limits<ssize_t>::max()) {
    return WriteViews(core, absl::MakeConstSpan(&bytes, 1), limits);
  }
  Call call(core, Role::kWrite, limits, kWrite, bytes.size());
  if (!call.Begin()) return call.status();
  WriteViewJob job(bytes);
  return call.Run(job) ? absl::OkStatus() : EndWrite(call);
}

absl::Status WriteViews(Core& core, absl::Span<const absl::string_view> views,
                        const Limits& limits) {
  uint64_t total = 0;
  absl::Status measured = MeasureWrite(views, total);
  if (total == 0 || !measured.ok()) {
    return WriteNothingOr(std::move(measured), core, limits);
  }
  Call call(core, Role::kWrite, limits, kWrite, total);
  if (!call.Begin()) return call.status();
  ViewPieces pieces(views);
  if (views.size() > kFewIovecs) return RunLongWrite(call, pieces);
  iovec space[kFewIovecs];
  return RunWrite(call, pieces, absl::MakeSpan(space));
}

absl::Status WriteCord(Core& core, const absl::Cord& cord,
                       const Limits& limits) {
  if (cord.empty()) return WriteNothing(core, limits);
  Call call(core, Role::kWrite, limits, kWrite, cord.size());
  if (!call.Begin()) return call.status();
  CordPieces pieces(cord);
  return RunLongWrite(call, pieces);
}

ABSL_ATTRIBUTE_NOINLINE absl::Status WriteResumable(Core& core, Pieces& pieces,
                                                    uint64_t total,
                                                    const Limits& limits,
                                                    uint64_t& accepted) {
  accepted = 0;
  Call call(core, Role::kWrite, limits, kWrite, total);
  if (!call.Begin()) return call.status();
  iovec space[kMaxIovecs];
  WriteJob job(pieces, absl::MakeSpan(space));
  const bool done = call.Run(job);
  accepted = call.turn().done();
  return done ? absl::OkStatus() : call.status();
}

absl::Status FlushHeld(Core& core, const Limits& limits) {
  Call call(core, Role::kWrite, limits, kWrite);
  if (!call.Begin()) return call.status();
  FlushJob job;
  return call.Run(job) ? absl::OkStatus() : call.status();
}

absl::StatusOr<size_t> WriteOneStep(Core& core, absl::string_view bytes,
                                    const Limits& limits) {
  uint64_t total = 0;
  absl::Status measured = MeasureWrite(absl::MakeConstSpan(&bytes, 1), total);
  if (total == 0 || !measured.ok()) {
    const absl::Status over = WriteNothingOr(std::move(measured), core, limits);
    if (!over.ok()) return over;
    return size_t{0};
  }
  Call call(core, Role::kWrite, limits, kWrite, total);
  if (!call.Begin()) return call.status();
  WriteSomeJob job(bytes);
  if (!call.Run(job) && job.taken() == 0) return call.status();
  return job.taken();
}

}  // namespace internal
}  // namespace flow
