#include "flow/layers/iovecs.h"

#include <algorithm>
#include <cstring>

namespace flow {
namespace internal {

size_t TotalLength(absl::Span<const iovec> parts) {
  size_t total = 0;
  for (const iovec& part : parts) total += part.iov_len;
  return total;
}

Iovecs FirstOf(absl::Span<const iovec> parts, size_t n) {
  Iovecs first;
  for (const iovec& part : parts) {
    first.push_back({part.iov_base, std::min(part.iov_len, n)});
    n -= first.back().iov_len;
    if (n == 0) break;
  }
  return first;
}

size_t CopyInto(absl::Span<const iovec> parts, absl::string_view bytes) {
  size_t copied = 0;
  for (const iovec& part : parts) {
    const size_t n = std::min(part.iov_len, bytes.size() - copied);
    if (n == 0) break;
    std::memcpy(part.iov_base, bytes.data() + copied, n);
    copied += n;
  }
  return copied;
}

void ForFirst(absl::Span<const iovec> parts, size_t n,
              absl::FunctionRef<void(absl::Span<char>)> look) {
  for (const iovec& part : parts) {
    const size_t size = std::min(part.iov_len, n);
    if (size == 0) break;
    look(absl::MakeSpan(static_cast<char*>(part.iov_base), size));
    n -= size;
  }
}

}  // namespace internal
}  // namespace flow
