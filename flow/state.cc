#include "flow/state.h"

namespace flow {

FlowState FlowState::Born(bool can_read, bool can_write) {
  FlowState s;
  s.Set(kHandleBit, true);
  s.Set(kReadShutBit, !can_read);
  s.SetWriteShut(can_write ? WriteShut::kNo : WriteShut::kShut);
  return s;
}

void FlowState::SetField(int at, int width, uint64_t value) {
  const uint64_t mask = ((uint64_t{1} << width) - 1) << at;
  bits_ = (bits_ & ~mask) | (value << at);
}

bool FlowState::BothSidesEnded() const {
  const bool read_ended = read_shut() || read_end() == ReadEnd::kEof ||
                          read_end() == ReadEnd::kError;
  const bool write_ended = write_shut() == WriteShut::kShut ||
                           write_end() == WriteEnd::kClosedByPeer ||
                           write_end() == WriteEnd::kError;
  return read_ended && write_ended;
}

Answer FlowState::Ask(Role role) const {
  switch (role) {
    case Role::kRead:
      return AskRead();
    case Role::kDrain:
      return AskDrain();
    case Role::kWrite:
      return AskWrite();
    case Role::kShutdown:
      return AskShutdown();
  }
  return Answer::kClosed;
}

Answer FlowState::AskRead() const {
  if (closed() || lingering()) return Answer::kClosed;
  if (read_shut()) return Answer::kEof;
  return AskReadEnd();
}

Answer FlowState::AskDrain() const {
  // A layer that is retired may have lost its transport already.
  if (closed() || retired()) return Answer::kClosed;
  return AskReadEnd();
}

Answer FlowState::AskReadEnd() const {
  switch (read_end()) {
    case ReadEnd::kOpen:
    case ReadEnd::kDraining:
      return Answer::kTry;
    case ReadEnd::kUnsettled:
      return Answer::kSettle;
    case ReadEnd::kEof:
      return Answer::kEof;
    case ReadEnd::kError:
      return Answer::kError;
  }
  return Answer::kClosed;
}

Answer FlowState::AskWrite() const {
  if (closed() || lingering()) return Answer::kClosed;
  if (write_shut() != WriteShut::kNo) return Answer::kShut;
  switch (write_end()) {
    case WriteEnd::kOpen:
      return Answer::kTry;
    case WriteEnd::kUnsettled:
      return Answer::kSettle;
    case WriteEnd::kClosedByPeer:
    case WriteEnd::kError:
      return Answer::kError;
    case WriteEnd::kSealed:
      return Answer::kSealed;
  }
  return Answer::kClosed;
}

Answer FlowState::AskShutdown() const {
  if (closed()) return Answer::kClosed;
  if (write_shut() == WriteShut::kShut) return Answer::kShut;
  switch (write_end()) {
    case WriteEnd::kOpen:
    case WriteEnd::kSealed:
      return Answer::kTry;
    case WriteEnd::kUnsettled:
      return Answer::kSettle;
    case WriteEnd::kClosedByPeer:
    case WriteEnd::kError:
      // Bytes that were to be flushed are lost: said once, to this Shutdown.
      return write_shut() == WriteShut::kShutting ? Answer::kError
                                                  : Answer::kShut;
  }
  return Answer::kClosed;
}

Answer FlowState::AskUnderWay(Role role) const {
  const Answer answer = Ask(role);
  // Closed while the call was under way, not before it.
  if (answer == Answer::kClosed) return Answer::kCancelled;
  // A Shutdown waits for the Write under way, unless the side has ended: then
  // that end came first.
  if (role == Role::kWrite && answer == Answer::kShut &&
      (write_end() == WriteEnd::kClosedByPeer ||
       write_end() == WriteEnd::kError)) {
    return Answer::kError;
  }
  return answer;
}

// What the answer to the holder of a direction does to the state.
void FlowState::BeginTry(Role role, Answer answer) {
  SetTrying(DirectionOf(role), answer == Answer::kTry);
  if (role == Role::kShutdown &&
      (answer == Answer::kShut || answer == Answer::kError)) {
    SetWriteShut(WriteShut::kShut);
  }
}

Step FlowState::Enter(Role role) const {
  const Direction d = DirectionOf(role);
  Step step{*this, Ask(role)};
  if (step.answer != Answer::kTry && step.answer != Answer::kSettle) {
    step.next.bits_ += kOnePin;
    if (role == Role::kShutdown && step.answer != Answer::kClosed) {
      step.next.SetWriteShut(WriteShut::kShut);
    }
    return step;
  }
  step.next.bits_ += kOneInside;
  if (held(d) || queued(d)) {
    step.next.SetQueued(d, true);
    step.answer = Answer::kTurn;
    return step;
  }
  step.next.SetHeld(d, true);
  step.next.BeginTry(role, step.answer);
  return step;
}

Step FlowState::Resume(Role role) const {
  Step step{*this, AskUnderWay(role)};
  step.next.BeginTry(role, step.answer);
  return step;
}

// The try of one direction has ended, so an end that the other direction met
// meanwhile can be told from a failure of the flow.
void FlowState::Settle(Step& step, Direction of_try, bool failed_flow) {
  FlowState& s = step.next;
  if (of_try == Direction::kRead && s.write_end() == WriteEnd::kUnsettled) {
    s.SetWriteEnd(failed_flow ? WriteEnd::kError : WriteEnd::kClosedByPeer);
    step.record_write = failed_flow;
    step.wake = true;
  }
  if (of_try == Direction::kWrite && s.read_end() == ReadEnd::kUnsettled) {
    s.SetReadEnd(failed_flow ? ReadEnd::kError : ReadEnd::kEof);
    step.record_read = failed_flow;
    step.wake = true;
  }
}

// A read's try ended with `tried`: what it does to the sides that are open.
void FlowState::RecordRead(Step& step, Tried tried) {
  FlowState& s = step.next;
  const bool failed = tried == Tried::kFailedFlow ||
                      tried == Tried::kFailedSide ||
                      tried == Tried::kPeerRefuses;
  if (s.read_end() == ReadEnd::kDraining && tried != Tried::kMoved) {
    s.SetReadEnd(ReadEnd::kError);  // the writer's error, which is recorded
  } else if (s.read_end() == ReadEnd::kOpen && failed) {
    s.SetReadEnd(ReadEnd::kError);
    step.record_read = true;
  } else if (s.read_end() == ReadEnd::kOpen && tried == Tried::kEof) {
    s.SetReadEnd(s.trying(Direction::kWrite) ? ReadEnd::kUnsettled
                                             : ReadEnd::kEof);
  }
  if (tried == Tried::kFailedFlow && s.write_end() == WriteEnd::kOpen) {
    s.SetWriteEnd(WriteEnd::kError);
    step.record_write = true;
    step.wake = true;
  }
}

// A write's try ended with `tried`: what it does to the sides that are open.
void FlowState::RecordWrite(Step& step, Tried tried) {
  FlowState& s = step.next;
  if (s.write_end() == WriteEnd::kOpen || s.write_end() == WriteEnd::kSealed) {
    const bool sealed = s.write_end() == WriteEnd::kSealed;
    switch (tried) {
      case Tried::kMoved:
      case Tried::kWouldBlock:
        break;
      case Tried::kPeerRefuses:
        s.SetWriteEnd(s.trying(Direction::kRead) && !sealed
                          ? WriteEnd::kUnsettled
                          : WriteEnd::kClosedByPeer);
        step.record_write = true;
        break;
      case Tried::kEof:  // no answer of a write: a failure of the transport
      case Tried::kFailedSide:
      case Tried::kFailedFlow:
        s.SetWriteEnd(WriteEnd::kError);
        step.record_write = true;
        break;
    }
  }
  if (tried == Tried::kFailedFlow && s.read_end() == ReadEnd::kOpen) {
    s.SetReadEnd(ReadEnd::kDraining);
    step.record_read = true;
    step.wake = true;
  }
}

Step FlowState::AfterTry(Role role, Tried tried) const {
  const Direction d = DirectionOf(role);
  Step step{*this};
  step.next.SetTrying(d, false);
  Settle(step, d, tried == Tried::kFailedFlow);
  if (d == Direction::kRead) {
    RecordRead(step, tried);
  } else {
    RecordWrite(step, tried);
  }
  if (tried == Tried::kMoved) return step;  // what has moved is never lost
  if (role == Role::kShutdown && write_shut() == WriteShut::kNo) {
    step.next.SetWriteShut(WriteShut::kShutting);
    step.wake |= queued(Direction::kWrite);  // writes are refused from now on
  }
  step.answer = step.next.AskUnderWay(role);
  if (step.answer == Answer::kTry) step.answer = Answer::kWait;
  if (role == Role::kShutdown && step.answer == Answer::kError) {
    step.next.SetWriteShut(WriteShut::kShut);
  }
  return step;
}

// One call goes out. The last one out of a flow that is over runs Close, for
// which it stays pinned.
void FlowState::GoOut(Step& step) {
  FlowState& s = step.next;
  s.bits_ -= kOneInside;
  if (s.inside() > 0) return;
  if ((s.closed() || s.retired()) && !s.closing()) {
    s.Set(kClosingBit, true);
    s.bits_ += kOnePin;
    step.run_close = true;
    return;
  }
  step.destroy = !s.handle() && s.pins() == 0;
}

Step FlowState::Leave(Direction d) const {
  Step step{*this};
  if (trying(d)) {
    step.next.SetTrying(d, false);
    Settle(step, d, /*failed_flow=*/false);
    if (step.wake) return step;
  }
  if (d == Direction::kRead && read_shut_todo()) {
    step.next.Set(kReadShutTodoBit, false);
    step.run_shut = true;
    return step;
  }
  if (queued(d)) {
    step.hand_over = true;
    return step;
  }
  step.next.SetHeld(d, false);
  GoOut(step);
  return step;
}

Step FlowState::LeaveUnheld() const {
  Step step{*this};
  GoOut(step);
  return step;
}

Step FlowState::ClearQueued(Direction d) const {
  Step step{*this};
  step.next.SetQueued(d, false);
  return step;
}

Step FlowState::HandOver(Direction d, bool more_queued) const {
  Step step{*this};
  step.next.SetQueued(d, more_queued);
  // The next holder is inside, so the flow can't be over here.
  step.next.bits_ = step.next.bits_ - kOneInside + kOnePin;
  return step;
}

Step FlowState::TakeTurn(Direction d, bool more_queued) const {
  Step step{*this, Answer::kTurn};
  if (held(d)) {
    step.next.SetQueued(d, true);
    return step;
  }
  step.next.SetHeld(d, true);
  step.next.SetQueued(d, more_queued);
  step.answer = Answer::kTry;
  return step;
}

Step FlowState::Pin() const {
  Step step{*this};
  step.next.bits_ += kOnePin;
  return step;
}

Step FlowState::Unpin() const {
  Step step{*this};
  step.next.bits_ -= kOnePin;
  step.destroy =
      !step.next.handle() && step.next.pins() == 0 && step.next.inside() == 0;
  return step;
}

Step FlowState::EnterUnheld() const {
  const bool out = closed() || retired();
  Step step{*this, out ? Answer::kClosed : Answer::kTry};
  step.next.bits_ += out ? kOnePin : kOneInside;
  return step;
}

Step FlowState::ShutRead() const {
  Step step{*this, Answer::kShut};
  if (closed() || read_shut()) return step;
  step.next.Set(kReadShutBit, true);
  step.wake = true;
  if (retired()) return step;
  if (held(Direction::kRead) || queued(Direction::kRead)) {
    // Whoever leaves the direction next lets go of the transport's read half.
    step.next.Set(kReadShutTodoBit, true);
    return step;
  }
  step.next.SetHeld(Direction::kRead, true);
  step.next.bits_ += kOneInside;
  step.answer = Answer::kTry;
  return step;
}

Step FlowState::ShutdownDone() const {
  Step step{*this};
  step.next.SetTrying(Direction::kWrite, false);
  Settle(step, Direction::kWrite, /*failed_flow=*/false);
  step.next.SetWriteShut(WriteShut::kShut);
  return step;
}

Step FlowState::Seal() const {
  Step step{*this, Answer::kError};
  if (write_end() != WriteEnd::kOpen) return step;
  step.next.SetWriteEnd(WriteEnd::kSealed);
  step.answer = Answer::kSealed;
  step.record_write = true;
  return step;
}

Step FlowState::Linger() const {
  const bool out = closed() || retired();
  Step step{*this, out ? Answer::kClosed : Answer::kTry};
  if (out || lingering()) return step;
  step.next.Set(kLingerBit, true);
  step.wake = true;
  return step;
}

Step FlowState::Retire() const {
  Step step{*this};
  step.next.Set(kRetiredBit, true);
  step.wake = true;
  return step;
}

Step FlowState::Close() const {
  Step step{*this, closed() ? Answer::kClosed : Answer::kTry};
  if (closed()) return step;
  step.next.Set(kClosedBit, true);
  step.wake = true;
  if (inside() == 0 && !closing()) {
    step.next.Set(kClosingBit, true);
    step.next.bits_ += kOnePin;
    step.run_close = true;
  }
  return step;
}

Step FlowState::DropHandle() const {
  Step step{*this};
  step.next.Set(kHandleBit, false);
  return step;
}

Step FlowState::Release(bool can_read, bool can_write) const {
  Step step{*this, Answer::kError};
  if (closed()) step.answer = Answer::kClosed;
  // As it was born, but for the caller's own pin.
  if (bits_ != Born(can_read, can_write).bits_ + kOnePin) return step;
  step.next.Set(kClosedBit, true);
  step.next.Set(kClosingBit, true);
  step.answer = Answer::kTry;
  return step;
}

}  // namespace flow
