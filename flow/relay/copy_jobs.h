// File: copy_jobs.h (internal)
//
// The jobs (flow/job.h) of a copy: taking a chunk from the source, giving it to
// the sink, and moving bytes from a file straight to a sink. The blocking and
// the futures driver run the same.

#ifndef FLOW_RELAY_COPY_JOBS_H_
#define FLOW_RELAY_COPY_JOBS_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "flow/core.h"
#include "flow/job.h"
#include "flow/relay/carrier.h"
#include "flow/relay/movement.h"
#include "flow/relay/relay_options.h"
#include "flow/sys/mono_time.h"
#include "flow/transport.h"
#include "flow/turn.h"
#include "flow/wait_join.h"

namespace flow {
namespace internal {

// A chunk from the source into the carrier, which is empty.
class TakeJob final : public Job {
 public:
  explicit TakeJob(Carrier& carrier) : carrier_(carrier) {}

  Attempt Try(Core& core) override { return carrier_.Take(core); }
  Then Moved(Turn& turn, size_t n) override;

 private:
  Carrier& carrier_;
};

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

// Waits for a sink so that the close of the source ends it.
class SinkWait {
 public:
  explicit SinkWait(Core& source) : source_(source), join_(source.sys()) {}

  // A try begins: before the look at anything.
  void Begin();
  // The wait is over; before the sink is left, whose signal may be its
  // transport's.
  void LetGo() { join_.Begin(); }
  Wait For(const Wait& sink);

 private:
  Core& source_;
  WaitJoin join_;
  uint64_t seq_ = 0;
};

// What is in the carrier to the sink, then the flush.
class GiveJob final : public Job {
 public:
  GiveJob(Carrier& carrier, SourceWatch& watch, Movement& movement)
      : carrier_(carrier),
        watch_(watch),
        movement_(movement),
        wait_(watch.source()) {}

  Attempt Try(Core& core) override;
  Then Moved(Turn& turn, size_t n) override;
  void LetGo() override { wait_.LetGo(); }

  // It was given up for this.
  SourceEnd source_end() const { return source_end_; }

 private:
  Carrier& carrier_;
  SourceWatch& watch_;
  Movement& movement_;
  SinkWait wait_;
  SourceEnd source_end_ = SourceEnd::kNone;
  bool flushing_ = false;
};

// From a file to a socket or a file, in one call. Holds the source, which never
// waits, for each try alone.
class DirectJob final : public Job {
 public:
  // `method`: kSendfile or kCopyFileRange.
  DirectJob(CopyMethod method, Core& source, Movement& movement)
      : method_(method), source_(source), movement_(movement), wait_(source) {}

  Attempt Try(Core& core) override;
  Then Moved(Turn& turn, size_t n) override;

  // If 0: a read has to say what is the matter, the end perhaps.
  size_t moved() const { return moved_; }
  // This will never work.
  bool refused() const { return refused_; }
  bool may_have_signalled() const { return may_have_signalled_; }

 private:
  Attempt Move(const RawEnd& in, const RawEnd& out);

  const CopyMethod method_;
  Core& source_;
  Movement& movement_;
  SinkWait wait_;
  size_t moved_ = 0;
  bool refused_ = false;
  bool may_have_signalled_ = false;
};

// Whether bytes which `sink` has accepted have yet to arrive: an abort would
// destroy them. False where the kernel can't tell.
bool HasBytesOnTheWay(Core& sink);

// The status of a direction that was given up for `end`, which is not kNone.
absl::Status SourceEndStatus(Core& source, SourceEnd end);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_RELAY_COPY_JOBS_H_
