// FlowState, one event at a time: the grids of state.h, cell by cell. What
// whole sequences of events do is in state_exhaustive_test.cc.

#include "flow/state.h"

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::testing::HasSubstr;

// ------------------------------------------------------------ the grids as
// text

constexpr char kAnswers[] = R"(
| role       | closed | lingering | shut | shutting | open | unsettled | draining | eof | refused | error | sealed |
|------------|--------|-----------|------|----------|------|-----------|----------|-----|---------|-------|--------|
| kRead      | Closed | Closed    | Eof  | -        | Try  | Settle    | Try      | Eof | -       | Error | -      |
| kDrain     | Closed | Try       | Try  | -        | Try  | Settle    | Try      | Eof | -       | Error | -      |
| kWrite     | Closed | Closed    | Shut | Shut     | Try  | Settle    | -        | -   | Error   | Error | Sealed |
| kShutdown  | Closed | Try       | Shut | Try      | Try  | Settle    | -        | -   | Shut    | Shut  | Try    |
| (shutting) | Closed | Try       | Shut | Try      | Try  | Settle    | -        | -   | Error   | Error | Try    |
)";

constexpr char kReadTries[] = R"(
| a read's try | own: open | open, a write is in a try | draining | other: open |
|--------------|-----------|---------------------------|----------|-------------|
| kMoved       | open      | open                      | draining | open        |
| kWouldBlock  | open      | open                      | error    | open        |
| kEof         | eof       | unsettled                 | error    | open        |
| kPeerRefuses | error     | error                     | error    | open        |
| kFailedSide  | error     | error                     | error    | open        |
| kFailedFlow  | error     | error                     | error    | error       |
)";

constexpr char kWriteTries[] = R"(
| a write's try | own: open | open, a read is in a try | sealed  | other: open |
|---------------|-----------|--------------------------|---------|-------------|
| kMoved        | open      | open                     | sealed  | open        |
| kWouldBlock   | open      | open                     | sealed  | open        |
| kEof          | error     | error                    | error   | open        |
| kPeerRefuses  | refused   | unsettled                | refused | open        |
| kFailedSide   | error     | error                    | error   | open        |
| kFailedFlow   | error     | error                    | error   | draining    |
)";

constexpr char kSettling[] = R"(
| the try that settles | an unsettled read | an unsettled write |
|----------------------|-------------------|--------------------|
| kMoved               | eof               | refused            |
| kWouldBlock          | eof               | refused            |
| kEof                 | eof               | refused            |
| kPeerRefuses         | eof               | refused            |
| kFailedSide          | eof               | refused            |
| kFailedFlow          | error             | error              |
)";

using Row = std::vector<std::string>;

// The cells of each line, without the rule below the head.
std::vector<Row> Grid(absl::string_view text) {
  std::vector<Row> rows;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    Row row = absl::StrSplit(line, '|');
    row.erase(row.begin());
    row.pop_back();
    for (std::string& cell : row) absl::StripAsciiWhitespace(&cell);
    if (row[0][0] != '-') rows.push_back(row);
  }
  return rows;
}

std::string Name(Answer answer) {
  switch (answer) {
    case Answer::kTry:
      return "Try";
    case Answer::kTurn:
      return "Turn";
    case Answer::kSettle:
      return "Settle";
    case Answer::kWait:
      return "Wait";
    case Answer::kMoved:
      return "Moved";
    case Answer::kEof:
      return "Eof";
    case Answer::kError:
      return "Error";
    case Answer::kSealed:
      return "Sealed";
    case Answer::kShut:
      return "Shut";
    case Answer::kClosed:
      return "Closed";
    case Answer::kCancelled:
      return "Cancelled";
  }
  return "?";
}

std::string Name(ReadEnd end) {
  switch (end) {
    case ReadEnd::kOpen:
      return "open";
    case ReadEnd::kUnsettled:
      return "unsettled";
    case ReadEnd::kDraining:
      return "draining";
    case ReadEnd::kEof:
      return "eof";
    case ReadEnd::kError:
      return "error";
  }
  return "?";
}

std::string Name(WriteEnd end) {
  switch (end) {
    case WriteEnd::kOpen:
      return "open";
    case WriteEnd::kUnsettled:
      return "unsettled";
    case WriteEnd::kClosedByPeer:
      return "refused";
    case WriteEnd::kError:
      return "error";
    case WriteEnd::kSealed:
      return "sealed";
  }
  return "?";
}

