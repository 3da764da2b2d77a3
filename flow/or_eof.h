// File: or_eof.h
//
// OrEof<T>: what a successful read gives: data, or the end of the stream.
//
//   absl::StatusOr<flow::OrEof<flow::Buffer>> got = f.Read();
//   if (!got.ok()) return got.status();       // cut, refused, cancelled, late
//   if (got->is_eof()) return Finish();       // the peer ended in order
//   Consume(got->data());
//
// End of stream is neither an error nor a length of 0: it has a type of its
// own, so that no caller can take one for the other (SEED.md: `or_eof`).
//
// Guarantees: a value; nothing here blocks. As thread-safe as T.

#ifndef FLOW_OR_EOF_H_
#define FLOW_OR_EOF_H_

#include <optional>
#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace flow {

// The end of a stream, as a value: `return flow::Eof{};`
struct Eof {
  friend bool operator==(Eof, Eof) { return true; }
  friend bool operator!=(Eof, Eof) { return false; }

  // "Eof".
  template <typename Sink>
  friend void AbslStringify(Sink& sink, Eof) {
    sink.Append("Eof");
  }
  friend std::ostream& operator<<(std::ostream& os, Eof) { return os << "Eof"; }
};

// Data, or the end of the stream.
template <typename T>
class [[nodiscard]] OrEof {
 public:
  // For generic code.
  using value_type = T;

  // Data. Implicit, so that a function can `return buffer;`.
  // NOLINTNEXTLINE(google-explicit-constructor): see above
  OrEof(T data) : data_(std::move(data)) {}

  // The end of the stream. Implicit, for `return Eof{};`.
  OrEof(Eof) {}  // NOLINT(google-explicit-constructor): see above

  // Either by its name, where a type has to be told.
  static OrEof Data(T data) { return OrEof(std::move(data)); }
  static OrEof AtEof() { return OrEof(Eof{}); }

  // Which of the two it is.
  bool is_eof() const { return !data_.has_value(); }
  bool has_data() const { return data_.has_value(); }

  // The data. Undefined after the end of the stream: look at is_eof() first.
  const T& data() const& { return *data_; }
  T& data() & { return *data_; }
  T&& data() && { return *std::move(data_); }

  // The same by the names of std::optional, for generic code.
  const T& operator*() const& { return *data_; }
  T& operator*() & { return *data_; }
  T&& operator*() && { return *std::move(data_); }
  const T* operator->() const { return &*data_; }
  T* operator->() { return &*data_; }

  friend bool operator==(const OrEof& a, const OrEof& b) {
    return a.data_ == b.data_;
  }
  friend bool operator!=(const OrEof& a, const OrEof& b) { return !(a == b); }

  // "Eof" or "Data(...)", for messages and test failures.
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const OrEof& v) {
    if (v.is_eof()) {
      sink.Append("Eof");
    } else {
      sink.Append("Data(");
      sink.Append(absl::StrCat(*v.data_));
      sink.Append(")");
    }
  }
  friend std::ostream& operator<<(std::ostream& os, const OrEof& v) {
    if (v.is_eof()) return os << "Eof";
    return os << "Data(" << *v.data_ << ")";
  }

 private:
  std::optional<T> data_;
};

}  // namespace flow

#endif  // FLOW_OR_EOF_H_
