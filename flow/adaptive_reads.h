// File: adaptive_reads.h
//
// AdaptiveReads: which habits a flow on a plain descriptor may take on when its
// reads keep having to wait. Both are bounded, are given up when they
// don't pay, and can be switched off when a flow is made: FdOptions, NetOptions
// and ListenOptions have one of these.
//
//   FdOptions options;
//   options.adaptive.spins = false;  // processor time is dearer than latency
//   absl::StatusOr<Flow> flow = Adopt(std::move(fd), options);
//
// Flows of TLS over such a descriptor spin as it does, and never wait first.
// Neither changes what a call answers, and an idle flow never spins: no wait
// that took longer than a quarter of a millisecond is followed by one. The
// tries of a spin, at most 12, come before the call's first sleep, from which
// on P4 counts its system calls. Futures wait first too, in their poller, after
// eight waits in a row; they never spin.
//
// A value; each flow keeps its own.

#ifndef FLOW_ADAPTIVE_READS_H_
#define FLOW_ADAPTIVE_READS_H_

#include <ostream>
#include <string>

namespace flow {

struct AdaptiveReads {
  // Reads that keep having to wait, one after the other, ask poll(2) before
  // they try: one system call less for each, of a request's three. It is given
  // up as soon as a read finds data at once, which every eighth looks for. Off:
  // every read tries first.
  bool waits_first = true;

  // A read whose like has just had to wait, and not for long (250 us), tries up
  // to 12 times more before it sleeps, with growing pauses in which it keeps
  // the processor: for at most twice as long as that wait took, or 300 us. That
  // is worth it where another processor is about to answer and being woken
  // takes longer than the answer. Where it was in vain, or found neither an
  // answer to a write nor as much as was asked for (at least 16 KiB), or the
  // answers take longer than 50 us several times in a row (4, up to 16), the
  // next 4 waits are not spun for, then 16, up to 4,096. Off: never; nor is it
  // done where the process has only one processor. (A quota of processor time,
  // cpu.max of a control group, is not looked at: where that is what is short,
  // turn it off.)
  bool spins = true;

  // "spins=no": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const AdaptiveReads& reads) {
    sink.Append(reads.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os,
                                  const AdaptiveReads& reads) {
    return os << reads.ToString();
  }
};

}  // namespace flow

#endif  // FLOW_ADAPTIVE_READS_H_
