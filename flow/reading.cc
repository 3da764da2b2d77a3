#include "flow/reading.h"

#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/call.h"
#include "flow/job.h"
#include "flow/status.h"
#include "flow/watch.h"

namespace flow {
namespace internal {
namespace {

absl::Status BadSpan(size_t size) {
  return InvalidArgument(
      absl::StrCat("read() refused: a buffer of ", size,
                   " bytes must have an address and be at most ",
                   std::numeric_limits<ssize_t>::max(), " bytes long"));
}

template <typename T>
absl::StatusOr<OrEof<T>> EndingOf(const Call& call) {
  if (call.at_eof()) return OrEof<T>(Eof{});
  return call.status();
}

}  // namespace

absl::StatusOr<OrEof<size_t>> LookForRead(Core& core, size_t size,
                                          const Limits& limits) {
  Call call(core, Role::kRead, limits, core.read_name());
  if (!call.Look()) return EndingOf<size_t>(call);
  if (size > 0) return call.Refuse(BadSpan(size));
  return OrEof<size_t>(size_t{0});
}

absl::StatusOr<OrEof<size_t>> ReadInto(Core& core, absl::Span<char> into,
                                       const Limits& limits) {
  if (into.empty() || into.data() == nullptr ||
      into.size() > std::numeric_limits<ssize_t>::max()) {
    return LookForRead(core, into.size(), limits);
  }
  Call call(core, Role::kRead, limits, core.read_name());
  ReadJob job(into);
  if (!call.Begin() || !call.Run(job)) return EndingOf<size_t>(call);
  return OrEof<size_t>(job.got());
}

absl::StatusOr<OrEof<Buffer>> ReadFresh(Core& core, const Limits& limits) {
  Call call(core, Role::kRead, limits, core.read_name());
  if (!call.Begin()) return EndingOf<Buffer>(call);
  FreshReadJob job;
  job.set_hint(core.read_hint());
  if (!call.Run(job)) return EndingOf<Buffer>(call);
  return OrEof<Buffer>(std::move(job.buffer()));
}

absl::StatusOr<PeerEnd> WaitPeerEnd(Core& core, PeerEnd at_least,
                                    const Limits& limits) {
  Watch watch(core, at_least, limits);
  if (absl::Status s = watch.Begin(); !s.ok()) return watch.Over(s);
  for (;;) {
    const std::optional<PeerEnd> known = watch.Recorded();
    if (known.has_value()) return watch.Over(*known);
    const Attempt a = watch.Try();
    if (a.transferred()) return watch.Over(static_cast<PeerEnd>(a.n()));
    if (absl::Status s = watch.Again(a); !s.ok()) return watch.Over(s);
  }
}

}  // namespace internal
}  // namespace flow
