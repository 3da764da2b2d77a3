// Any bytes in any pieces, taken in any steps: a libFuzzer target.
//
//   tools/fuzz --seconds=60 iovecs_fuzz
//
// An input is: the number of pieces, the width of a window, the number of
// steps, a byte for each piece (its length), a byte for each step, and the
// bytes. All that walks through pieces of memory is compared with one string
// that is cut: Pieces (of views, of a Cord), the helpers of layers,
// what an fd is given at once, and Buffer.
// (iovecs_fuzz_corpus_test replays the corpus in every test run.)

#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/buffer.h"
#include "flow/fd/fd_end.h"
#include "flow/layers/iovecs.h"
#include "flow/pieces.h"

namespace {

using flow::internal::Pieces;

void Check(bool holds) {
  if (!holds) std::abort();
}

absl::string_view ViewOf(const iovec& part) {
  return {static_cast<const char*>(part.iov_base), part.iov_len};
}

std::string Joined(absl::Span<const iovec> parts) {
  std::string all;
  for (const iovec& part : parts) all.append(ViewOf(part));
  return all;
}

struct Input {
  size_t width = 1;  // of a window
  absl::string_view steps;
  std::vector<absl::string_view> pieces;
  absl::string_view bytes;  // all of them together
};

// How many bytes the i-th step takes of `most`; never none.
size_t StepOf(const Input& in, size_t i, size_t most) {
  if (in.steps.empty()) return most;
  const auto wanted = static_cast<unsigned char>(in.steps[i % in.steps.size()]);
  return std::min<size_t>(wanted + size_t{1}, most);
}

// What is sent through `pieces`, in the input's steps, is `all`.
void CheckPieces(Pieces& pieces, const Input& in, absl::string_view all) {
  std::vector<iovec> space(in.width);
  for (size_t i = 0;; ++i) {
    const size_t count = pieces.Window(absl::MakeSpan(space));
    Check(count <= in.width);
    const absl::Span<const iovec> window =
        absl::MakeConstSpan(space).first(count);
    for (const iovec& part : window) Check(part.iov_len > 0);
    const std::string offered = Joined(window);
    Check(all.substr(0, offered.size()) == offered);
    Check((count == 0) == all.empty());
    if (count == 0) return;
    const size_t n = StepOf(in, i, offered.size());
    pieces.Consume(n);
    all.remove_prefix(n);
  }
}

void CheckAllPieces(const Input& in) {
  flow::internal::ViewPieces views(in.pieces);
  CheckPieces(views, in, in.bytes);
  absl::Cord cord;
  for (const absl::string_view piece : in.pieces) {
    // Chunks of their own, which Append of a view would copy together.
    cord.Append(absl::MakeCordFromExternal(piece, [] {}));
  }
  Check(cord.size() == in.bytes.size());
  flow::internal::CordPieces chunks(cord);
  CheckPieces(chunks, in, in.bytes);
}

// The first `n` bytes of the pieces, 0 < n.
void CheckFirst(absl::Span<const iovec> parts, const Input& in, size_t n) {
  const absl::string_view first = in.bytes.substr(0, n);
  Check(Joined(flow::internal::FirstOf(parts, n)) == first);
  std::string seen;
  flow::internal::ForFirst(parts, n, [&seen](absl::Span<char> part) {
    seen.append(part.data(), part.size());
  });
  // It stops at an empty part, which no try of a transport has.
  Check(seen == first);
}

void CheckHelpers(const Input& in) {
  std::string memory(in.bytes);
  std::vector<iovec> parts;
  size_t at = 0;
  for (const absl::string_view piece : in.pieces) {
    if (!piece.empty()) parts.push_back({&memory[at], piece.size()});
    at += piece.size();
  }
  Check(flow::internal::TotalLength(parts) == in.bytes.size());
  for (size_t i = 0; i < in.steps.size() && !in.bytes.empty(); ++i) {
    const size_t n = StepOf(in, i, in.bytes.size());
    CheckFirst(parts, in, n);
    iovec cut;
    const std::string given = Joined(flow::internal::Trim(parts, n, cut));
    Check(!given.empty() && given.size() <= n);
    Check(in.bytes.substr(0, given.size()) == given);
  }
  // Copied over itself, and over what is too short for it.
  std::string turned(in.bytes.rbegin(), in.bytes.rend());
  Check(flow::internal::CopyInto(parts, turned) == turned.size());
  Check(memory == turned);
  Check(flow::internal::CopyInto(parts, turned + "more") == turned.size());
  Check(memory == turned);
}

void CheckBuffer(const Input& in) {
  flow::Buffer buffer = flow::Buffer::CopyOf(in.bytes);
  Check(buffer.view() == in.bytes && buffer.ToString() == in.bytes);
  buffer.SetSize(in.width);
  const absl::string_view left =
      in.bytes.substr(0, std::min(in.width, buffer.capacity()));
  Check(buffer.view().substr(0, left.size()) == left);
  flow::Buffer moved = std::move(buffer);
  Check(buffer.empty() && buffer.capacity() == 0);  // NOLINT: what is promised
  Check(moved.view().substr(0, left.size()) == left);
  const std::string said(moved.view());
  Check(std::string(std::move(moved).ToCord()) == said);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3 || size > (1u << 14)) return 0;
  absl::string_view left(reinterpret_cast<const char*>(data) + 3, size - 3);
  Input in;
  in.width = data[1] % 20 + size_t{1};
  const absl::string_view lengths = left.substr(0, data[0]);
  left.remove_prefix(lengths.size());
  in.steps = left.substr(0, data[2]);
  left.remove_prefix(in.steps.size());
  const absl::string_view all = left;
  for (const char length : lengths) {
    in.pieces.push_back(left.substr(0, static_cast<unsigned char>(length)));
    left.remove_prefix(in.pieces.back().size());
  }
  in.bytes = all.substr(0, all.size() - left.size());
  CheckAllPieces(in);
  CheckHelpers(in);
  CheckBuffer(in);
  return 0;
}
