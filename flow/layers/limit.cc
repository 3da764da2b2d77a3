#include "flow/layers/limit.h"

#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/layers/forwarding.h"
#include "flow/layers/iovecs.h"
#include "flow/sys/errno_table.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"

namespace flow {
namespace {

// Each direction's rest belongs to that direction.
class LimitTransport final : public internal::ForwardingTransport {
 public:
  LimitTransport(std::unique_ptr<Transport> below, const ByteLimits& limits)
      : ForwardingTransport("limit", std::move(below)),
        read_(limits.read),
        write_(limits.write) {}

  Attempt TryRead(absl::Span<const iovec> into) override {
    if (read_.left > 0) return Within(read_, into, &Transport::TryRead);
    if (read_.limit.beyond == BeyondLimit::kEnd) return Attempt::Eof();
    // Only what the peer sends next tells whether it is too much.
    char beyond = 0;
    const iovec one = {&beyond, 1};
    const Attempt a = below().TryRead(absl::MakeConstSpan(&one, 1));
    return a.transferred() ? TooMuch(read_name(), read_.limit) : a;
  }

  Attempt TryWrite(absl::Span<const iovec> from) override {
    if (write_.left > 0) return Within(write_, from, &Transport::TryWrite);
    if (write_.limit.beyond == BeyondLimit::kFail) {
      return TooMuch("write", write_.limit);
    }
    return FailWith(absl::FailedPreconditionError(
                        absl::StrCat("write() refused: the stream ends after ",
                                     write_.limit.bytes, " bytes")),
                    ErrorKind::kClosedByPeer, ErrorScope::kDirection);
  }

 private:
  struct Side {
    explicit Side(const ByteLimit& of) : limit(of), left(of.bytes) {}

    const ByteLimit limit;
    uint64_t left;
  };

  Attempt Within(Side& side, absl::Span<const iovec> parts,
                 Attempt (Transport::*attempt)(absl::Span<const iovec>)) {
    const Attempt a = internal::TotalLength(parts) <= side.left
                          ? (below().*attempt)(parts)
                          : (below().*attempt)(internal::FirstOf(
                                parts, static_cast<size_t>(side.left)));
    // (A transport that claims more breaks its contract, which Flow tells.)
    if (a.transferred()) side.left -= std::min<uint64_t>(side.left, a.n());
    return a;
  }

  Attempt TooMuch(absl::string_view operation, const ByteLimit& limit) {
    return FailWith(absl::ResourceExhaustedError(absl::StrCat(
                        operation, "() failed: beyond the limit of ",
                        limit.bytes, " bytes")),
                    ErrorKind::kOther, ErrorScope::kDirection);
  }

  Side read_;
  Side write_;
};

}  // namespace

absl::StatusOr<Flow> LimitBytes(Flow below, const ByteLimits& limits) {
  return internal::Layered(
      std::move(below),
      [&limits](std::unique_ptr<Transport> transport, Syscalls* /*sys*/) {
        return std::make_unique<LimitTransport>(std::move(transport), limits);
      });
}

absl::string_view BeyondLimitName(BeyondLimit beyond) {
  switch (beyond) {
    case BeyondLimit::kEnd:
      return "end";
    case BeyondLimit::kFail:
      return "fail";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, BeyondLimit beyond) {
  return os << BeyondLimitName(beyond);
}

std::string ByteLimit::ToString() const {
  if (bytes == std::numeric_limits<uint64_t>::max()) return "no limit";
  return absl::StrCat(bytes, " B, then ", BeyondLimitName(beyond));
}

std::string ByteLimits::ToString() const {
  return absl::StrCat("read: ", read.ToString(), "; write: ", write.ToString());
}

}  // namespace flow
