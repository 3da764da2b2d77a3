// File: state.h
//
// FlowState: the pure machine that alone decides what a flow answers.
//
// It knows no descriptor, no errno, no thread and no text. It is one 64-bit
// value; an event is a function from a state to the next one and an answer. The
// value is the very word that a flow's Core holds: the function computes, one
// compare-and-swap installs. Blocking calls and futures are both loops around
// it, so they can't come to differ.
//
// Logically a flow has three parts:
//
//   closed?      by Close, Abort or the destructor: ends everything.
//   read side    own shutdown flag + the first end that was recorded:
//                open -> eof | error | draining -> error
//                open -> unsettled -> eof | error
//   write side   own shutdown (no -> shutting -> shut) + the first end:
//                open -> closed by peer | error | sealed
//                open -> unsettled -> closed by peer | error
//                sealed -> closed by peer | error, by a Shutdown that fails
//
// What a call that begins is told. Checks go from left to right; the first that
// holds is the answer (state_test.cc has the same grids, and compares).
//
// clang-format off
// | role       | closed | lingering | shut | shutting | open | unsettled | draining | eof | refused | error | sealed |
// |------------|--------|-----------|------|----------|------|-----------|----------|-----|---------|-------|--------|
// | kRead      | Closed | Closed    | Eof  | -        | Try  | Settle    | Try      | Eof | -       | Error | -      |
// | kDrain     | Closed | Try       | Try  | -        | Try  | Settle    | Try      | Eof | -       | Error | -      |
// | kWrite     | Closed | Closed    | Shut | Shut     | Try  | Settle    | -        | -   | Error   | Error | Sealed |
// | kShutdown  | Closed | Try       | Shut | Try      | Try  | Settle    | -        | -   | Shut    | Shut  | Try    |
// | (shutting) | Closed | Try       | Shut | Try      | Try  | Settle    | -        | -   | Error   | Error | Try    |
// clang-format on
//
// (kDrain reads what is left: CloseGracefully, after it has taken the read side
// from everybody else, "lingering"; and a layer both of whose sides are shut,
// until it is retired: then Closed. "refused" is WriteEnd::kClosedByPeer. The
// last row is a Shutdown that goes on where another was cut: bytes that were to
// be flushed are lost, which is said once.)
//
// What the end of a try does to its own side and to the other; a side that has
// ended stays as it is:
//
// clang-format off
// | a read's try | own: open | open, a write is in a try | draining | other: open |
// |--------------|-----------|---------------------------|----------|-------------|
// | kMoved       | open      | open                      | draining | open        |
// | kWouldBlock  | open      | open                      | error    | open        |
// | kEof         | eof       | unsettled                 | error    | open        |
// | kPeerRefuses | error     | error                     | error    | open        |
// | kFailedSide  | error     | error                     | error    | open        |
// | kFailedFlow  | error     | error                     | error    | error       |
//
// | a write's try | own: open | open, a read is in a try | sealed  | other: open |
// |---------------|-----------|--------------------------|---------|-------------|
// | kMoved        | open      | open                     | sealed  | open        |
// | kWouldBlock   | open      | open                     | sealed  | open        |
// | kEof          | error     | error                    | error   | open        |
// | kPeerRefuses  | refused   | unsettled                | refused | open        |
// | kFailedSide   | error     | error                    | error   | open        |
// | kFailedFlow   | error     | error                    | error   | draining    |
//
// | the try that settles | an unsettled read | an unsettled write |
// |----------------------|-------------------|--------------------|
// | kMoved               | eof               | refused            |
// | kWouldBlock          | eof               | refused            |
// | kEof                 | eof               | refused            |
// | kPeerRefuses         | eof               | refused            |
// | kFailedSide          | eof               | refused            |
// | kFailedFlow          | error             | error              |
// clang-format on
//
// (A sealed side is tried by Shutdown alone, to send the end mark.)
//
// A call that is under way is told by the first table too, but for two cells:
// Closed is Cancelled to it; and a Write whose side has been refused or has
// failed is told that, also if a Shutdown has found the side over meanwhile.
//
// Why "unsettled": the kernel reports a reset once, to whichever thread asks
// first; the other then sees a clean 0, or EPIPE. With a reader and a writer in
// the kernel at once, the 0 can be recorded before the reset is. So an end met
// by one direction while the other is inside a try is not believed before that
// try has ended too: if it failed for the whole flow, that failure is the end
// of both. A try never blocks, so this is settled at once; or within 300 us, if
// the other spins (flow/spin.h), which counts as one try.
//
// Why "draining": data that had arrived before a reset can still be read. After
// the writer has met a failure of the flow, reads go on until they find
// nothing, and then tell the failure: never Eof, never a wait.
//
// Who is in: `inside` counts calls that may touch the transport, `pins` those
// that only need the Core's memory. Each direction is held by one call at a
// time; `queued` says that others wait for it. The last one to leave a closed
// flow is told to run Transport::Close (`run_close`), exactly once; the last
// one to let go of a Core whose handle is gone is told to destroy it
// (`destroy`).
//
// Guarantees: every function is total (all states, all events), pure and free
// of allocation.

