// FlowState against the reference of state_reference.h: in every state that the
// driver can reach, every event that it can bring, and every string of events
// up to a length. Prints how many there were.

#include <cstdint>
#include <cstdio>
#include <deque>
#include <ostream>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "flow/state.h"
#include "flow/state_reference.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using flow_testing::Event;
using flow_testing::Expected;
using flow_testing::Person;
using flow_testing::ReferenceFlow;

// How many may be inside at once (three, for a queue beside both directions)
// and how many only pinned, and how long a string is. An unoptimized or
// sanitized build does less; 3 inside and 3 pinned, 44 million pairs, have been
// walked too.
#if defined(NDEBUG)
constexpr int kMaxInside = 3;
constexpr int kStringLength = 7;
constexpr uint64_t kStride = 1;
#else
constexpr int kMaxInside = 2;
constexpr int kStringLength = 5;
constexpr uint64_t kStride = 7;
#endif
constexpr int kMaxPinned = 1;

struct Born {
  bool can_read;
  bool can_write;
};
constexpr Born kBorn[] = {
    {true, true}, {true, false}, {false, true}, {false, false}};

// The same event, of the machine under test. `flow` is as it was before.
Step Apply(FlowState s, const Event& event, const ReferenceFlow& flow,
           Born born) {
  const Person person = event.person < 0 ? Person() : flow.people[event.person];
  const Direction d = person.direction();
  switch (event.kind) {
    case Event::kEnter:
      return s.Enter(event.role);
    case Event::kEnterUnheld:
      return s.EnterUnheld();
    case Event::kPin:
      return s.Pin();
    case Event::kUnpin:
      return s.Unpin();
    case Event::kResume:
      return s.Resume(person.role);
    case Event::kAfterTry:
      return s.AfterTry(person.role, event.tried);
    case Event::kLeave:
      return s.Leave(d);
    case Event::kHandOver:
      return s.HandOver(d, flow.Linked(d) > 1);
    case Event::kClearQueued:
      return s.ClearQueued(d);
    case Event::kTakeTurn:
      return s.TakeTurn(d, /*more_queued=*/false);
    case Event::kLinkBehind:
    case Event::kGiveUp:
      return Step{s};  // no event of the state
    case Event::kLeaveUnheld:
      return s.LeaveUnheld();
    case Event::kSeal:
      return s.Seal();
    case Event::kShutdownDone:
      return s.ShutdownDone();
    case Event::kShutRead:
      return s.ShutRead();
    case Event::kLinger:
      return s.Linger();
    case Event::kClose:
      return s.Close();
    case Event::kDropHandle:
      return s.DropHandle();
    case Event::kRelease:
      return s.Release(born.can_read, born.can_write);
    case Event::kRetire:
      return s.Retire();
  }
  return Step{s};
}

std::string Describe(const Event& e) {
  static constexpr const char* kNames[] = {
      "Enter",      "EnterUnheld", "Pin",      "Unpin",       "Resume",
      "AfterTry",   "Leave",       "HandOver", "ClearQueued", "TakeTurn",
      "LinkBehind", "LeaveUnheld", "GiveUp",   "Seal",        "ShutdownDone",
      "ShutRead",   "Linger",      "Close",    "DropHandle",  "Release",
      "Retire"};
  return absl::StrCat(kNames[e.kind], "(person ", e.person, ", role ",
                      static_cast<int>(e.role), ", tried ",
                      static_cast<int>(e.tried), ")");
}

// What a step says, as one line; the reference's and the machine's are
// compared.
std::string Line(Answer answer, bool wake, bool record_read, bool record_write,
                 bool run_shut, bool hand_over, bool run_close, bool destroy) {
  return absl::StrCat(
      "answer ", static_cast<int>(answer), " wake ", wake, " record_read ",
      record_read, " record_write ", record_write, " run_shut ", run_shut,
      " hand_over ", hand_over, " run_close ", run_close, " destroy ", destroy);
}
bool Same(const Step& a, const Expected& b) {
  return a.answer == b.answer && a.wake == b.wake &&
         a.record_read == b.record_read && a.record_write == b.record_write &&
         a.run_shut == b.run_shut && a.hand_over == b.hand_over &&
         a.run_close == b.run_close && a.destroy == b.destroy;
}

