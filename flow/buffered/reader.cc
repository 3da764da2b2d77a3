#include "flow/buffered/reader.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/changed_fields.h"
#include "flow/core.h"
#include "flow/flow_access.h"
#include "flow/layers/prefix.h"
#include "flow/status.h"
#include "flow/transport.h"

namespace flow {
namespace {

constexpr size_t kFirstChunk = 4096;

// `status`, a failure of the flow, with the count of the call that met it: the
// flow knows one refill alone.
absl::Status WithCount(const absl::Status& status, uint64_t done,
                       absl::string_view what = "bytes are there") {
  ErrorDetail detail = DetailOf(status).value_or(ErrorDetail());
  if (detail.bytes_done == done) return status;
  detail.bytes_done = done;
  return MakeStatus(status.code(),
                    absl::StrCat(status.message(), "; ", done, " ", what),
                    detail);
}

absl::Status NoMemory() {
  return InvalidArgument("read() refused: bytes at a null address");
}

}  // namespace

absl::Status Reader::Dropped(const absl::Status& status, uint64_t dropped) {
  return WithCount(status, dropped, "bytes are dropped");
}

Reader::Reader(Flow flow, const ReaderOptions& options)
    : flow_(std::move(flow)),
      read_ahead_(std::max<size_t>(options.read_ahead, 1)),
      chunk_(std::min(kFirstChunk, read_ahead_)) {}

Reader::Reader(Flow* flow, const ReaderOptions& options)
    : flow_(flow),
      read_ahead_(std::max<size_t>(options.read_ahead, 1)),
      chunk_(std::min(kFirstChunk, read_ahead_)) {}

absl::StatusOr<bool> Reader::Refill(size_t wanted, const Limits& limits) {
  const size_t held = bytes_.size();
  bytes_.TrimTo(4 * chunk_);
  bytes_.Reserve(std::max(chunk_, std::min(wanted, 2 * held)));
  const absl::Span<char> room = bytes_.free();
  const absl::StatusOr<OrEof<size_t>> got = flow().ReadInto(room, limits);
  if (!got.ok()) return WithCount(got.status(), held);
  if (got->is_eof()) return false;
  const size_t n = got->data();
  bytes_.Added(n);
  if (n == room.size()) {
    chunk_ = std::min(2 * chunk_, read_ahead_);
  } else if (n < chunk_ / 4) {
    chunk_ = std::max(chunk_ / 2, std::min(kFirstChunk, read_ahead_));
  }
  return true;
}

absl::StatusOr<bool> Reader::Want(size_t n, const Limits& limits) {
  while (bytes_.size() < n) {
    const absl::StatusOr<bool> more = Refill(n, limits);
    if (!more.ok() || !*more) return more;
  }
  return true;
}

absl::StatusOr<bool> Reader::Need(absl::string_view operation, size_t n,
                                  const Limits& limits) {
  const absl::StatusOr<bool> there = Want(n, limits);
  if (!there.ok() || *there || bytes_.empty()) return there;
  return Truncated(operation, bytes_.size(), n);
}

Buffer Reader::Take(size_t n) {
  Buffer taken = Buffer::CopyOf(bytes_.view().substr(0, n));
  bytes_.Consume(n);
  return taken;
}

absl::StatusOr<OrEof<Buffer>> Reader::Read(const Limits& limits) {
  if (bytes_.empty()) return flow().Read(limits);
  return OrEof<Buffer>(Take(bytes_.size()));
}

absl::StatusOr<OrEof<size_t>> Reader::ReadInto(absl::Span<char> into,
                                               const Limits& limits) {
  if (into.empty()) return OrEof<size_t>(size_t{0});
  if (into.data() == nullptr) return NoMemory();
  if (bytes_.empty()) {
    if (into.size() >= chunk_) return flow().ReadInto(into, limits);
    const absl::StatusOr<bool> there = Want(1, limits);
    if (!there.ok()) return there.status();
    if (!*there) return OrEof<size_t>(Eof{});
  }
  const size_t n = std::min(into.size(), bytes_.size());
  std::memcpy(into.data(), bytes_.data(), n);
  bytes_.Consume(n);
  return OrEof<size_t>(n);
}

absl::StatusOr<OrEof<absl::string_view>> Reader::Peek(size_t n,
                                                      const Limits& limits) {
  const absl::StatusOr<bool> there = Want(n, limits);
  if (!there.ok()) return there.status();
  if (!*there && bytes_.empty()) return OrEof<absl::string_view>(Eof{});
  return OrEof<absl::string_view>(bytes_.view().substr(0, n));
}

absl::StatusOr<OrEof<size_t>> Reader::ReadExactly(absl::Span<char> into,
                                                  const Limits& limits) {
  const size_t n = into.size();
  if (into.data() == nullptr && n > 0) return NoMemory();
  if (bytes_.size() < n) {
    if (n - bytes_.size() > read_ahead_) return ReadStraight(into, limits);
    const absl::StatusOr<bool> there = Need("read_exactly", n, limits);
    if (!there.ok()) return there.status();
    if (!*there) return OrEof<size_t>(Eof{});
  }
  if (n == 0) return OrEof<size_t>(n);
  std::memcpy(into.data(), bytes_.data(), n);
  bytes_.Consume(n);
  return OrEof<size_t>(n);
}

absl::StatusOr<OrEof<size_t>> Reader::ReadStraight(absl::Span<char> into,
                                                   const Limits& limits) {
  const size_t held = bytes_.size();
  if (held > 0) std::memcpy(into.data(), bytes_.data(), held);
  size_t have = held;
  while (have < into.size()) {
    const absl::StatusOr<OrEof<size_t>> got =
        flow().ReadInto(into.subspan(have), limits);
    if (got.ok() && got->has_data()) {
      have += got->data();
      continue;
    }
    // Nothing is taken: what came is put behind what was there.
    bytes_.Put(absl::string_view(into.data() + held, have - held));
    if (!got.ok()) return WithCount(got.status(), have);
    if (have == 0) return OrEof<size_t>(Eof{});
    return Truncated("read_exactly", have, into.size());
  }
  bytes_.Consume(held);
  return OrEof<size_t>(have);
}

absl::StatusOr<OrEof<Buffer>> Reader::ReadExactly(size_t n,
                                                  const Limits& limits) {
  const absl::StatusOr<bool> there = Need("read_exactly", n, limits);
  if (!there.ok()) return there.status();
  if (!*there) return OrEof<Buffer>(Eof{});
  return OrEof<Buffer>(Take(n));
}

absl::StatusOr<Buffer> Reader::ReadAll(size_t max_bytes, const Limits& limits) {
  const size_t too_many =
      std::min(max_bytes, std::numeric_limits<size_t>::max() - 1) + 1;
  const absl::StatusOr<bool> more = Want(too_many, limits);
  if (!more.ok()) return more.status();
  if (!*more) return Take(bytes_.size());
  return Failure(
      absl::StatusCode::kResourceExhausted, ErrorKind::kOther, "read_all",
      absl::StrCat("there are more than ", max_bytes, " bytes"), bytes_.size());
}

absl::StatusOr<OrEof<uint64_t>> Reader::Skip(uint64_t n, const Limits& limits) {
  for (uint64_t left = n; left > 0;) {
    if (bytes_.empty()) {
      const absl::StatusOr<bool> more = Refill(1, limits);
      if (!more.ok()) return Dropped(more.status(), n - left);
      if (!*more) {
        if (left == n) return OrEof<uint64_t>(Eof{});
        return Truncated("skip", n - left, n);
      }
    }
    const auto here =
        static_cast<size_t>(std::min<uint64_t>(left, bytes_.size()));
    bytes_.Consume(here);
    left -= here;
  }
  return OrEof<uint64_t>(n);
}

absl::StatusOr<Flow> Reader::Release() {
  if (bytes_.empty()) return absl::StatusOr<Flow>(flow_.Take());
  Syscalls* const sys = flow().syscalls();
  absl::StatusOr<std::unique_ptr<Transport>> transport =
      flow().ReleaseTransport();
  if (!transport.ok()) return transport.status();
  // Nobody uses it, so nothing can fail from here on.
  absl::StatusOr<Flow> whole =
      Prefix(Flow(*std::move(transport), sys), bytes_.view());
  bytes_.Consume(bytes_.size());
  return whole;
}

absl::Status Reader::Failure(absl::StatusCode code, ErrorKind kind,
                             absl::string_view operation,
                             absl::string_view what, uint64_t done) const {
  const internal::Core* const core = internal::FlowAccess::CoreOf(flow());
  ErrorDetail detail;
  if (core != nullptr) detail = core->Detail(operation, done);
  detail.kind = kind;
  detail.bytes_done = done;
  return MakeStatus(
      code,
      absl::StrCat(operation, "() failed: ", what, core == nullptr ? "" : "; ",
                   core == nullptr ? "" : core->Describe()),
      detail);
}

absl::Status Reader::Truncated(absl::string_view operation, uint64_t done,
                               uint64_t wanted) const {
  return Failure(
      absl::StatusCode::kDataLoss, ErrorKind::kTruncated, operation,
      absl::StrCat("the stream ended after ", done, " of ", wanted, " bytes"),
      done);
}

std::string Reader::ToString() const {
  return absl::StrCat("reader, ", Buffered().size(), " B buffered, of ",
                      flow().ToString());
}

std::string ReaderOptions::ToString() const {
  const ReaderOptions usual;
  return internal::ChangedFields()
      .Add("read_ahead", read_ahead, usual.read_ahead)
      .Text();
}

}  // namespace flow