#ifndef FLOW_STATE_H_
#define FLOW_STATE_H_

#include <cstdint>

namespace flow {

enum class Direction : uint8_t { kRead, kWrite };

// The first end that was recorded for the read side.
enum class ReadEnd : uint8_t {
  kOpen,       // none
  kUnsettled,  // eof was met while a write was inside a try; that try's end
               // makes it kEof or kError
  kDraining,   // the writer met an error of the flow; from kOpen. What has
               // arrived is still read, then kError
  kEof,        // the peer ended in order; final
  kError,      // final
};

// The first end that was recorded for the write side.
enum class WriteEnd : uint8_t {
  kOpen,          // none
  kUnsettled,     // the peer refused while a read was inside a try; that try's
                  // end makes it kClosedByPeer or kError
  kClosedByPeer,  // the peer takes no more, having ended in order; final
  kError,         // final
  kSealed,        // a limit cut a write in the middle; final for writes, but
                  // a Shutdown that can't send the end mark makes it one of
                  // the two above
};

// This side's own Shutdown(kWrite).
enum class WriteShut : uint8_t {
  kNo,
  kShutting,  // tried; if it is cut by a limit, a later Shutdown goes on
  kShut,      // done; final
};

// As what a call enters.
enum class Role : uint8_t {
  kRead,      // Read, ReadInto
  kDrain,     // CloseGracefully, after Linger()
  kWrite,     // Write, Writev, WriteSome
  kShutdown,  // Shutdown(kWrite)
};

constexpr Direction DirectionOf(Role role) {
  return role == Role::kRead || role == Role::kDrain ? Direction::kRead
                                                     : Direction::kWrite;
}

// How a try of the transport ended.
enum class Tried : uint8_t {
  kMoved,        // bytes moved, or the step is done
  kWouldBlock,   // nothing to be done now
  kEof,          // reads: the peer ended in order
  kPeerRefuses,  // writes: EPIPE and its like
  kFailedSide,   // an error that ends this direction alone
  kFailedFlow,   // an error that ends both
};

// What the machine tells a call.
enum class Answer : uint8_t {
  kTry,        // the direction is yours: try
  kTurn,       // you are inside, but another call has the direction: queue
  kSettle,     // the direction is yours: sleep until the end is settled
  kWait,       // sleep on the Wait that the try returned, then Resume
  kMoved,      // done
  kEof,        // end of stream
  kError,      // the error that is recorded for this side
  kSealed,     // refused: an earlier write was cut
  kShut,       // a write: refused, own Shutdown. A Shutdown: it is shut
  kClosed,     // refused: closed before this call began
  kCancelled,  // closed while this call was under way
};

struct Step;

class FlowState {
 public:
  constexpr FlowState() = default;
  explicit constexpr FlowState(uint64_t bits) : bits_(bits) {}

  // A new flow: its handle lives; a direction that it does not have is shut.
  static FlowState Born(bool can_read, bool can_write);

  constexpr uint64_t bits() const { return bits_; }