ReadEnd EndOfRead(const ReferenceFlow& f) {
  if (f.read.eof) return ReadEnd::kEof;
  if (f.read.error) return ReadEnd::kError;
  if (f.read.doubt) return ReadEnd::kUnsettled;
  return f.read.leftovers ? ReadEnd::kDraining : ReadEnd::kOpen;
}
WriteEnd EndOfWrite(const ReferenceFlow& f) {
  if (f.write.refused) return WriteEnd::kClosedByPeer;
  if (f.write.error) return WriteEnd::kError;
  if (f.write.doubt) return WriteEnd::kUnsettled;
  return f.write.sealed ? WriteEnd::kSealed : WriteEnd::kOpen;
}
WriteShut ShutOfWrite(const ReferenceFlow& f) {
  if (f.write.shut) return WriteShut::kShut;
  return f.write.shutting ? WriteShut::kShutting : WriteShut::kNo;
}

// The first fact in which machine and reference differ; null if there is none.
const char* Difference(FlowState s, const ReferenceFlow& f) {
  if (s.handle() != f.handle) return "handle";
  if (s.closed() != f.closed) return "closed";
  if (s.closing() != f.close_taken) return "closing";
  if (s.retired() != f.retired) return "retired";
  if (s.lingering() != f.lingering) return "lingering";
  if (s.read_shut() != f.read.shut) return "read_shut";
  if (s.read_shut_todo() != f.read.let_go_later) return "read_shut_todo";
  if (s.write_shut() != ShutOfWrite(f)) return "write_shut";
  if (s.read_end() != EndOfRead(f)) return "read_end";
  if (s.write_end() != EndOfWrite(f)) return "write_end";
  for (const Direction d : {Direction::kRead, Direction::kWrite}) {
    if (s.held(d) != f.Held(d)) return "held";
    if (s.trying(d) != f.Trying(d)) return "trying";
    if (s.queued(d) != f.called[static_cast<int>(d)]) return "queued";
  }
  if (s.inside() != static_cast<uint32_t>(f.inside())) return "inside";
  if (s.pins() != static_cast<uint32_t>(f.pinned())) return "pins";
  return nullptr;
}

// The arrows in the comment of state.h; kOpen -> kEof among them.
bool Arrow(ReadEnd from, ReadEnd to) {
  switch (from) {
    case ReadEnd::kOpen:
      return true;
    case ReadEnd::kUnsettled:
      return to == from || to == ReadEnd::kEof || to == ReadEnd::kError;
    case ReadEnd::kDraining:
      return to == from || to == ReadEnd::kError;
    case ReadEnd::kEof:
    case ReadEnd::kError:
      return to == from;
  }
  return false;
}
bool Arrow(WriteEnd from, WriteEnd to) {
  switch (from) {
    case WriteEnd::kOpen:
      return true;
    case WriteEnd::kUnsettled:
    case WriteEnd::kSealed:
      return to == from || to == WriteEnd::kClosedByPeer ||
             to == WriteEnd::kError;
    case WriteEnd::kClosedByPeer:
    case WriteEnd::kError:
      return to == from;
  }
  return false;
}

// What holds in every state. Null, or what does not.
const char* BrokenIn(FlowState s, const ReferenceFlow& f) {
  for (const Direction d : {Direction::kRead, Direction::kWrite}) {
    if (s.trying(d) && !s.held(d)) return "a try by nobody";
    if (s.held(d) && s.inside() == 0) return "a holder who is not inside";
    if (f.Linked(d) > 0 && !(s.held(d) && s.queued(d))) {
      return "a queue that nobody will serve";
    }
  }
  if (s.closing() && s.inside() > 0) return "inside after Close had its runner";
  if ((s.closed() || s.retired()) && s.inside() == 0 && !s.closing()) {
    return "nobody is inside and nobody closes";
  }
  if (!s.handle() && s.inside() + s.pins() == 0 && !f.destroyed) {
    return "a leak: nobody is left, and nobody was told to destroy it";
  }
  // P1: an error of the flow that was met before the reader's end is never
  // covered up by an Eof. (Its own Shutdown is the reader's own choice.)
  if (s.read_end() == ReadEnd::kUnsettled && !s.trying(Direction::kWrite)) {
    return "a doubt that nobody will settle";
  }
  if (s.write_end() == WriteEnd::kUnsettled && !s.trying(Direction::kRead)) {
    return "a doubt that nobody will settle";
  }
  return nullptr;
}

bool Over(FlowState s) { return s.closed() || s.retired(); }

// A holder who sleeps and would now be told to stop, or to stop settling, has
// to be woken. (One who was to be told so before has been woken before.)
bool LostWake(FlowState before, FlowState after, const ReferenceFlow& flow,
              const Event& event, bool wake) {
  if (wake) return false;
  for (int i = 0; i < static_cast<int>(flow.people.size()); ++i) {
    const Person& p = flow.people[i];
    if (i == event.person) continue;
    if (p.where == Person::kAsleep || p.where == Person::kSettling) {
      const Answer was = before.Ask(p.role);
      if ((was == Answer::kTry || was == Answer::kSettle) &&
          was != after.Ask(p.role)) {
        return true;
      }
    }
    if (p.where == Person::kWatching && Over(before) != Over(after)) {
      return true;
    }
  }
  return false;
}

