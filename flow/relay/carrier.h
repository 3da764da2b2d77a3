// File: carrier.h (internal)
//
// Carrier: what is between the source and the sink of a copy, in memory or in a
// pipe, and how it gets in and out. It alone knows splice(2), when it pays, and
// how to go on without it.
//
// One chunk at a time: taken until there is something, then given until there
// is nothing. So a splice that would block can only mean the source, or the
// sink, never a pipe that is full, and no more is held than one chunk.
//
// Not thread-safe: belongs to one direction of one copy.

#ifndef FLOW_RELAY_CARRIER_H_
#define FLOW_RELAY_CARRIER_H_

#include <cstddef>
#include <memory>
#include <optional>

#include "flow/core.h"
#include "flow/relay/copy_plan.h"
#include "flow/relay/relay_options.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

inline constexpr size_t kDefaultBuffer = 64 << 10;
inline constexpr size_t kMaxBuffer = 16 << 20;

class Carrier {
 public:
  // `parked`: for the futures driver. No memory is held while the source has
  // nothing, and each splice that can raise SIGPIPE is guarded by itself (else
  // the caller does that for all).
  Carrier(const CopyPlan& plan, size_t buffer_size, bool parked);

  // One try each, in the direction that is held. Took and Gave follow a try
  // that transferred.
  Attempt Take(Core& src);
  Attempt Give(Core& dst);
  // False: a transport said that it moved what it can't have.
  bool Took(size_t n);
  bool Gave(size_t n);

  size_t held() const { return piped_ + (end_ - begin_); }
  // How the last bytes went on.
  CopyMethod method() const { return method_; }
  // A splice may have left a SIGPIPE pending.
  bool may_have_signalled() const { return may_have_signalled_; }

 private:
  // The size of a pipe that is worth it; 0: none is to be had.
  bool MakePipe(Syscalls* sys);
  // Nothing: not by splice.
  std::optional<Attempt> TakeBySplice(const RawEnd& in);
  std::optional<Attempt> GiveBySplice(const RawEnd& out);
  // Bytes from the pipe into memory. Nothing: done.
  std::optional<Attempt> Drain();
  void StopSplicing();
  char* Memory();

  const CopyPlan plan_;
  const size_t buffer_size_;
  const size_t pipe_wanted_;
  const bool frugal_;
  const bool guard_each_;
  bool splicing_;
  bool refused_ = false;           // never again
  bool by_splice_ = false;         // the last try
  bool source_was_empty_ = false;  // to the last splice from it
  bool may_have_signalled_ = false;
  CopyMethod method_ = CopyMethod::kBuffered;
  int full_reads_ = 0;       // in a row
  Syscalls* sys_ = nullptr;  // of the pipe
  UniqueFd pipe_out_;
  UniqueFd pipe_in_;
  size_t pipe_size_ = 0;
  size_t piped_ = 0;  // in the pipe
  std::unique_ptr<char[]> memory_;
  size_t begin_ = 0;  // what is in memory
  size_t end_ = 0;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_RELAY_CARRIER_H_