Tried TriedOf(absl::string_view name) {
  static const auto& names = *new std::map<absl::string_view, Tried>{
      {"kMoved", Tried::kMoved},
      {"kWouldBlock", Tried::kWouldBlock},
      {"kEof", Tried::kEof},
      {"kPeerRefuses", Tried::kPeerRefuses},
      {"kFailedSide", Tried::kFailedSide},
      {"kFailedFlow", Tried::kFailedFlow}};
  return names.at(name);
}

// ------------------------------------------------------------ ways into a
// state

constexpr Direction kR = Direction::kRead;
constexpr Direction kW = Direction::kWrite;

FlowState Open() { return FlowState::Born(true, true); }

// `s` after a call in `role` whose one try ended so.
FlowState After(FlowState s, Role role, Tried tried) {
  return s.Enter(role)
      .next.AfterTry(role, tried)
      .next.Leave(DirectionOf(role))
      .next;
}

// `s` after a Shutdown(kWrite) that a limit has cut.
FlowState Cut(FlowState s) {
  return After(s, Role::kShutdown, Tried::kWouldBlock);
}

FlowState Closed(FlowState s) { return s.Pin().next.Close().next; }
FlowState Sealed(FlowState s) {
  return s.Enter(Role::kWrite).next.Seal().next.Leave(kW).next;
}
FlowState ShutWrite(FlowState s) {
  return s.Enter(Role::kShutdown).next.ShutdownDone().next.Leave(kW).next;
}
// A read that has met an eof, or a write (a Shutdown) the peer's refusal, while
// the other side is inside a try.
FlowState Unsettled(FlowState s, Role role, Role other) {
  const Tried tried = role == Role::kRead ? Tried::kEof : Tried::kPeerRefuses;
  return s.Enter(other).next.Enter(role).next.AfterTry(role, tried).next;
}

// How each column of the grid of answers comes about.
FlowState ReadColumn(const std::string& column) {
  const FlowState s = Open();
  if (column == "closed") return Closed(s);
  if (column == "lingering") return s.Linger().next;
  if (column == "shut") return s.ShutRead().next;
  if (column == "open") return s;
  if (column == "unsettled") return Unsettled(s, Role::kRead, Role::kWrite);
  if (column == "draining") return After(s, Role::kWrite, Tried::kFailedFlow);
  if (column == "eof") return After(s, Role::kRead, Tried::kEof);
  EXPECT_EQ(column, "error");
  return After(s, Role::kRead, Tried::kFailedSide);
}

FlowState WriteColumn(const std::string& column) {
  const FlowState s = Open();
  if (column == "closed") return Closed(s);
  if (column == "lingering") return s.Linger().next;
  if (column == "shut") return ShutWrite(s);
  if (column == "shutting") return Cut(s);
  if (column == "open") return s;
  if (column == "unsettled") return Unsettled(s, Role::kWrite, Role::kRead);
  if (column == "refused") return After(s, Role::kWrite, Tried::kPeerRefuses);
  if (column == "error") return After(s, Role::kWrite, Tried::kFailedSide);
  EXPECT_EQ(column, "sealed");
  return Sealed(s);
}

// The same of a side that is shutting.
FlowState ShuttingColumn(const std::string& column) {
  const FlowState s = Cut(Open());
  const FlowState doubt =
      Unsettled(Open(), Role::kShutdown, Role::kRead).Leave(kW).next;
  if (column == "closed") return Closed(s);
  if (column == "lingering") return s.Linger().next;
  if (column == "shut") return ShutWrite(s);
  if (column == "shutting" || column == "open") return s;
  if (column == "unsettled") return doubt;
  if (column == "refused") return doubt.AfterTry(Role::kRead, Tried::kEof).next;
  if (column == "error") return After(s, Role::kRead, Tried::kFailedFlow);
  EXPECT_EQ(column, "sealed");
  return Cut(Sealed(Open()));
}

// ------------------------------------------------------------ the grids hold

TEST(FlowStateTest, AnswersEveryCallAsTheGridSays) {
  const std::vector<Row> grid = Grid(kAnswers);
  const Row& head = grid[0];
  int cells = 0;
  for (size_t r = 1; r < grid.size(); ++r) {
    const std::string& role = grid[r][0];
    for (size_t c = 1; c < head.size(); ++c) {
      if (grid[r][c] == "-") continue;
      const bool read = role == "kRead" || role == "kDrain";
      const FlowState s = read                   ? ReadColumn(head[c])
                          : role == "(shutting)" ? ShuttingColumn(head[c])
                                                 : WriteColumn(head[c]);
      const Role as = role == "kRead"    ? Role::kRead
                      : role == "kDrain" ? Role::kDrain
                      : role == "kWrite" ? Role::kWrite
                                         : Role::kShutdown;
      EXPECT_EQ(Name(s.Ask(as)), grid[r][c]) << role << " x " << head[c];
      ++cells;
    }
  }
  EXPECT_EQ(cells, 43);
}

