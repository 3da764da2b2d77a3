#include "flow/reading.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/call.h"
#include "flow/status.h"
#include "flow/watch.h"

namespace flow {
namespace internal {
namespace {

// A fresh buffer is read in one of two ways. Small reads go through a scratch
// that the thread keeps, and are copied into memory of exactly their size: 10
// bytes cost 10. Streams that fill the scratch are read straight into a block
// of the size that the last reads filled.
constexpr size_t kScratch = 32 << 10;
constexpr size_t kMaxBlock = 256 << 10;

char* Scratch() {
  static thread_local std::unique_ptr<char[]> scratch;
  if (scratch == nullptr) scratch.reset(new char[kScratch]);
  return scratch.get();
}

size_t NextHint(size_t hint, size_t capacity, size_t n) {
  if (n == capacity) return std::min(std::max(hint, kScratch) * 2, kMaxBlock);
  return n < capacity / 4 ? hint / 2 : hint;
}

absl::Status BadSpan(size_t size) {
  return InvalidArgument(
      absl::StrCat("read() refused: a buffer of ", size,
                   " bytes must have an address and be at most ",
                   std::numeric_limits<ssize_t>::max(), " bytes long"));
}

absl::StatusOr<OrEof<size_t>> EndingOf(const Call& call) {
  if (call.at_eof() && !call.hit_limit()) return OrEof<size_t>(Eof{});
  return call.status();
}

// One read into `into`, by a call that has begun.
absl::StatusOr<OrEof<size_t>> ReadOnce(Core& core, Call& call,
                                       const iovec& into) {
  for (;;) {
    const Attempt a = core.transport().TryRead(absl::MakeConstSpan(&into, 1));
    if (a.transferred()) {
      if (a.n() == 0 || a.n() > into.iov_len) {
        call.Misbehaved("a read of a length that was not asked for");
        return call.status();
      }
      core.CountRead(a.n());
      return OrEof<size_t>(a.n());
    }
    if (!call.Again(a)) return EndingOf(call);
  }
}

// ReadInto of nothing: the state's answer, without waiting for a turn.
absl::StatusOr<OrEof<size_t>> Peek(Core& core, const Limits& limits) {
  Call call(core, Role::kRead, limits, core.read_name());
  if (!call.Look()) return EndingOf(call);
  return OrEof<size_t>(size_t{0});
}

}  // namespace

absl::StatusOr<OrEof<size_t>> ReadInto(Core& core, absl::Span<char> into,
                                       const Limits& limits) {
  if (into.empty()) return Peek(core, limits);
  Call call(core, Role::kRead, limits, core.read_name());
  if (!call.Begin()) return EndingOf(call);
  if (into.data() == nullptr ||
      into.size() > std::numeric_limits<ssize_t>::max()) {
    return BadSpan(into.size());
  }
  return ReadOnce(core, call, iovec{into.data(), into.size()});
}

absl::StatusOr<OrEof<Buffer>> ReadFresh(Core& core, const Limits& limits) {
  Call call(core, Role::kRead, limits, core.read_name());
  if (!call.Begin()) {
    const absl::StatusOr<OrEof<size_t>> end = EndingOf(call);
    if (!end.ok()) return end.status();
    return OrEof<Buffer>(Eof{});
  }
  // Held by this call, so nobody else changes it.
  const size_t hint = core.read_hint();
  Buffer block;
  if (hint > kScratch) block = Buffer::WithCapacity(hint);
  const bool direct = block.capacity() > 0;
  const size_t capacity = direct ? block.capacity() : kScratch;
  const absl::StatusOr<OrEof<size_t>> got = ReadOnce(
      core, call, iovec{direct ? block.mutable_data() : Scratch(), capacity});
  if (!got.ok()) return got.status();
  if (got->is_eof()) return OrEof<Buffer>(Eof{});
  const size_t n = got->data();
  core.set_read_hint(NextHint(hint, capacity, n));
  if (!direct) return OrEof<Buffer>(Buffer::CopyOf({Scratch(), n}));
  block.SetSize(n);
  if (n < capacity / 2) block = Buffer::CopyOf(block.view());
  return OrEof<Buffer>(std::move(block));
}

absl::StatusOr<PeerEnd> WaitPeerEnd(Core& core, PeerEnd at_least,
                                    const Limits& limits) {
  Watch watch(core, limits);
  if (absl::Status s = watch.Begin(); !s.ok()) return s;
  for (;;) {
    const std::optional<PeerEnd> known = watch.Recorded();
    if (known.has_value() && *known >= at_least) return *known;
    const Attempt a = core.transport().TryPeerEnd(at_least);
    if (a.transferred()) return static_cast<PeerEnd>(a.n());
    if (absl::Status s = watch.Again(a); !s.ok()) return s;
  }
}

}  // namespace internal
}  // namespace flow