  // ---- What is so.
  bool handle() const { return Has(kHandleBit); }
  bool closed() const { return Has(kClosedBit); }
  bool closing() const { return Has(kClosingBit); }  // Close has its runner
  bool retired() const { return Has(kRetiredBit); }  // a layer, both sides shut
  bool lingering() const { return Has(kLingerBit); }  // CloseGracefully reads
  bool read_shut() const { return Has(kReadShutBit); }
  bool read_shut_todo() const { return Has(kReadShutTodoBit); }
  WriteShut write_shut() const {
    return static_cast<WriteShut>(Field(kWriteShutAt, 2));
  }
  ReadEnd read_end() const {
    return static_cast<ReadEnd>(Field(kReadEndAt, 3));
  }
  WriteEnd write_end() const {
    return static_cast<WriteEnd>(Field(kWriteEndAt, 3));
  }
  bool held(Direction d) const { return Has(kHeldBit << At(d)); }
  bool trying(Direction d) const { return Has(kTryingBit << At(d)); }
  bool queued(Direction d) const { return Has(kQueuedBit << At(d)); }
  uint32_t inside() const {
    return static_cast<uint32_t>(Field(kInsideAt, kCountBits));
  }
  uint32_t pins() const {
    return static_cast<uint32_t>(Field(kPinsAt, kCountBits));
  }
  // Neither side will ever be tried again.
  bool BothSidesEnded() const;

  // The first table above, for a call that begins now. Changes nothing.
  Answer Ask(Role role) const;

  // ---- A call's way through.
  // Comes inside and takes the direction if it is free (kTry, kSettle), or
  // stays inside to queue (kTurn); on any other answer it is only pinned.
  Step Enter(Role role) const;
  // After a sleep, or when the turn has come: may the holder try?
  Step Resume(Role role) const;
  // The second table above, and what the holder is told.
  Step AfterTry(Role role, Tried tried) const;
  // Gives the direction back and goes out. A try that is still marked moved
  // bytes. While it is told to `wake`, to `run_shut` or to `hand_over`, the
  // caller still is inside, has to do that first, and then to call it again.
  Step Leave(Direction d) const;
  // Goes out without holding a direction.
  Step LeaveUnheld() const;

  // ---- The same where nothing is in the way, which is nearly always: one
  // look, and the next state. What they say is what Enter (as kRead or kWrite)
  // and Leave say; where they are false, nothing is said, and those must be
  // asked.
  bool EntersPlainly(Direction d) const { return (bits_ & InTheWayIn(d)) == 0; }
  FlowState PlainlyEntered(Direction d) const {
    return FlowState((bits_ | (kHeldBit | kTryingBit) << At(d)) + kOneInside);
  }
  bool LeavesPlainly(Direction d) const {
    return (bits_ & (kInTheWayOut | kQueuedBit << At(d) | kHandleBit)) ==
           kHandleBit;
  }
  FlowState PlainlyLeft(Direction d) const {
    return FlowState((bits_ & ~((kHeldBit | kTryingBit) << At(d))) -
                     kOneInside);
  }

  // ---- The queue of a direction; under the Core's mutex.
  // The holder found nobody in the queue.
  Step ClearQueued(Direction d) const;
  // The holder passes the direction to the first in the queue and is pinned.
  Step HandOver(Direction d, bool more_queued) const;
  // The first in the queue takes the direction if it is free (kTry), else
  // stays.
  Step TakeTurn(Direction d, bool more_queued) const;

  // ---- Events of the whole flow.
  Step Pin() const;          // only keeps the memory
  Step Unpin() const;        // may say `destroy`
  Step EnterUnheld() const;  // inside without a direction: kTry, or kClosed and
                             // only pinned
  // Shutdown(kRead): kTry, and the caller (pinned) holds the read direction to
  // run Transport::TryShutdown(kRead) and come inside; or kShut: nothing is to
  // be done by the caller.
  Step ShutRead() const;
  Step ShutdownDone() const;  // the holder of kShutdown has told the peer
  Step Seal() const;          // the holder of kWrite was cut in the middle
  // CloseGracefully takes the read side from all but its like: kTry; kClosed
  Step Linger() const;
  Step Retire() const;      // a layer, both sides shut: close when all are out
  Step Close() const;       // by a pinned caller: kTry: the first; kClosed
  Step DropHandle() const;  // by a pinned caller, after Close
  // ReleaseTransport, by a pinned caller: kTry, and the flow is closed without
  // Transport::Close; kClosed, or kError if it is not as it was born.
  Step Release(bool can_read, bool can_write) const;

