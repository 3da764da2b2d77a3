// File: iovecs.h (internal)
//
// What layers do with the memory of a try: measure it, cut it, fill it, look at
// it. It alone knows how to walk through iovecs.
//
// Guarantees: pure functions; any thread.

#ifndef FLOW_LAYERS_IOVECS_H_
#define FLOW_LAYERS_IOVECS_H_

#include <sys/uio.h>

#include <cstddef>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace flow {
namespace internal {

// As many as most calls have, without an allocation.
using Iovecs = absl::InlinedVector<iovec, 16>;

// How many bytes `parts` are.
size_t TotalLength(absl::Span<const iovec> parts);

// The first `n` bytes of `parts`, 0 < n.
Iovecs FirstOf(absl::Span<const iovec> parts, size_t n);

// Copies what fits of `bytes` into `parts`; how many that was.
size_t CopyInto(absl::Span<const iovec> parts, absl::string_view bytes);

// Shows the first `n` bytes of `parts`, piece by piece.
void ForFirst(absl::Span<const iovec> parts, size_t n,
              absl::FunctionRef<void(absl::Span<char>)> look);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_LAYERS_IOVECS_H_
