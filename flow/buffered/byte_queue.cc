#include "flow/buffered/byte_queue.h"

namespace flow {
namespace internal {

void ByteQueue::Reserve(size_t capacity) {
  if (capacity_ < capacity) {
    MoveTo(capacity);
  } else if (room() < (capacity_ - size() + 1) / 2) {
    MoveToFront();
  }
}

void ByteQueue::Put(absl::string_view bytes) {
  if (bytes.empty()) return;
  if (room() < bytes.size()) {
    if (capacity_ - size() < bytes.size()) {
      MoveTo(size() + bytes.size());
    } else {
      MoveToFront();
    }
  }
  Append(bytes.data(), bytes.size());
}

void ByteQueue::TrimTo(size_t capacity) {
  if (empty() && capacity_ > capacity) *this = ByteQueue();
}

void ByteQueue::MoveTo(size_t capacity) {
  std::unique_ptr<char[]> block(new char[capacity]);
  const size_t held = size();
  if (held > 0) std::memcpy(block.get(), block_.get() + begin_, held);
  block_ = std::move(block);
  capacity_ = capacity;
  begin_ = 0;
  end_ = held;
}

void ByteQueue::MoveToFront() {
  const size_t held = size();
  if (held > 0) std::memmove(block_.get(), block_.get() + begin_, held);
  begin_ = 0;
  end_ = held;
}

}  // namespace internal
}  // namespace flow
