// File: end_watch.h (internal)
//
// What ends one direction of a copy from the side that it isn't asking at the
// moment. It alone knows how that shows.
//
// While the sink takes nothing, nobody reads the source: SourceWatch sees it
// reset or closed. While the source has nothing, nobody writes to the sink:
// SinkWatch sees that its reader is gone.
//
// Belong to the one thread that moves the direction.

#ifndef FLOW_RELAY_END_WATCH_H_
#define FLOW_RELAY_END_WATCH_H_

#include <cstdint>

#include "absl/status/status.h"
#include "flow/core.h"
#include "flow/sys/mono_time.h"

namespace flow {
namespace internal {

// What ends a relay from the side of its source while the sink takes nothing.
enum class SourceEnd : uint8_t {
  kNone,
  kReset,   // by its peer
  kClosed,  // by this side: another thread has closed or aborted it
};

// Looks at the source while the sink takes nothing: nobody reads, so nobody
// else would see it reset (from time to time) or closed (at once). Only a reset
// for certain counts; an orderly end comes after bytes that are still to be
// read, also if the peer then refuses what is sent to it.
class SourceWatch {
 public:
  explicit SourceWatch(Core& source);

  // Looks, for a reset if it is time to.
  SourceEnd Look(MonoTime now);
  // The instant at which to look for a reset, `now` being one at which the sink
  // is full.
  MonoTime NextLook(MonoTime now);
  Core& source() const { return source_; }
  void SinkMoved() { next_ = kNever; }

 private:
  bool FoundReset(MonoTime now);

  Core& source_;
  bool possible_;  // that it can be seen to have been reset
  MonoTime next_ = kNever;
};

// Looks from time to time whether a pipe that is the sink still has a reader
// (`flowcat - tcp:... | head -c1`). What reads a socket or a terminal that is
// gone is seen by whoever reads that flow; a pipe has no other direction, so
// only a write would tell. A FIFO with a name may get a new reader.
class SinkWatch {
 public:
  explicit SinkWatch(Core& sink) : sink_(sink) {}

  // Looks, if it is time to. True: it takes nothing more, and its writes fail
  // from now on.
  bool FoundGone(MonoTime now);
  // The instant at which to look, `now` being one at which the source is empty.
  MonoTime NextLook(MonoTime now);
  void SourceMoved() { next_ = kNever; }

 private:
  bool IsPipeWithoutAName(int fd) const;

  Core& sink_;
  // Found out at the first look: a busy copy never asks.
  enum class Can : uint8_t { kUnknown, kYes, kNo } can_ = Can::kUnknown;
  MonoTime next_ = kNever;
};

// Whether bytes which `sink` has accepted have yet to arrive: an abort would
// destroy them. False where the kernel can't tell.
bool HasBytesOnTheWay(Core& sink);

// The status of a direction that was given up for `end`, which is not kNone.
absl::Status SourceEndStatus(Core& source, SourceEnd end);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_RELAY_END_WATCH_H_
