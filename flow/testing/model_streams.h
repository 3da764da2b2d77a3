// File: model_streams.h
//
// The kinds of streams that a ModelPair (model_pair.h) can be made of, with a
// clock for one thread, and the table of what is not the same on all of them:
// where a kind of stream by its nature answers differently from the memory pair
// or can't tell, no comparison is made from that call on.
//
//   LoneClock clock;
//   ModelPair pair(kModelCapacity, MakeEnds(Stream::kTcp, &clock));
//   if (WhyApart(Stream::kTcp, pair.model(), ask) == nullptr) pair.Do(ask);
//
// Not thread-safe.

#ifndef FLOW_TESTING_MODEL_STREAMS_H_
#define FLOW_TESTING_MODEL_STREAMS_H_

#include <cstddef>
#include <cstdint>

#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/model_pair.h"
#include "flow/testing/stream_model.h"

namespace flow_testing {

enum class Stream : uint8_t { kMemory, kSocketpair, kTcp, kPipes };
inline constexpr int kStreams = 4;
const char* StreamName(Stream stream);

// No kind's buffers hold the greater number, and each holds all else that one
// life (model_draw.h) writes besides.
inline constexpr size_t kModelCapacity = size_t{96} << 10;
inline constexpr size_t kModelTooMuch = size_t{192} << 10;

// The kernel for a single thread: a poll that has nothing ready moves the clock
// instead of waiting. (SimSyscalls does so for several threads, with a mutex
// and an eventfd for each sleep.)
class LoneClock : public flow::Syscalls {
 public:
  flow::MonoTime Now() override { return now_; }
  flow::MonoTime CoarseNow() override { return now_; }
  // Aborts if nobody can ever end the wait.
  int Poll(pollfd* fds, nfds_t count, int timeout_ms) override;

 private:
  // Beyond the steady clock of any machine, as SimSyscalls::kStart.
  flow::MonoTime now_ = flow::MonoTime::FromNanos(1'000'000'000'000'000'000);
};

// Two connected flows. `sys` makes their system calls: the clock, or what
// stands on it (FaultSyscalls). Both outlive them.
ModelEnds MakeEnds(Stream stream, flow::Syscalls* sys);

// Why this kind of stream need not answer as the model does, here and from here
// on; null if it has to.
const char* WhyApart(Stream stream, const StreamModel& model,
                     const ModelAsk& ask);

}  // namespace flow_testing

#endif  // FLOW_TESTING_MODEL_STREAMS_H_
