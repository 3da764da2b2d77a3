#include "flow/state_reference.h"

namespace flow_testing {

using flow::Answer;
using flow::Direction;
using flow::DirectionOf;
using flow::Role;
using flow::Tried;

Answer ReferenceFlow::Ask(Role role) const {
  if (closed) return Answer::kClosed;
  switch (role) {
    case Role::kRead:
      // CloseGracefully has taken the side: as closed to everybody else.
      if (lingering) return Answer::kClosed;
      if (read.shut) return Answer::kEof;
      break;
    case Role::kDrain:
      if (retired) return Answer::kClosed;
      break;
    case Role::kWrite:
      if (lingering) return Answer::kClosed;
      if (write.shutting || write.shut) return Answer::kShut;
      if (write.refused || write.error) return Answer::kError;
      if (write.sealed) return Answer::kSealed;
      return write.doubt ? Answer::kSettle : Answer::kTry;
    case Role::kShutdown:
      if (write.shut) return Answer::kShut;
      if (write.refused || write.error) {
        return write.shutting ? Answer::kError : Answer::kShut;
      }
      return write.doubt ? Answer::kSettle : Answer::kTry;
  }
  if (read.error) return Answer::kError;
  if (read.eof) return Answer::kEof;
  return read.doubt ? Answer::kSettle : Answer::kTry;
}

// What somebody is told who was in before: a Write not of a Shutdown that found
// the side over already, but of what had ended it.
Answer ReferenceFlow::AskAgain(Role role) const {
  if (role == Role::kWrite && !closed && !lingering &&
      (write.refused || write.error)) {
    return Answer::kError;
  }
  const Answer answer = Ask(role);
  return answer == Answer::kClosed ? Answer::kCancelled : answer;
}

// What the answer to a holder means for it, and for a Shutdown's side.
void ReferenceFlow::Begin(Person& person, Answer answer) {
  SetTrying(person.direction(), answer == Answer::kTry);
  person.where = answer == Answer::kTry      ? Person::kTrying
                 : answer == Answer::kSettle ? Person::kSettling
                                             : Person::kDone;
  if (person.role != Role::kShutdown) return;
  if (answer == Answer::kShut || answer == Answer::kError) write.shut = true;
}

Expected ReferenceFlow::Enter(Role role) {
  Expected out;
  Person person{Person::kPinned, role};
  out.answer = Ask(role);
  if (out.answer == Answer::kTry || out.answer == Answer::kSettle) {
    if (Held(DirectionOf(role)) || Called(DirectionOf(role))) {
      Called(DirectionOf(role)) = true;
      person.where = Person::kArrived;
      out.answer = Answer::kTurn;
    } else {
      Begin(person, out.answer);
    }
  } else if (role == Role::kShutdown && out.answer != Answer::kClosed) {
    write.shut = true;
  }
  people.push_back(person);
  return out;
}

// A try has ended, so a doubt of the other side is over.
void ReferenceFlow::SettleOther(Direction of_try, bool failed_flow,
                                Expected& out) {
  SetTrying(of_try, false);
  if (of_try == Direction::kWrite && read.doubt) {
    read.doubt = false;
    (failed_flow ? read.error : read.eof) = true;
    out.record_read = failed_flow;
    out.wake = true;
  }
  if (of_try == Direction::kRead && write.doubt) {
    write.doubt = false;
    (failed_flow ? write.error : write.refused) = true;
    out.record_write = failed_flow;
    out.wake = true;
  }
}

void ReferenceFlow::ReadEnded(Tried tried, Expected& out) {
  if (tried == Tried::kMoved) return;
  if (read.leftovers) {
    // All that had arrived is read: now the writer's error. Never Eof.
    read.leftovers = false;
    read.error = true;
  } else if (ReadOpen() && tried == Tried::kEof) {
    (Trying(Direction::kWrite) ? read.doubt : read.eof) = true;
  } else if (ReadOpen() && tried != Tried::kWouldBlock) {
    read.error = true;
    out.record_read = true;
  }
  if (tried == Tried::kFailedFlow && WriteOpen()) {
    write.error = true;
    out.record_write = true;
    out.wake = true;
  }
}

void ReferenceFlow::WriteEnded(Tried tried, Expected& out) {
  if (tried == Tried::kMoved || tried == Tried::kWouldBlock) return;
  // A sealed side can still fail when the end mark is sent.
  if (WriteOpen() || write.sealed) {
    out.record_write = true;
    if (tried != Tried::kPeerRefuses) {
      write.error = true;
    } else if (WriteOpen() && Trying(Direction::kRead)) {
      write.doubt = true;
    } else {
      write.refused = true;
    }
    write.sealed = false;
  }
  if (tried == Tried::kFailedFlow && ReadOpen()) {
    read.leftovers = true;
    out.record_read = true;
    out.wake = true;
  }
}

Expected ReferenceFlow::AfterTry(int person, Tried tried) {
  Expected out;
  Person& p = people[person];
  if (tried == Tried::kFailedFlow) flow_failed = true;
  SettleOther(p.direction(), tried == Tried::kFailedFlow, out);
  if (p.direction() == Direction::kRead) {
    ReadEnded(tried, out);
  } else {
    WriteEnded(tried, out);
  }
  p.where = Person::kAsleep;
  if (tried == Tried::kMoved) return out;
  if (p.role == Role::kShutdown && !write.shut && !write.shutting) {
    // It has been tried, so writes are refused from now on, also in the queue.
    write.shutting = true;
    if (Called(Direction::kWrite)) out.wake = true;
  }
  out.answer = AskAgain(p.role);
  if (out.answer == Answer::kTry) {
    out.answer = Answer::kWait;
    return out;
  }
  p.where = out.answer == Answer::kSettle ? Person::kSettling : Person::kDone;
  if (p.role == Role::kShutdown && out.answer == Answer::kError) {
    write.shut = true;
  }
  return out;
}

// Somebody inside goes out. The last one out of a flow that is over closes it.
void ReferenceFlow::Out(int person, Expected& out) {
  Forget(person);
  if (inside() > 0) return;
  if ((closed || retired) && !close_taken) {
    close_taken = true;
    out.run_close = true;
    people.push_back({Person::kPinned, Role::kRead});
  } else if (!handle && people.empty()) {
    out.destroy = destroyed = true;
  }
}

Expected ReferenceFlow::Leave(int person) {
  Expected out;
  const Direction d = people[person].direction();
  people[person].where = Person::kDone;
  if (Trying(d)) {
    SettleOther(d, /*failed_flow=*/false, out);
    if (out.wake) return out;
  }
  if (d == Direction::kRead && read.let_go_later) {
    read.let_go_later = false;
    out.run_shut = true;
  } else if (Called(d)) {
    out.hand_over = true;
  } else {
    Out(person, out);
  }
  return out;
}

Expected ReferenceFlow::ShutRead() {
  Expected out;
  out.answer = Answer::kShut;
  if (closed || read.shut) return out;
  read.shut = true;
  out.wake = true;
  if (retired) return out;
  if (Held(Direction::kRead) || Called(Direction::kRead)) {
    read.let_go_later = true;
    return out;
  }
  people.push_back({Person::kDone, Role::kRead});
  out.answer = Answer::kTry;
  return out;
}

Expected ReferenceFlow::Close() {
  Expected out;
  out.answer = closed ? Answer::kClosed : Answer::kTry;
  if (closed) return out;
  closed = true;
  out.wake = true;
  if (inside() == 0 && !close_taken) {
    close_taken = true;
    out.run_close = true;
    people.push_back({Person::kPinned, Role::kRead});
  }
  return out;
}

Expected ReferenceFlow::Release() {
  Expected out;
  out.answer = closed ? Answer::kClosed : Answer::kError;
  if (people.size() != 1) return out;  // a call is under way
  ReferenceFlow born(can_read_, can_write_);
  born.people.push_back({Person::kPinned, Role::kRead});
  if (Key() != born.Key()) return out;
  closed = close_taken = released = true;
  out.answer = Answer::kTry;
  return out;
}

Expected ReferenceFlow::EnterUnheld() {
  const bool refused = closed || retired;
  people.push_back(
      {refused ? Person::kPinned : Person::kWatching, Role::kRead});
  Expected out;
  out.answer = refused ? Answer::kClosed : Answer::kTry;
  return out;
}

Expected ReferenceFlow::Resume(Person& person) {
  Expected out;
  out.answer = AskAgain(person.role);
  Begin(person, out.answer);
  return out;
}

Expected ReferenceFlow::HandOver(Person& from) {
  const Direction d = from.direction();
  const auto next =
      std::find_if(people.begin(), people.end(), [d](const Person& q) {
        return q.where == Person::kLinked && q.direction() == d;
      });
  from = Person{Person::kPinned, Role::kRead};
  next->where = Person::kAsleep;
  Called(d) = Linked(d) > 0;
  return {};
}

Expected ReferenceFlow::TakeTurn(Person& person) {
  const bool held = Held(person.direction());
  Called(person.direction()) = held;
  person.where = held ? Person::kLinked : Person::kAsleep;
  GoLast(person);
  Expected out;
  out.answer = held ? Answer::kTurn : Answer::kTry;
  return out;
}

Expected ReferenceFlow::Seal(Person& writer) {
  writer.where = Person::kDone;
  Expected out;
  out.answer = WriteOpen() ? Answer::kSealed : Answer::kError;
  out.record_write = WriteOpen();
  if (WriteOpen()) write.sealed = true;
  return out;
}

Expected ReferenceFlow::ShutdownDone(Person& person) {
  Expected out;
  SettleOther(Direction::kWrite, /*failed_flow=*/false, out);
  write.shut = true;
  person.where = Person::kDone;
  return out;
}

Expected ReferenceFlow::Linger() {
  Expected out;
  out.answer = closed || retired ? Answer::kClosed : Answer::kTry;
  if (out.answer == Answer::kClosed) return out;
  out.wake = !lingering;
  lingering = true;
  return out;
}

Expected ReferenceFlow::Do(const Event& event) {
  Expected out;
  Person nobody;
  Person& p = event.person < 0 ? nobody : people[event.person];
  switch (event.kind) {
    case Event::kEnter:
      return Enter(event.role);
    case Event::kEnterUnheld:
      return EnterUnheld();
    case Event::kPin:
      people.push_back({Person::kPinned, Role::kRead});
      break;
    case Event::kUnpin:
      Forget(event.person);
      out.destroy = destroyed = !handle && people.empty();
      break;
    case Event::kResume:
      return Resume(p);
    case Event::kAfterTry:
      return AfterTry(event.person, event.tried);
    case Event::kLeave:
      return Leave(event.person);
    case Event::kHandOver:
      return HandOver(p);
    case Event::kClearQueued:
      Called(p.direction()) = false;
      break;
    case Event::kTakeTurn:
      return TakeTurn(p);
    case Event::kLinkBehind:
      p.where = Person::kLinked;
      GoLast(p);
      break;
    case Event::kLeaveUnheld:
      Out(event.person, out);
      break;
    case Event::kGiveUp:
      p.where = Person::kDone;
      break;
    case Event::kSeal:
      return Seal(p);
    case Event::kShutdownDone:
      return ShutdownDone(p);
    case Event::kShutRead:
      return ShutRead();
    case Event::kLinger:
      return Linger();
    case Event::kClose:
      return Close();
    case Event::kDropHandle:
      handle = false;
      break;
    case Event::kRelease:
      return Release();
    case Event::kRetire:
      retired = out.wake = true;
      break;
  }
  return out;
}

namespace {

// What somebody who holds a direction may do next.
void LegalOfHolder(const ReferenceFlow& flow, int i, std::vector<Event>& out) {
  const Person& p = flow.people[i];
  const Direction d = p.direction();
  switch (p.where) {
    case Person::kTrying:
      for (const Tried tried :
           {Tried::kMoved, Tried::kWouldBlock, Tried::kEof, Tried::kPeerRefuses,
            Tried::kFailedSide, Tried::kFailedFlow}) {
        out.push_back({Event::kAfterTry, i, p.role, tried});
      }
      if (p.role == Role::kShutdown) out.push_back({Event::kShutdownDone, i});
      if (p.role != Role::kShutdown) out.push_back({Event::kLeave, i});
      if (p.role == Role::kWrite) out.push_back({Event::kSeal, i});
      break;
    case Person::kAsleep:
      if (p.role == Role::kWrite) out.push_back({Event::kSeal, i});
      [[fallthrough]];
    case Person::kSettling:
      out.push_back({Event::kResume, i});
      out.push_back({Event::kGiveUp, i});
      break;
    case Person::kPinned:
    case Person::kArrived:
    case Person::kLinked:
    case Person::kWatching:
    case Person::kDone:
      out.push_back({Event::kLeave, i});
      // Between a Leave that said hand_over and the next one.
      if (flow.called[static_cast<int>(d)] && !flow.Trying(d) &&
          !(d == Direction::kRead && flow.read.let_go_later)) {
        out.push_back(
            {flow.Linked(d) > 0 ? Event::kHandOver : Event::kClearQueued, i});
      }
      break;
  }
}

bool BothEnded(const ReferenceFlow& f) {
  return (f.read.shut || f.read.eof || f.read.error) &&
         (f.write.shut || f.write.refused || f.write.error);
}

}  // namespace

void ReferenceFlow::Legal(int max_inside, int max_pinned,
                          std::vector<Event>& out) const {
  out.clear();
  if (destroyed) return;
  const bool room_inside = inside() < max_inside;
  const bool room_pinned = pinned() < max_pinned;
  const bool may_begin = handle || pinned() > 0;
  if (may_begin && room_inside && room_pinned) {
    for (const Role role :
         {Role::kRead, Role::kDrain, Role::kWrite, Role::kShutdown}) {
      // CloseGracefully drains after Linger, a layer once both sides are over.
      if (role != Role::kDrain || lingering || BothEnded(*this)) {
        out.push_back({Event::kEnter, -1, role});
      }
    }
    out.push_back({Event::kEnterUnheld});
  }
  if (may_begin && room_pinned) out.push_back({Event::kPin});
  bool seen_pinned = false;
  for (int i = 0; i < static_cast<int>(people.size()); ++i) {
    const Person& p = people[i];
    if (p.Holds()) {
      LegalOfHolder(*this, i, out);
    } else if (p.where == Person::kArrived) {
      out.push_back(
          {Linked(p.direction()) > 0 ? Event::kLinkBehind : Event::kTakeTurn,
           i});
      out.push_back({Event::kLeaveUnheld, i});
    } else if (p.Inside()) {
      out.push_back({Event::kLeaveUnheld, i});
      if (p.where == Person::kWatching && BothEnded(*this)) {
        out.push_back({Event::kRetire, i});
      }
    } else if (!seen_pinned) {  // one is as good as the other
      seen_pinned = true;
      out.push_back({Event::kUnpin, i});
      if (room_inside) out.push_back({Event::kShutRead, i});
      out.push_back({Event::kLinger, i});
      out.push_back({Event::kClose, i});
      out.push_back({Event::kRelease, i});
      if (closed && handle) out.push_back({Event::kDropHandle, i});
    }
  }
}

std::string ReferenceFlow::Key() const {
  std::string key;
  const auto add = [&key](bool b) { key.push_back(b ? '1' : '0'); };
  for (const bool b : {handle,         closed,         close_taken,
                       released,       retired,        lingering,
                       destroyed,      read.shut,      read.let_go_later,
                       read.eof,       read.error,     read.doubt,
                       read.leftovers, write.shutting, write.shut,
                       write.refused,  write.error,    write.sealed,
                       write.doubt,    called[0],      called[1],
                       flow_failed,    trying_[0],     trying_[1]}) {
    add(b);
  }
  // Only in a queue does the order matter, and that is one for each direction.
  absl::InlinedVector<Person, 8> sorted = people;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Person& a, const Person& b) {
                     if (a.where != b.where) return a.where < b.where;
                     if (a.where == Person::kLinked) {
                       return a.direction() < b.direction();
                     }
                     if (!a.Inside() || a.where == Person::kWatching) {
                       return false;
                     }
                     return a.role < b.role;
                   });
  for (const Person& p : sorted) {
    key.push_back(static_cast<char>('a' + p.where));
    const bool role_matters = p.Inside() && p.where != Person::kWatching;
    key.push_back(
        role_matters ? static_cast<char>('A' + static_cast<int>(p.role)) : '-');
  }
  return key;
}

}  // namespace flow_testing
