// File: read_habit.h (internal)
//
// ReadHabit: what a flow remembers of how its reads have fared, and so whether
// the next one tries, waits first or spins (flow/adaptive_reads.h says when, to
// users).
//
// Why a spin may be longer than the 50 us that answers are to take: on a
// virtual machine to wake an idle processor takes 100 us and more [run]. The
// first spin has to outlast the peer's own waking; from then on neither side
// sleeps, and an answer takes a few us. So the first may be as long as twice
// the wait that was seen, while several in a row of more than 50 us end it:
// then the peer is what takes the time, and a sleep costs the processor less.
//
// How many those are: where both sides spin and one has lost its processor for
// a while, both give up, one a few reads before the other, and each begins
// again while the other sleeps. With two neither ever met the other spinning,
// both passed over more waits each time, and a ping-pong between two processors
// that had been disturbed once took ten times as long for a second [run]. As
// many as were passed over, or a share of them, and they meet.
//
// What a spin finds is worth it if it is an answer, or fills memory of 16 KiB
// and more. Else a stream is coming in pieces: who reads it later reads more at
// once. A reader that spins for each piece of 1 KiB makes the stream no faster,
// and takes half as much processor again over TCP; one that takes what is there
// into larger memory makes it a third slower [run].
//
// Why a spin in vain is remembered for so long: where more threads are busy
// than there are processors every wait is short, no spin pays, and each takes
// from the others what some 50 of their waits cost. With at most 256 waits
// between two spins, 100 pairs of threads on two processors took 1.3 to 1.8
// times as long as without [run].
//
// Not thread-safe: by the holder of the read side.

#ifndef FLOW_READ_HABIT_H_
#define FLOW_READ_HABIT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace flow {
namespace internal {

class ReadHabit {
 public:
  // ---- Waiting before trying.
  // The descriptor to wait for before trying; -1: try. Every eighth tries, so
  // that data which is there already is found out.
  int WaitFirst() const {
    return waits_ >= 2 && waits_ % 8 != 0 && !spins_next() ? fd_ : -1;
  }
  // The same for a read that is parked instead. If it need not have waited that
  // costs two threads' switches and not one system call, so there has to be
  // more evidence.
  int ParkFirst() const {
    return waits_ >= kWaitsToPark && waits_ % 8 != 0 ? fd_ : -1;
  }
  void Waited(int fd) {
    fd_ = fd;
    waits_ = waits_ < 255 ? static_cast<uint8_t>(waits_ + 1) : uint8_t{8};
  }
  // It asked first, so nobody knows whether it would have had to wait.
  void WaitedFirst() { Waited(fd_); }
  void FoundData() { waits_ = 0; }

  // ---- Spinning.
  // Whether a read that finds nothing is to spin.
  bool spins_next() const { return budget_ns_ > 0; }
  // For how long, at most.
  int64_t spin_ns() const { return budget_ns_; }
  // Whether somebody wants to know how long the next sleep takes.
  bool measures() const { return skips_ == 0; }

  // A sleep is over, which took so long, or was not measured.
  void Slept(int64_t ns) {
    budget_ns_ = kShortestNs < ns && ns <= kQuickNs
                     ? static_cast<int32_t>(std::min(2 * ns, kLongestSpinNs))
                     : 0;
    slow_in_a_row_ = 0;
  }
  void SleptUnmeasured() {
    if (skips_ > 0) --skips_;
  }

  // Whether something was written since the last call of this: what is awaited
  // then is an answer. `writes` is how often the flow has been written to.
  bool AwaitsAnswer(uint64_t writes) {
    const bool written = static_cast<uint32_t>(writes) != writes_;
    writes_ = static_cast<uint32_t>(writes);
    return written;
  }

  // A spin is over, after so long. `paid`: it found what was worth it.
  void Spun(bool paid, int64_t ns) {
    const bool slow = ns > kAnswerNs;
    if (paid && !slow) {
      next_skips_ = std::max<uint16_t>(next_skips_ / kSkipsGrow, kFirstSkips);
      slow_in_a_row_ = 0;
      return;
    }
    // A slow one is no reason to try again sooner.
    if (paid && ++slow_in_a_row_ < MostSlow()) return;
    budget_ns_ = 0;
    skips_ = next_skips_;
    next_skips_ = std::min<uint16_t>(kSkipsGrow * next_skips_, kMostSkips);
  }

  // A wait that took less slept for no time: the data came between the try and
  // the poll. (Nor is a clock that stands still, as in a test, evidence.)
  static constexpr int64_t kShortestNs = 2'000;
  static constexpr int64_t kQuickNs = 250'000;
  static constexpr int64_t kAnswerNs = 50'000;
  static constexpr int64_t kLongestSpinNs = 300'000;
  // A read of so much is worth a spin without being an answer.
  static constexpr size_t kHandOver = 16 << 10;
  static constexpr uint8_t kWaitsToPark = 8;
  static constexpr uint16_t kFirstSkips = 4;
  static constexpr uint16_t kSkipsGrow = 4;
  static constexpr uint16_t kMostSkips = 4'096;
  // Slow answers in a row that end it: this many, or a half of the waits that
  // were passed over before, up to so many.
  static constexpr uint16_t kFewestSlow = 4;
  static constexpr uint16_t kMostSlow = 16;

 private:
  int MostSlow() const {
    const auto half = static_cast<uint16_t>(next_skips_ / kSkipsGrow / 2);
    return std::clamp(half, kFewestSlow, kMostSlow);
  }

  int fd_ = -1;
  int32_t budget_ns_ = 0;  // of the next spin; 0: none
  uint32_t writes_ = 0;    // of the flow, as AwaitsAnswer saw them
  uint16_t skips_ = 0;     // so many sleeps are not looked at
  uint16_t next_skips_ = kFirstSkips;
  uint8_t waits_ = 0;  // reads in a row that had to wait, as far as known
  uint8_t slow_in_a_row_ = 0;  // spins that took longer than an answer should
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_READ_HABIT_H_
