// File: byte_queue.h (internal)
//
// ByteQueue: bytes that came and have not gone: the memory of a Reader and of a
// Writer. It alone knows when to move bytes to the front and when to take a
// larger block.
//
// Guarantees: no block before the first byte; none larger than twice what is
// asked for. Moved from, it is empty. As thread-safe as a std::string.

#ifndef FLOW_BUFFERED_BYTE_QUEUE_H_
#define FLOW_BUFFERED_BYTE_QUEUE_H_

#include <cstddef>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace flow {
namespace internal {

class ByteQueue {
 public:
  ByteQueue() = default;
  ByteQueue(ByteQueue&& other) noexcept
      : block_(std::move(other.block_)),
        capacity_(std::exchange(other.capacity_, 0)),
        begin_(std::exchange(other.begin_, 0)),
        end_(std::exchange(other.end_, 0)) {}
  ByteQueue& operator=(ByteQueue&& other) noexcept {
    block_ = std::move(other.block_);
    capacity_ = std::exchange(other.capacity_, 0);
    begin_ = std::exchange(other.begin_, 0);
    end_ = std::exchange(other.end_, 0);
    return *this;
  }

  size_t size() const { return end_ - begin_; }
  bool empty() const { return end_ == begin_; }
  size_t capacity() const { return capacity_; }
  absl::string_view view() const {
    return absl::string_view(block_.get() + begin_, size());
  }
  // The first byte; for who has to have a pointer that is not const.
  char* data() { return block_.get() + begin_; }

  // Room behind the last byte, without moving anything.
  size_t room() const { return capacity_ - end_; }
  absl::Span<char> free() { return {block_.get() + end_, room()}; }
  // The first `n` bytes of free() are taken.
  void Added(size_t n) { end_ += n; }
  // n <= room().
  void Append(const char* bytes, size_t n) {
    std::memcpy(block_.get() + end_, bytes, n);
    end_ += n;
  }

  // The first n <= size() bytes are gone.
  void Consume(size_t n) {
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
  }

  // Makes capacity() at least `capacity`, and room() at least half of what is
  // then free: so bytes are not moved often, and no room is very small.
  void Reserve(size_t capacity);
  // Appends whatever it takes.
  void Put(absl::string_view bytes);
  // Lets go of a block that is larger than `capacity` and empty.
  void TrimTo(size_t capacity);

 private:
  // Into a block of `capacity`, which is enough.
  void MoveTo(size_t capacity);
  void MoveToFront();

  std::unique_ptr<char[]> block_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_BUFFERED_BYTE_QUEUE_H_