// What every step keeps. Null, or what it does not.
const char* BrokenBy(FlowState before, const Step& step, const Event& event,
                     const ReferenceFlow& flow_before) {
  const FlowState after = step.next;
  if (!Arrow(before.read_end(), after.read_end()) ||
      !Arrow(before.write_end(), after.write_end())) {
    return "an end went against the arrows";
  }
  if (flow_before.flow_failed && after.read_end() != before.read_end() &&
      (after.read_end() == ReadEnd::kEof ||
       after.read_end() == ReadEnd::kUnsettled)) {
    return "an Eof after a failure of the flow";
  }
  if (!before.handle() && after.handle()) return "the handle came back";
  if ((before.closed() && !after.closed()) ||
      (before.closing() && !after.closing()) ||
      (before.retired() && !after.retired()) ||
      (before.lingering() && !after.lingering()) ||
      (before.read_shut() && !after.read_shut()) ||
      before.write_shut() > after.write_shut()) {
    return "a flag that went back";
  }
  if (step.run_close && (before.closing() || after.inside() > 0)) {
    return "Close a second time, or under somebody's feet";
  }
  if (step.destroy &&
      (after.handle() || after.inside() > 0 || after.pins() > 0)) {
    return "destroyed under somebody's feet";
  }
  if (step.destroy && !after.closing()) return "destroyed without Close";
  if (LostWake(before, after, flow_before, event, step.wake)) {
    return "a sleeper is not woken";
  }
  return nullptr;
}

// Both machines after one more event; says what was wrong, if anything.
struct World {
  FlowState state;
  ReferenceFlow flow;
};

std::string Advance(World& world, const Event& event, Born born) {
  const World before = world;
  const Step step = Apply(world.state, event, world.flow, born);
  const Expected expected = world.flow.Do(event);
  world.state = step.next;
  if (!Same(step, expected)) {
    return absl::StrCat(
        "FlowState says ",
        Line(step.answer, step.wake, step.record_read, step.record_write,
             step.run_shut, step.hand_over, step.run_close, step.destroy),
        "\nreference says ",
        Line(expected.answer, expected.wake, expected.record_read,
             expected.record_write, expected.run_shut, expected.hand_over,
             expected.run_close, expected.destroy));
  }
  for (const char* wrong :
       {Difference(world.state, world.flow), BrokenIn(world.state, world.flow),
        BrokenBy(before.state, step, event, before.flow)}) {
    if (wrong != nullptr) return wrong;
  }
  return "";
}

World WorldOf(Born born) {
  return {FlowState::Born(born.can_read, born.can_write),
          ReferenceFlow(born.can_read, born.can_write)};
}

// Breadth first from birth: each reachable state once, with each event that the
// driver can bring there.
TEST(FlowStateExhaustiveTest, EveryEventInEveryReachableStateIsAsTheReference) {
  uint64_t worlds = 0;
  uint64_t pairs = 0;
  std::unordered_set<uint64_t> states;
  for (const Born born : kBorn) {
    std::unordered_set<std::string> seen;
    std::deque<World> queue = {WorldOf(born)};
    seen.insert(queue.front().flow.Key());
    std::vector<Event> events;
    while (!queue.empty()) {
      const World world = std::move(queue.front());
      queue.pop_front();
      ++worlds;
      states.insert(world.state.bits());
      world.flow.Legal(kMaxInside, kMaxPinned, events);
      for (const Event& event : events) {
        World next = world;
        const std::string wrong = Advance(next, event, born);
        ASSERT_EQ(wrong, "")
            << Describe(event) << " after " << world.flow.Key();
        ++pairs;
        if (seen.insert(next.flow.Key()).second) {
          queue.push_back(std::move(next));
        }
      }
    }
  }
  printf(
      "[ pairs    ] %llu states of FlowState, %llu with who is where in them; "
      "%llu (state, event) pairs\n",
      static_cast<unsigned long long>(states.size()),
      static_cast<unsigned long long>(worlds),
      static_cast<unsigned long long>(pairs));
}

struct Strings {
  Born born;
  uint64_t count = 0;
  std::vector<Event> path;
};

// Every string of events that begins with `path`. False: one was wrong.
bool Walk(const World& world, int left, Strings& strings) {
  if (left == 0) {
    ++strings.count;
    return true;
  }
  std::vector<Event> events;
  world.flow.Legal(kMaxInside, kMaxPinned, events);
  if (events.empty()) ++strings.count;  // destroyed
  for (const Event& event : events) {
    World next = world;
    strings.path.push_back(event);
    const std::string wrong = Advance(next, event, strings.born);
    if (!wrong.empty()) {
      ADD_FAILURE() << wrong << "\nafter "
                    << absl::StrJoin(strings.path, ", ",
                                     [](std::string* out, const Event& e) {
                                       out->append(Describe(e));
                                     });
      return false;
    }
    if (!Walk(next, left - 1, strings)) return false;
    strings.path.pop_back();
  }
  return true;
}