// "The first that holds is the answer": closed before all, own shutdown before
// ends.
TEST(FlowStateTest, WhatStandsFurtherLeftInTheGridWins) {
  for (const char* end :
       {"lingering", "unsettled", "draining", "eof", "error"}) {
    const FlowState s = ReadColumn(end);
    EXPECT_EQ(Closed(s).Ask(Role::kRead), Answer::kClosed) << end;
    EXPECT_EQ(Closed(s).Ask(Role::kDrain), Answer::kClosed) << end;
    const Answer shut = s.ShutRead().next.Ask(Role::kRead);
    EXPECT_EQ(shut, s.lingering() ? Answer::kClosed : Answer::kEof) << end;
  }
  for (const char* end : {"unsettled", "refused", "error", "sealed"}) {
    const FlowState s = ShuttingColumn(end);
    EXPECT_EQ(s.Ask(Role::kWrite), Answer::kShut) << end;
    EXPECT_EQ(s.Linger().next.Ask(Role::kWrite), Answer::kClosed) << end;
    EXPECT_EQ(Closed(s).Ask(Role::kWrite), Answer::kClosed) << end;
    EXPECT_EQ(Closed(s).Ask(Role::kShutdown), Answer::kClosed) << end;
  }
}

// A Write that is under way is told of the end that came before the Shutdown.
TEST(FlowStateTest, AWriteUnderWayIsToldWhatEndedItsSideBeforeAShutdown) {
  const FlowState writing = Open().Enter(Role::kWrite).next;
  const FlowState asleep =
      writing.AfterTry(Role::kWrite, Tried::kWouldBlock).next;
  const FlowState failed = asleep.Enter(Role::kRead)
                               .next.AfterTry(Role::kRead, Tried::kFailedFlow)
                               .next;
  const FlowState shut = failed.Enter(Role::kShutdown).next;
  EXPECT_EQ(shut.Resume(Role::kWrite).answer, Answer::kError);
  EXPECT_EQ(shut.Enter(Role::kWrite).answer, Answer::kShut);
  EXPECT_EQ(Closed(shut).Resume(Role::kWrite).answer, Answer::kCancelled);
}

// limits.h: "a call that has moved nothing when a limit hits has done nothing":
// a Shutdown that was never tried leaves the side open.
TEST(FlowStateTest, ASideIsShuttingOnceItsShutdownHasBeenTried) {
  const FlowState begun = Open().Enter(Role::kShutdown).next;
  EXPECT_EQ(begun.write_shut(), WriteShut::kNo);
  EXPECT_EQ(begun.Leave(kW).next.Ask(Role::kWrite), Answer::kTry);
  const FlowState queued = begun.Enter(Role::kWrite).next;
  for (const FlowState s : {begun, queued}) {
    const Step tried = s.AfterTry(Role::kShutdown, Tried::kWouldBlock);
    EXPECT_EQ(tried.next.write_shut(), WriteShut::kShutting);
    EXPECT_EQ(tried.next.Ask(Role::kWrite), Answer::kShut);
    EXPECT_EQ(tried.wake, s.queued(kW)) << "queued writes are refused at once";
  }
}

TEST(FlowStateTest, ARetiredFlowDrainsNoMore) {
  const FlowState s = ShutWrite(Open()).ShutRead().next.Leave(kR).next;
  const FlowState retired = s.EnterUnheld().next.Retire().next;
  EXPECT_EQ(s.Ask(Role::kDrain), Answer::kTry);
  EXPECT_EQ(retired.Ask(Role::kDrain), Answer::kClosed);
  EXPECT_EQ(retired.Ask(Role::kRead), Answer::kEof);
  EXPECT_EQ(retired.Ask(Role::kWrite), Answer::kShut);
  EXPECT_EQ(retired.EnterUnheld().answer, Answer::kClosed);
  EXPECT_EQ(retired.Linger().answer, Answer::kClosed);
}

