// File: state_reference.h (testonly)
//
// ReferenceFlow: what DESIGN.md, section 3, says a flow is, told a second time
// and slowly, to hold FlowState against. It shares no idea of representation
// with flow/state.h: no bits and no counters, but a list of the people who are
// somewhere in the flow (a call that holds a direction, one in the queue, a
// watcher, one who only keeps the memory) and one bool for each fact.
//
// It also knows the protocol that flow/core.h follows: which event may come
// next, from whom. So Legal() spells every way that the real driver can take,
// in every interleaving, one atomic step at a time.

#ifndef FLOW_STATE_REFERENCE_H_
#define FLOW_STATE_REFERENCE_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "flow/state.h"

namespace flow_testing {

// Where somebody is, and what for.
struct Person {
  enum Where : uint8_t {
    kPinned,    // keeps the memory only
    kArrived,   // was told to queue, and is about to
    kLinked,    // in the queue; the order of the list is that of the queue
    kWatching,  // inside without a direction
    kTrying,    // holds a direction, inside a try
    kAsleep,    // holds it, sleeps (or has just been given it): resumes
    kSettling,  // holds it, sleeps until the other side's try has ended
    kDone,      // holds it, has its answer: leaves
  };
  Where where = kPinned;
  flow::Role role = flow::Role::kRead;

  bool Holds() const { return where >= kTrying; }
  bool Inside() const { return where != kPinned; }
  flow::Direction direction() const { return flow::DirectionOf(role); }
  friend bool operator<(const Person& a, const Person& b) {
    return std::tie(a.where, a.role) < std::tie(b.where, b.role);
  }
};

struct Event {
  enum Kind : uint8_t {
    kEnter,         // a call begins (role)
    kEnterUnheld,   // a watcher or an Abort comes in
    kPin,           // somebody wants the memory
    kUnpin,         // person
    kResume,        // person
    kAfterTry,      // person, tried
    kLeave,         // person, a holder
    kHandOver,      // person, a holder, to the first in the queue
    kClearQueued,   // person, a holder who found the queue empty
    kTakeTurn,      // person, who is the first in the queue then
    kLinkBehind,    // person, who is not: no event of the state
    kLeaveUnheld,   // person, a watcher or a waiter who gives up
    kGiveUp,        // person, asleep with a limit: no event of the state
    kSeal,          // person, a writer
    kShutdownDone,  // person, a Shutdown
    kShutRead,      // person, pinned; so are the following
    kLinger,
    kClose,
    kDropHandle,
    kRelease,
    kRetire,  // person, a watcher
  };
  Kind kind;
  int person = -1;
  flow::Role role = flow::Role::kRead;
  flow::Tried tried = flow::Tried::kMoved;
};

// What an event has to answer and to ask for.
struct Expected {
  flow::Answer answer = flow::Answer::kMoved;
  bool wake = false;
  bool record_read = false;
  bool record_write = false;
  bool run_shut = false;
  bool hand_over = false;
  bool run_close = false;
  bool destroy = false;
};

class ReferenceFlow {
 public:
  ReferenceFlow(bool can_read, bool can_write)
      : can_read_(can_read), can_write_(can_write) {
    read.shut = !can_read;
    write.shut = !can_write;
  }

  // ---- The facts.
  bool handle = true;
  bool closed = false;
  bool close_taken = false;  // somebody runs Transport::Close, or took it away
  bool released = false;
  bool retired = false;
  bool lingering = false;
  bool destroyed = false;
  struct {
    bool shut = false, let_go_later = false;
    bool eof = false, error = false;  // the first end
    bool doubt = false;               // an eof that is not believed yet
    bool leftovers = false;           // the writer met an error of the flow
  } read;
  struct {
    bool shutting = false, shut = false;
    bool refused = false, error = false, sealed = false;
    bool doubt = false;
  } write;
  bool called[2] = {false, false};  // somebody may be in the queue
  // Not of the state, but of history: a try has met an error of the whole flow.
  bool flow_failed = false;
  absl::InlinedVector<Person, 8> people;

  // ---- What is asked of them.
  template <typename Predicate>
  int Count(Predicate predicate) const {
    return static_cast<int>(
        std::count_if(people.begin(), people.end(), predicate));
  }
  int inside() const {
    return Count([](const Person& p) { return p.Inside(); });
  }
  int pinned() const {
    return Count([](const Person& p) { return !p.Inside(); });
  }
  bool Held(flow::Direction d) const {
    return Count([d](const Person& p) {
             return p.Holds() && p.direction() == d;
           }) > 0;
  }
  bool Trying(flow::Direction d) const { return trying_[static_cast<int>(d)]; }
  int Linked(flow::Direction d) const {
    return Count([d](const Person& p) {
      return p.where == Person::kLinked && p.direction() == d;
    });
  }
  bool ReadOpen() const {
    return !read.eof && !read.error && !read.doubt && !read.leftovers;
  }
  bool WriteOpen() const {
    return !write.refused && !write.error && !write.sealed && !write.doubt;
  }

  // DESIGN's state table: closed, own Shutdown, the first end, else open.
  flow::Answer Ask(flow::Role role) const;
  flow::Answer AskAgain(flow::Role role) const;

  // The events that may come next, with at most so many inside and pinned.
  void Legal(int max_inside, int max_pinned, std::vector<Event>& out) const;

  // Does one of them.
  Expected Do(const Event& event);

  // The same for reference flows that nobody could tell apart.
  std::string Key() const;

 private:
  using Answer = flow::Answer;
  using Role = flow::Role;
  using Direction = flow::Direction;
  using Tried = flow::Tried;

  void SetTrying(Direction d, bool on) { trying_[static_cast<int>(d)] = on; }
  bool& Called(Direction d) { return called[static_cast<int>(d)]; }
  void Begin(Person& person, Answer answer);
  void Out(int person, Expected& out);
  void Forget(int person) { people.erase(people.begin() + person); }
  // The queue is in the order of arrival *there*.
  void GoLast(Person& person) {
    std::rotate(&person, &person + 1, people.data() + people.size());
  }
  void SettleOther(Direction of_try, bool failed_flow, Expected& out);
  void ReadEnded(Tried tried, Expected& out);
  void WriteEnded(Tried tried, Expected& out);
  Expected Enter(Role role);
  Expected EnterUnheld();
  Expected Resume(Person& person);
  Expected HandOver(Person& from);
  Expected TakeTurn(Person& person);
  Expected Seal(Person& writer);
  Expected ShutdownDone(Person& person);
  Expected Linger();
  Expected AfterTry(int person, Tried tried);
  Expected Leave(int person);
  Expected ShutRead();
  Expected Close();
  Expected Release();

  bool can_read_;
  bool can_write_;
  bool trying_[2] = {false, false};
};

}  // namespace flow_testing

#endif  // FLOW_STATE_REFERENCE_H_