// STYLE.md 13: "exhaust it, cheaply". Nothing is remembered between strings, so
// this does not trust what the walk above takes for the same state.
TEST(FlowStateExhaustiveTest, EveryStringOfEventsIsAsTheReference) {
  uint64_t count = 0;
  for (const Born born : kBorn) {
    const bool most = born.can_read && born.can_write;
    Strings strings{born, 0, {}};
    ASSERT_TRUE(
        Walk(WorldOf(born), most ? kStringLength : kStringLength - 1, strings));
    count += strings.count;
  }
  printf("[ strings  ] %llu strings of up to %d events\n",
         static_cast<unsigned long long>(count), kStringLength);
}

// What is so after any event in any state, also in one that no flow is ever in.
bool Sane(FlowState s) {
  for (const Role role :
       {Role::kRead, Role::kDrain, Role::kWrite, Role::kShutdown}) {
    const Answer answer = s.Ask(role);
    if (s.closed() && answer != Answer::kClosed) return false;
    if (s.Enter(role).answer == Answer::kCancelled) return false;
    if (s.Resume(role).answer == Answer::kClosed) return false;
    const Step tried = s.AfterTry(role, Tried::kFailedFlow);
    if (tried.answer == Answer::kClosed || tried.next.trying(DirectionOf(role)))
      return false;
  }
  for (const Direction d : {Direction::kRead, Direction::kWrite}) {
    const Step step = s.Leave(d);
    // One thing at a time.
    if (step.wake + step.run_shut + step.hand_over + step.run_close +
            step.destroy >
        1) {
      return false;
    }
    const Answer turn = s.TakeTurn(d, false).answer;
    if (turn != (s.held(d) ? Answer::kTurn : Answer::kTry)) return false;
  }
  return s.Close().next.closed() &&
         (s.closed() || s.ShutRead().next.read_shut());
}

bool SameStep(const Step& step, FlowState next) {
  return step.next == next && !step.wake && !step.record_read &&
         !step.record_write && !step.run_shut && !step.hand_over &&
         !step.run_close && !step.destroy;
}

// The quick ways say what the long ones say, or nothing.
bool PlainIsTheSame(FlowState s) {
  for (const Direction d : {Direction::kRead, Direction::kWrite}) {
    const Role role = d == Direction::kRead ? Role::kRead : Role::kWrite;
    if (s.EntersPlainly(d)) {
      const Step step = s.Enter(role);
      if (step.answer != Answer::kTry) return false;
      if (!SameStep(step, s.PlainlyEntered(d))) return false;
    }
    if (s.LeavesPlainly(d) && !SameStep(s.Leave(d), s.PlainlyLeft(d))) {
      return false;
    }
  }
  return true;
}

// Total: any bits, also such as no flow ever has, any event.
TEST(FlowStateExhaustiveTest, EveryFunctionIsTotal) {
  constexpr uint64_t kSomeInside = uint64_t{2} << 24 | uint64_t{2} << 44;
  constexpr uint64_t kFlags = uint64_t{1} << 21;
  for (uint64_t flags = 0; flags < kFlags; flags += kStride) {
    ASSERT_TRUE(Sane(FlowState(flags | kSomeInside))) << flags;
    ASSERT_TRUE(PlainIsTheSame(FlowState(flags | kSomeInside))) << flags;
    ASSERT_TRUE(PlainIsTheSame(FlowState(flags | uint64_t{1} << 24))) << flags;
  }
  // And the last one inside, of all flags but those of the directions.
  for (uint64_t flags = 0; flags < (uint64_t{1} << 15); ++flags) {
    ASSERT_TRUE(Sane(FlowState(flags | uint64_t{1} << 24))) << flags;
  }
  // An open flow takes the quick ways, or they would be of no use.
  const FlowState open = FlowState::Born(true, true);
  EXPECT_TRUE(open.EntersPlainly(Direction::kRead));
  EXPECT_TRUE(
      open.PlainlyEntered(Direction::kRead).EntersPlainly(Direction::kWrite));
  EXPECT_TRUE(
      open.PlainlyEntered(Direction::kWrite).LeavesPlainly(Direction::kWrite));
  printf("[ total    ] every event in %llu states of all flags\n",
         static_cast<unsigned long long>(kFlags / kStride));
}

}  // namespace
}  // namespace flow
