#include "flow/relay/copier.h"

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "flow/or_eof.h"
#include "flow/status.h"

namespace flow {
namespace internal {
namespace {

// As much as a pipe holds; more gained nothing on sockets.
constexpr size_t kBufferSize = 64 << 10;

}  // namespace

IdleClock::IdleClock(Syscalls* sys, absl::Duration limit)
    : sys_(sys), limit_(limit), last_ns_(sys->Now().nanos()) {}

void IdleClock::Moved() {
  if (!limited()) return;
  last_ns_.store(sys_->Now().nanos(), std::memory_order_relaxed);
}

MonoTime IdleClock::deadline() const {
  if (!limited()) return kNever;
  return MonoTime::FromNanos(last_ns_.load(std::memory_order_relaxed)) + limit_;
}

Copier::Copier(Flow& src, Flow& dst, const Limits& limits, IdleClock& idle)
    : src_(src),
      dst_(dst),
      limits_(limits),
      idle_(idle),
      buffer_(new char[kBufferSize]) {
  // It is of the whole, not of each call: `idle` keeps it.
  limits_.stall_timeout = absl::InfiniteDuration();
}

Limits Copier::CallLimits() const { return limits_.Within(idle_.deadline()); }

bool Copier::GoOnAfter(const absl::Status& status) const {
  if (!idle_.limited() || KindOf(status) != ErrorKind::kDeadline) return false;
  const MonoTime now = src_.syscalls()->Now();
  return now < limits_.deadline && now < limits_.cancel.deadline() &&
         !idle_.Expired();
}

absl::Status Copier::Explain(const absl::Status& status) const {
  if (KindOf(status) != ErrorKind::kDeadline || !idle_.Expired()) return status;
  ErrorDetail detail = DetailOf(status).value_or(ErrorDetail());
  return MakeStatus(
      status.code(),
      absl::StrCat("no byte moved for ", absl::FormatDuration(idle_.limit()),
                   "; ", status.message()),
      detail);
}

bool Copier::Run(CopyResult& result) {
  const uint64_t written_before = dst_.GetStats().bytes_written;
  for (bool at_eof = false;;) {
    const size_t size = ReadChunk(result, at_eof);
    if (at_eof) return true;
    if (!result.read_status.ok()) return false;
    result.bytes_read += size;
    if (!WriteChunk(absl::string_view(buffer_.get(), size), result)) {
      // Not BytesDone: a sticky status repeats the count of an earlier call.
      result.bytes = dst_.GetStats().bytes_written - written_before;
      return false;
    }
    result.bytes += size;
  }
}

bool Copier::EndSink(CopyResult& result) {
  for (;;) {
    const absl::Status told = dst_.Shutdown(ShutdownMode::kWrite, CallLimits());
    if (told.ok()) return true;
    if (GoOnAfter(told)) continue;
    result.write_status = Explain(told);
    return false;
  }
}

size_t Copier::ReadChunk(CopyResult& result, bool& at_eof) {
  for (;;) {
    const absl::StatusOr<OrEof<size_t>> got =
        src_.ReadInto(absl::MakeSpan(buffer_.get(), kBufferSize), CallLimits());
    if (got.ok()) {
      at_eof = got->is_eof();
      if (at_eof) return 0;
      ++result.reads;
      idle_.Moved();
      return got->data();
    }
    if (GoOnAfter(got.status())) continue;
    result.read_status = Explain(got.status());
    return 0;
  }
}

bool Copier::WriteChunk(absl::string_view chunk, CopyResult& result) {
  // A Write is flushed when it is OK, which a step need not be. But a limit
  // that cuts a Write is for good, and the idle limit may turn out to have been
  // moved: so with one, steps it is, and what a layer holds back goes out with
  // its reads.
  if (idle_.limited()) return WriteInSteps(chunk, result);
  result.write_status = dst_.Write(chunk, limits_);
  if (!result.write_status.ok()) return false;
  ++result.writes;
  return true;
}

bool Copier::WriteInSteps(absl::string_view chunk, CopyResult& result) {
  while (!chunk.empty()) {
    const absl::StatusOr<size_t> step = dst_.WriteSome(chunk, CallLimits());
    if (step.ok()) {
      ++result.writes;
      idle_.Moved();
      chunk.remove_prefix(*step);
    } else if (!GoOnAfter(step.status())) {
      result.write_status = Explain(step.status());
      return false;
    }
  }
  return true;
}

}  // namespace internal
}  // namespace flow
