// File: copy_jobs.h (internal)
//
// The jobs (flow/job.h) of a copy: taking a chunk from the source, giving it to
// the sink, and moving bytes from a file straight to a sink. The blocking and
// the futures driver run the same.

#ifndef FLOW_RELAY_COPY_JOBS_H_
#define FLOW_RELAY_COPY_JOBS_H_

#include <cstddef>
#include <cstdint>

#include "flow/core.h"
#include "flow/job.h"
#include "flow/relay/carrier.h"
#include "flow/relay/end_watch.h"
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
  TakeJob(Carrier& carrier, SinkWatch& watch)
      : carrier_(carrier), watch_(watch) {}

  Attempt Try(Core& core) override;
  Then Moved(Turn& turn, size_t n) override;

  // It was given up since nobody is left to read what the sink takes.
  bool sink_gone() const { return sink_gone_; }

 private:
  Carrier& carrier_;
  SinkWatch& watch_;
  bool sink_gone_ = false;
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

}  // namespace internal
}  // namespace flow

#endif  // FLOW_RELAY_COPY_JOBS_H_
