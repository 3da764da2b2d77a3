// File: record_source.h (internal)
//
// RecordSource: what a Write offers, in pieces of at most a record. It alone
// puts pieces together that lie apart, so that sixteen small ones are one
// record.

#ifndef FLOW_TLS_RECORD_SOURCE_H_
#define FLOW_TLS_RECORD_SOURCE_H_

#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "absl/types/span.h"
#include "flow/tls/wire.h"

namespace flow {
namespace internal {

class RecordSource {
 public:
  explicit RecordSource(absl::Span<const iovec> parts) : parts_(parts) {}

  bool empty() const { return at_ == parts_.size(); }

  // The next bytes, not yet skipped. `scratch` has room for a record, and is
  // used if they don't lie together.
  absl::Span<const char> Next(char* scratch) const {
    const iovec& part = parts_[at_];
    const size_t here = part.iov_len - offset_;
    const char* const first = static_cast<const char*>(part.iov_base) + offset_;
    if (here >= TlsWire::kRecord || at_ + 1 == parts_.size()) {
      return {first, std::min(here, TlsWire::kRecord)};
    }
    size_t size = 0;
    size_t skip = offset_;
    for (size_t i = at_; i < parts_.size() && size < TlsWire::kRecord; ++i) {
      const size_t n =
          std::min(parts_[i].iov_len - skip, TlsWire::kRecord - size);
      std::memcpy(scratch + size,
                  static_cast<const char*>(parts_[i].iov_base) + skip, n);
      size += n;
      skip = 0;
    }
    return {scratch, size};
  }

  void Skip(size_t n) {
    while (n > 0) {
      const size_t here = std::min(n, parts_[at_].iov_len - offset_);
      offset_ += here;
      n -= here;
      if (offset_ == parts_[at_].iov_len) {
        ++at_;
        offset_ = 0;
      }
    }
  }

 private:
  const absl::Span<const iovec> parts_;
  size_t at_ = 0;
  size_t offset_ = 0;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_TLS_RECORD_SOURCE_H_