TEST(FlowStateTest, AReadsTryChangesTheSidesAsTheGridSays) {
  const std::vector<Row> grid = Grid(kReadTries);
  for (size_t r = 1; r < grid.size(); ++r) {
    const Row& row = grid[r];
    const Tried tried = TriedOf(row[0]);
    for (const Role role : {Role::kRead, Role::kDrain}) {
      const FlowState alone =
          Open().Enter(role).next.AfterTry(role, tried).next;
      EXPECT_EQ(Name(alone.read_end()), row[1]) << row[0];
      EXPECT_EQ(Name(alone.write_end()), row[4]) << row[0];
      const FlowState both = Open().Enter(Role::kWrite).next.Enter(role).next;
      EXPECT_EQ(Name(both.AfterTry(role, tried).next.read_end()), row[2]);
      const FlowState draining = ReadColumn("draining").Enter(role).next;
      EXPECT_EQ(Name(draining.AfterTry(role, tried).next.read_end()), row[3]);
      EXPECT_FALSE(alone.trying(kR));
    }
  }
}

TEST(FlowStateTest, AWritesTryChangesTheSidesAsTheGridSays) {
  const std::vector<Row> grid = Grid(kWriteTries);
  for (size_t r = 1; r < grid.size(); ++r) {
    const Row& row = grid[r];
    const Tried tried = TriedOf(row[0]);
    for (const Role role : {Role::kWrite, Role::kShutdown}) {
      const FlowState alone =
          Open().Enter(role).next.AfterTry(role, tried).next;
      EXPECT_EQ(Name(alone.write_end()), row[1]) << row[0];
      EXPECT_EQ(Name(alone.read_end()), row[4]) << row[0];
      const FlowState both = Open().Enter(Role::kRead).next.Enter(role).next;
      EXPECT_EQ(Name(both.AfterTry(role, tried).next.write_end()), row[2]);
    }
    // Sealed: a Shutdown tries alone, and believes a refusal at once even if a
    // read is inside a try.
    const FlowState sealed =
        Sealed(Open()).Enter(Role::kShutdown).next.Enter(Role::kRead).next;
    EXPECT_EQ(Name(sealed.AfterTry(Role::kShutdown, tried).next.write_end()),
              row[3]);
  }
}

TEST(FlowStateTest, TheOtherSidesTrySettlesADoubtAsTheGridSays) {
  const std::vector<Row> grid = Grid(kSettling);
  for (size_t r = 1; r < grid.size(); ++r) {
    const Row& row = grid[r];
    const Tried tried = TriedOf(row[0]);
    const bool failed = tried == Tried::kFailedFlow;
    const Step read = Unsettled(Open(), Role::kRead, Role::kWrite)
                          .AfterTry(Role::kWrite, tried);
    EXPECT_EQ(Name(read.next.read_end()), row[1]) << row[0];
    EXPECT_EQ(read.record_read, failed) << row[0];
    EXPECT_TRUE(read.wake) << "the read sleeps until its end is settled";
    const Step write = Unsettled(Open(), Role::kWrite, Role::kRead)
                           .AfterTry(Role::kRead, tried);
    EXPECT_EQ(Name(write.next.write_end()), row[2]) << row[0];
    EXPECT_EQ(write.record_write, failed) << row[0];
    EXPECT_TRUE(write.wake) << row[0];
  }
}

// "A side that has ended stays as it is", whatever later tries say.
TEST(FlowStateTest, TheFirstEndStays) {
  for (const char* end : {"eof", "error"}) {
    const FlowState s = ReadColumn(end).Enter(Role::kWrite).next;
    EXPECT_EQ(
        Name(s.AfterTry(Role::kWrite, Tried::kFailedFlow).next.read_end()),
        end);
  }
  for (const char* end : {"refused", "error", "sealed"}) {
    const FlowState s = WriteColumn(end).Enter(Role::kRead).next;
    const Step step = s.AfterTry(Role::kRead, Tried::kFailedFlow);
    EXPECT_EQ(Name(step.next.write_end()), end);
    EXPECT_FALSE(step.record_write);
  }
}

TEST(FlowStateTest, ASideThatAFlowLacksIsShutFromBirth) {
  EXPECT_EQ(FlowState::Born(false, true).Ask(Role::kRead), Answer::kEof);
  EXPECT_EQ(FlowState::Born(false, true).Ask(Role::kWrite), Answer::kTry);
  EXPECT_EQ(FlowState::Born(true, false).Ask(Role::kWrite), Answer::kShut);
  EXPECT_EQ(FlowState::Born(true, false).Ask(Role::kShutdown), Answer::kShut);
  EXPECT_TRUE(FlowState::Born(false, false).BothSidesEnded());
}

