#include "flow/buffered/channel.h"

#include "absl/strings/str_cat.h"

namespace flow {

absl::StatusOr<Flow> Channel::Release(const Limits& limits) {
  const absl::Status flushed = writer_.Flush(limits);
  if (!flushed.ok()) return flushed;
  absl::StatusOr<Flow> released = reader_.Release();
  // The writer finds out that it has no flow any more.
  if (released.ok()) static_cast<void>(writer_.Flush());
  return released;
}

std::string Channel::ToString() const {
  return absl::StrCat("channel of ", flow().ToString());
}

}  // namespace flow
