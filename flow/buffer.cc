#include "flow/buffer.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace flow {

Buffer Buffer::CopyOf(absl::string_view bytes) {
  Buffer buffer = WithCapacity(bytes.size());
  if (!bytes.empty()) {
    std::memcpy(buffer.data_.get(), bytes.data(), bytes.size());
  }
  buffer.size_ = bytes.size();
  return buffer;
}

Buffer Buffer::WithCapacity(size_t capacity) {
  Buffer buffer;
  if (capacity == 0) return buffer;
  // new char[n], not make_unique: that one would clear memory that a system
  // call is about to fill.
  buffer.data_ = std::unique_ptr<char[]>(new char[capacity]);
  buffer.capacity_ = capacity;
  return buffer;
}

absl::Cord Buffer::ToCord() && {
  // Named before the move: the argument's view must not be read after it.
  const absl::string_view bytes = view();
  size_ = 0;
  capacity_ = 0;
  return absl::MakeCordFromExternal(
      bytes, [data = std::move(data_)](absl::string_view) {});
}

std::string Buffer::Describe() const {
  return absl::StrCat("Buffer of ", size_, " bytes");
}

}  // namespace flow
