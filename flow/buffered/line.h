// File: line.h
//
// Line: what flow::Reader finds before a mark.

#ifndef FLOW_BUFFERED_LINE_H_
#define FLOW_BUFFERED_LINE_H_

#include <cstddef>
#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace flow {

struct Line {
  std::string text;  // without the mark
  // False: the stream ended, in order, before a mark came. Who must not take a
  // part of a command for a whole one looks at this.
  bool terminated = true;

  friend bool operator==(const Line& a, const Line& b) {
    return a.text == b.text && a.terminated == b.terminated;
  }
  friend bool operator!=(const Line& a, const Line& b) { return !(a == b); }
  // "Line of 12 bytes": never the bytes, which may be secret.
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Line& line) {
    sink.Append(line.Describe());
  }
  friend std::ostream& operator<<(std::ostream& os, const Line& line) {
    return os << line.Describe();
  }
  std::string Describe() const {
    return absl::StrCat("Line of ", text.size(), " bytes",
                        terminated ? "" : ", not terminated");
  }
};

namespace internal {

// Where texts end. Pure.
struct LineEnd {
  absl::string_view mark;
  bool crlf_too;  // a CR right before the mark belongs to it

  // A mark in some bytes, of which the first `text` are what it ends.
  struct Place {
    bool found = false;
    size_t text = 0;
    size_t end = 0;  // behind the mark
  };
  // Looks at the bytes from `from` on: those before it have no whole mark.
  Place Find(absl::string_view bytes, size_t from) const;

  // Whether `bytes`, which hold no mark, may begin a text of at most
  // `max_length` bytes with its mark.
  bool MayFit(absl::string_view bytes, size_t max_length) const;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_BUFFERED_LINE_H_
