// File: buffer.h
//
// Buffer: bytes that a Read returned, owned by the caller.
//
//   absl::StatusOr<flow::OrEof<flow::Buffer>> got = f.Read();
//   ...
//   absl::string_view bytes = got->data().view();
//   absl::Cord all;
//   all.Append(std::move(got->data()).ToCord());   // no copy
//
// A Buffer that Read returned is never empty (SEED.md: "at least 1 byte"), and
// its memory fits what it holds: at most twice its size.
//
// Guarantees: move-only; a moved-from Buffer is empty. As thread-safe as a
// std::string.

#ifndef FLOW_BUFFER_H_
#define FLOW_BUFFER_H_

#include <cstddef>
#include <memory>
#include <ostream>
#include <string>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"

namespace flow {

class Buffer {
 public:
  // Empty.
  Buffer() = default;

  // A copy of `bytes`.
  static Buffer CopyOf(absl::string_view bytes);

  // `capacity` bytes of memory, not cleared; size() is 0 until resized.
  static Buffer WithCapacity(size_t capacity);

  Buffer(Buffer&& other) noexcept
      : data_(std::move(other.data_)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  // Its bytes, and how many there are.
  const char* data() const ABSL_ATTRIBUTE_LIFETIME_BOUND { return data_.get(); }
  char* mutable_data() ABSL_ATTRIBUTE_LIFETIME_BOUND { return data_.get(); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t capacity() const { return capacity_; }

  // The bytes, valid until this Buffer is moved from or destroyed.
  absl::string_view view() const ABSL_ATTRIBUTE_LIFETIME_BOUND {
    return absl::string_view(data_.get(), size_);
  }

  // A copy.
  std::string ToString() const { return std::string(view()); }

  // Gives the memory to a Cord, without a copy.
  absl::Cord ToCord() &&;

  // Says how many of the capacity() bytes are used; more than that is cut to
  // it.
  void SetSize(size_t size) { size_ = size < capacity_ ? size : capacity_; }

  friend bool operator==(const Buffer& a, const Buffer& b) {
    return a.view() == b.view();
  }
  friend bool operator!=(const Buffer& a, const Buffer& b) { return !(a == b); }

  // "Buffer of 12 bytes": never the bytes themselves, which may be secret.
  std::string Describe() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Buffer& buffer) {
    sink.Append(buffer.Describe());
  }
  friend std::ostream& operator<<(std::ostream& os, const Buffer& buffer) {
    return os << buffer.Describe();
  }

 private:
  std::unique_ptr<char[]> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace flow

#endif  // FLOW_BUFFER_H_