TEST(FlowStateTest, ADrainThatIsUnderWayWhenTheFlowRetiresIsCancelled) {
  FlowState s = ShutWrite(Open()).ShutRead().next.Leave(kR).next;
  s = s.EnterUnheld().next.Enter(Role::kDrain).next.Retire().next;
  EXPECT_EQ(s.Resume(Role::kDrain).answer, Answer::kCancelled);
}

TEST(FlowStateTest, BothSidesHaveEndedOnlyWhenNeitherIsTriedAgain) {
  const auto both = [](const char* read, const char* write) {
    FlowState s = absl::string_view(read) == "shut"
                      ? Open().ShutRead().next.Leave(kR).next
                      : Open();
    if (absl::string_view(write) == "shut") s = ShutWrite(s);
    if (absl::string_view(write) == "refused") {
      s = After(s, Role::kWrite, Tried::kPeerRefuses);
    }
    if (absl::string_view(write) == "error") {
      s = After(s, Role::kWrite, Tried::kFailedSide);
    }
    if (absl::string_view(write) == "sealed") s = Sealed(s);
    if (absl::string_view(write) == "shutting") s = Cut(s);
    if (absl::string_view(read) == "eof")
      s = After(s, Role::kRead, Tried::kEof);
    if (absl::string_view(read) == "error") {
      s = After(s, Role::kRead, Tried::kFailedSide);
    }
    return s.BothSidesEnded();
  };
  for (const char* read : {"shut", "eof", "error"}) {
    for (const char* write : {"shut", "refused", "error"}) {
      EXPECT_TRUE(both(read, write)) << read << write;
    }
    for (const char* write : {"open", "sealed", "shutting"}) {
      EXPECT_FALSE(both(read, write)) << read << write;
    }
  }
  EXPECT_FALSE(both("open", "shut"));
}

TEST(FlowStateTest, WhoTakesTheTurnSaysWhetherMoreAreQueued) {
  EXPECT_TRUE(Open().TakeTurn(kW, /*more_queued=*/true).next.queued(kW));
  EXPECT_FALSE(Open().TakeTurn(kW, /*more_queued=*/false).next.queued(kW));
}

// A flow loses its handle only after Close, so that the last one inside closes
// it before it is destroyed. The machine would do right without that, too.
TEST(FlowStateTest, TheLastOneOutOfAFlowWithoutAHandleDestroysIt) {
  const FlowState one(uint64_t{1} << 24);
  EXPECT_TRUE(one.LeaveUnheld().destroy);
  EXPECT_FALSE(one.Pin().next.LeaveUnheld().destroy);
  EXPECT_FALSE(Open().EnterUnheld().next.LeaveUnheld().destroy);
}

TEST(FlowStateTest, WhatIsNoEndNoRoleAndNoTryDoesNoHarm) {
  for (uint64_t end = 5; end < 8; ++end) {
    EXPECT_EQ(FlowState(end << 9).Ask(Role::kRead), Answer::kClosed);
    EXPECT_EQ(FlowState(end << 12).Ask(Role::kWrite), Answer::kClosed);
    EXPECT_EQ(FlowState(end << 12).Ask(Role::kShutdown), Answer::kClosed);
  }
  EXPECT_EQ(FlowState().Ask(static_cast<Role>(9)), Answer::kClosed);
  const FlowState writing = Open().Enter(Role::kWrite).next;
  const Step step = writing.AfterTry(Role::kWrite, static_cast<Tried>(9));
  EXPECT_EQ(step.answer, Answer::kWait);
  EXPECT_EQ(step.next.write_end(), WriteEnd::kOpen);
}

// STYLE.md 9: "draw the transition table in the header and make the test the
// same table". A table that only one of the two has is found here.
TEST(FlowStateTest, TheHeaderShowsTheSameGrids) {
  const char* sources = std::getenv("TEST_SRCDIR");
  const char* workspace = std::getenv("TEST_WORKSPACE");
  if (sources == nullptr || workspace == nullptr) {
    return;  // not run by Bazel: no header at hand
  }
  std::ifstream file(absl::StrCat(sources, "/", workspace, "/flow/state.h"));
  std::stringstream text;
  text << file.rdbuf();
  for (const char* grid : {kAnswers, kReadTries, kWriteTries, kSettling}) {
    std::string comment;
    for (absl::string_view line :
         absl::StrSplit(grid, '\n', absl::SkipEmpty())) {
      absl::StrAppend(&comment, "// ", line, "\n");
    }
    EXPECT_THAT(text.str(), HasSubstr(comment));
  }
}

}  // namespace
}  // namespace flow
