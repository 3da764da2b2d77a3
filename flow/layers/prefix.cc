#include "flow/layers/prefix.h"

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/types/span.h"
#include "flow/layers/forwarding.h"
#include "flow/layers/iovecs.h"
#include "flow/transport.h"

namespace flow {
namespace {

// What is left of the prefix belongs to the read direction.
class PrefixTransport final : public internal::ForwardingTransport {
 public:
  PrefixTransport(std::unique_ptr<Transport> below, absl::Cord bytes)
      : ForwardingTransport("prefix", std::move(below)),
        bytes_(std::move(bytes)) {}

  Attempt TryRead(absl::Span<const iovec> into) override {
    if (!bytes_.empty()) return Attempt::Transferred(Give(into));
    // Below there may be nothing to read, ever.
    return below().can_read() ? below().TryRead(into) : Attempt::Eof();
  }

  Attempt TryShutdown(ShutdownMode half) override {
    if (half == ShutdownMode::kRead) bytes_.Clear();
    return ForwardingTransport::TryShutdown(half);
  }

  Attempt TryDrain(absl::Span<const iovec> scratch) override {
    return below().can_read() ? ForwardingTransport::TryDrain(scratch)
                              : Attempt::Eof();
  }

  // There is something to read at first, if nothing else.
  bool can_read() const override { return true; }

 private:
  size_t Give(absl::Span<const iovec> into) {
    size_t given = 0;
    size_t part = 0;    // of `into`
    size_t filled = 0;  // of that part
    for (absl::string_view chunk : bytes_.Chunks()) {
      if (part == into.size()) break;
      while (!chunk.empty() && part < into.size()) {
        const iovec rest = {static_cast<char*>(into[part].iov_base) + filled,
                            into[part].iov_len - filled};
        const size_t n =
            internal::CopyInto(absl::MakeConstSpan(&rest, 1), chunk);
        chunk.remove_prefix(n);
        given += n;
        filled += n;
        if (filled == into[part].iov_len) {
          ++part;
          filled = 0;
        }
      }
    }
    bytes_.RemovePrefix(given);
    return given;
  }

  absl::Cord bytes_;
};

}  // namespace

absl::StatusOr<Flow> Prefix(Flow below, absl::Cord bytes) {
  if (bytes.empty()) return absl::StatusOr<Flow>(std::move(below));
  return internal::Layered(
      std::move(below),
      [&bytes](std::unique_ptr<Transport> transport, Syscalls* /*sys*/) {
        return std::make_unique<PrefixTransport>(std::move(transport),
                                                 std::move(bytes));
      });
}

absl::StatusOr<Flow> Prefix(Flow below, Buffer bytes) {
  return Prefix(std::move(below), std::move(bytes).ToCord());
}

absl::StatusOr<Flow> Prefix(Flow below, absl::string_view bytes) {
  return Prefix(std::move(below), absl::Cord(bytes));
}

}  // namespace flow
