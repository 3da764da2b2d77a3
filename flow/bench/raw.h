// File: raw.h (testonly)
//
// The raw siblings: what a careful program does with blocking descriptors and
// plain system calls, without limits and without a way to give up. Every ratio
// is to one of these loops, run in the same process.
//
//   OurThread peer([&] { RawEcho(ends.far, 64); });
//   RawWrite(ends.near, message, 64);
//   RawRead(ends.near, message, 64);

#ifndef FLOW_BENCH_RAW_H_
#define FLOW_BENCH_RAW_H_

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>

#include "absl/functional/function_ref.h"
#include "flow/bench/rig.h"

namespace flow_bench {

// One system call: recv or send of a socket (never SIGPIPE), read or write of a
// pipe. What it returns.
ssize_t RawReadSome(const End& end, char* to, size_t size);
ssize_t RawWriteSome(const End& end, const char* from, size_t size);

// All of `size`; false at the end of the stream or when the peer is gone.
bool RawRead(const End& end, char* to, size_t size);
bool RawWrite(const End& end, const char* from, size_t size);
// All of the pieces, by as many calls as it takes. Changes them.
bool RawWritev(const End& end, iovec* pieces, int count);

// Sends back messages of `size` until the peer's end.
void RawEcho(const End& end, size_t size);

// Writes chunks of `size` until the peer is gone. How many bytes it wrote.
size_t RawFeed(const End& end, size_t size);
// The same by `count` pieces of `size` in one call.
size_t RawFeedPieces(const End& end, size_t size, int count);

// Accepts until `listener` is shut down, a detached thread for each connection,
// which is closed after `serve`.
void RawServe(int listener, absl::FunctionRef<void(const End&)> serve);

}  // namespace flow_bench

#endif  // FLOW_BENCH_RAW_H_
