#include "flow/writing.h"

#include <sys/uio.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "absl/base/attributes.h"
#include "absl/strings/str_cat.h"
#include "flow/call.h"
#include "flow/pieces.h"
#include "flow/status.h"

namespace flow {
namespace internal {
namespace {

constexpr char kWrite[] = "write";

// The window of most writes. Longer ones take a larger stack frame, so that a
// Writev of up to IOV_MAX pieces is still one system call.
constexpr size_t kFewIovecs = 16;

// Whether `views` can be written at all, and how many bytes they are.
absl::Status Measure(absl::Span<const absl::string_view> views,
                     uint64_t& total) {
  total = 0;
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

uint64_t SizeOf(absl::Span<const iovec> window) {
  uint64_t size = 0;
  for (const iovec& piece : window) size += piece.iov_len;
  return size;
}

// A write that ended early. If a limit cut it in the middle, later writes are
// refused: a retry would repeat bytes.
absl::Status EndWrite(Core& core, const Call& call, uint64_t total) {
  const absl::Status status = call.status();
  if (!call.hit_limit() || call.done() == 0 || call.done() == total) {
    return status;
  }
  ErrorDetail detail;
  detail.kind = ErrorKind::kSealed;
  detail.operation = kWrite;
  detail.bytes_done = call.done();
  core.Seal(MakeStatus(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat("write() refused: an earlier write was cut by its limit; ",
                   call.Context()),
      detail));
  return status;
}

// Sends what `pieces` has, a window at a time, until nothing is left. True when
// all was taken; false: the call has ended.
bool SendAll(Core& core, Call& call, Pieces& pieces, absl::Span<iovec> space,
             uint64_t total) {
  for (;;) {
    const absl::Span<const iovec> window = space.first(pieces.Window(space));
    const Attempt a = core.transport().TryWrite(window);
    if (!a.transferred()) {
      if (a.eof()) return call.Misbehaved("an end of stream from a write");
      if (!call.Again(a)) return false;
      continue;
    }
    if (a.n() == 0 || a.n() > SizeOf(window)) {
      return call.Misbehaved("a write of a length that was not asked for");
    }
    core.CountWritten(a.n());
    pieces.Consume(a.n());
    if (call.done() + a.n() == total) {
      call.Moved(a.n());
      return true;
    }
    if (!call.Progress(a.n())) return false;
  }
}

bool FlushAll(Core& core, Call& call) {
  for (;;) {
    const Attempt a = core.transport().TryFlush();
    if (a.transferred()) return true;
    if (!call.Again(a)) return false;
  }
}

absl::Status WriteAll(Core& core, Call& call, Pieces& pieces,
                      absl::Span<iovec> space, uint64_t total) {
  if (!SendAll(core, call, pieces, space, total) || !FlushAll(core, call)) {
    return EndWrite(core, call, total);
  }
  core.CountWrite();
  return absl::OkStatus();
}

// Apart, so that short writes don't pay for 16 KiB of stack.
ABSL_ATTRIBUTE_NOINLINE absl::Status WriteMany(Core& core, Call& call,
                                               Pieces& pieces, uint64_t total) {
  iovec space[kMaxIovecs];
  return WriteAll(core, call, pieces, absl::MakeSpan(space), total);
}

// Writing nothing: the state's answer, without waiting for a turn.
absl::Status WriteNothing(Core& core, const Limits& limits) {
  Call call(core, Role::kWrite, limits, kWrite);
  return call.Look() ? absl::OkStatus() : call.status();
}

}  // namespace

absl::Status WriteViews(Core& core, absl::Span<const absl::string_view> views,
                        const Limits& limits) {
  uint64_t total = 0;
  const absl::Status measured = Measure(views, total);
  if (total == 0 || !measured.ok()) {
    const absl::Status state = WriteNothing(core, limits);
    return state.ok() ? measured : state;
  }
  Call call(core, Role::kWrite, limits, kWrite, total);
  if (!call.Begin()) return call.status();
  ViewPieces pieces(views);
  if (views.size() > kFewIovecs) return WriteMany(core, call, pieces, total);
  iovec space[kFewIovecs];
  return WriteAll(core, call, pieces, absl::MakeSpan(space), total);
}

absl::Status WriteCord(Core& core, const absl::Cord& cord,
                       const Limits& limits) {
  if (cord.empty()) return WriteNothing(core, limits);
  Call call(core, Role::kWrite, limits, kWrite, cord.size());
  if (!call.Begin()) return call.status();
  CordPieces pieces(cord);
  return WriteMany(core, call, pieces, cord.size());
}

absl::StatusOr<size_t> WriteOneStep(Core& core, absl::string_view bytes,
                                    const Limits& limits) {
  uint64_t total = 0;
  const absl::Status measured = Measure(absl::MakeConstSpan(&bytes, 1), total);
  if (total == 0 || !measured.ok()) {
    const absl::Status state = WriteNothing(core, limits);
    if (!state.ok()) return state;
    if (!measured.ok()) return measured;
    return size_t{0};
  }
  Call call(core, Role::kWrite, limits, kWrite, total);
  if (!call.Begin()) return call.status();
  const iovec piece = {const_cast<char*>(bytes.data()), bytes.size()};
  for (;;) {
    const Attempt a = core.transport().TryWrite(absl::MakeConstSpan(&piece, 1));
    if (!a.transferred()) {
      if (a.eof()) call.Misbehaved("an end of stream from a write");
      if (a.eof() || !call.Again(a)) return call.status();
      continue;
    }
    if (a.n() == 0 || a.n() > bytes.size()) {
      call.Misbehaved("a write of a length that was not asked for");
      return call.status();
    }
    core.CountWritten(a.n());
    core.CountWrite();
    // One push, without waiting: what a layer still holds goes out with the
    // next write or with Shutdown. A failure is recorded, and told to the next
    // call.
    const Attempt flush = core.transport().TryFlush();
    if (flush.failed()) static_cast<void>(call.Again(flush));
    return a.n();
  }
}

}  // namespace internal
}  // namespace flow