  friend constexpr bool operator==(FlowState a, FlowState b) {
    return a.bits_ == b.bits_;
  }

 private:
  static constexpr uint64_t kHandleBit = 1u << 0;
  static constexpr uint64_t kClosedBit = 1u << 1;
  static constexpr uint64_t kClosingBit = 1u << 2;
  static constexpr uint64_t kRetiredBit = 1u << 3;
  static constexpr uint64_t kLingerBit = 1u << 4;
  static constexpr uint64_t kReadShutBit = 1u << 5;
  static constexpr uint64_t kReadShutTodoBit = 1u << 6;
  static constexpr int kWriteShutAt = 7;
  static constexpr int kReadEndAt = 9;
  static constexpr int kWriteEndAt = 12;
  // Per direction, shifted by At(direction).
  static constexpr uint64_t kHeldBit = 1u << 15;
  static constexpr uint64_t kTryingBit = 1u << 17;
  static constexpr uint64_t kQueuedBit = 1u << 19;
  static constexpr int kInsideAt = 24;
  static constexpr int kPinsAt = 44;
  static constexpr int kCountBits = 20;
  static constexpr uint64_t kOneInside = uint64_t{1} << kInsideAt;
  static constexpr uint64_t kOnePin = uint64_t{1} << kPinsAt;

  static constexpr int At(Direction d) { return d == Direction::kRead ? 0 : 1; }
  // 0 in each of these fields is "open".
  static constexpr uint64_t InTheWayIn(Direction d) {
    return kClosedBit | kLingerBit | (kHeldBit | kQueuedBit) << At(d) |
           (d == Direction::kRead
                ? kReadShutBit | uint64_t{7} << kReadEndAt
                : uint64_t{3} << kWriteShutAt | uint64_t{7} << kWriteEndAt);
  }
  static constexpr uint64_t kInTheWayOut =
      kClosedBit | kRetiredBit | kReadShutTodoBit | uint64_t{7} << kReadEndAt |
      uint64_t{7} << kWriteEndAt;
  bool Has(uint64_t bit) const { return (bits_ & bit) != 0; }
  uint64_t Field(int at, int width) const {
    return (bits_ >> at) & ((uint64_t{1} << width) - 1);
  }
  void Set(uint64_t bit, bool on) { bits_ = on ? bits_ | bit : bits_ & ~bit; }
  void SetField(int at, int width, uint64_t value);
  void SetReadEnd(ReadEnd end) {
    SetField(kReadEndAt, 3, static_cast<uint64_t>(end));
  }
  void SetWriteEnd(WriteEnd end) {
    SetField(kWriteEndAt, 3, static_cast<uint64_t>(end));
  }
  void SetWriteShut(WriteShut shut) {
    SetField(kWriteShutAt, 2, static_cast<uint64_t>(shut));
  }
  void SetHeld(Direction d, bool on) { Set(kHeldBit << At(d), on); }
  void SetTrying(Direction d, bool on) { Set(kTryingBit << At(d), on); }
  void SetQueued(Direction d, bool on) { Set(kQueuedBit << At(d), on); }

  Answer AskRead() const;
  Answer AskDrain() const;
  Answer AskReadEnd() const;
  Answer AskWrite() const;
  Answer AskShutdown() const;
  Answer AskUnderWay(Role role) const;
  void BeginTry(Role role, Answer answer);
  static void Settle(Step& step, Direction of_try, bool failed_flow);
  static void RecordRead(Step& step, Tried tried);
  static void RecordWrite(Step& step, Tried tried);
  static void GoOut(Step& step);

  uint64_t bits_ = 0;
};

// The outcome of an event: the next state, what the caller is told, and what
// has to be done once the next state is installed.
struct Step {
  FlowState next;
  Answer answer = Answer::kMoved;
  bool wake = false;          // those who sleep must look again
  bool record_read = false;   // the try's error is now the read side's
  bool record_write = false;  // the try's error is now the write side's
  bool run_shut = false;      // run Transport::TryShutdown(kRead)
  bool hand_over = false;     // somebody waits for the direction
  bool run_close = false;     // run Transport::Close; the caller is pinned
  bool destroy = false;       // destroy the Core
};

}  // namespace flow

#endif  // FLOW_STATE_H_
