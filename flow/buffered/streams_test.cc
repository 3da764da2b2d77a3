// std::istream and std::ostream over flows: the end, errors, and going on.

#include "flow/buffered/streams.h"

#include <cerrno>
#include <ios>
#include <istream>
#include <iterator>
#include <ostream>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "flow/buffered/buffered_test_support.h"
#include "flow/buffered/channel.h"
#include "flow/buffered/line.h"
#include "flow/buffered/reader.h"
#include "flow/buffered/writer.h"
#include "flow/flow.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/testing/sim_syscalls.h"
#include "flow/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::IsData;
using ::flow_testing::IsEof;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::MemoryPair;
using ::flow_testing::SinkLog;
using ::flow_testing::SinkOf;
using ::flow_testing::SourceOf;

// Cases 60 and 54 (mirage `input_strings` and `output_string`), as channels.
TEST(StreamsTest, WordsComeWhateverThePieces) {
  FlowIstream ic(SourceOf({"", "on", "e 2", "2 thr", "ee\n"}));
  std::string word;
  int number = 0;
  ASSERT_TRUE(ic >> word >> number);
  EXPECT_EQ(word, "one");
  EXPECT_EQ(number, 22);
  ASSERT_TRUE(std::getline(ic >> std::ws, word));
  EXPECT_EQ(word, "three");
  EXPECT_FALSE(ic >> word);
  EXPECT_TRUE(ic.eof());
  EXPECT_FALSE(ic.bad());
  EXPECT_THAT(ic.status(), IsOk());
}

// P1: an error is badbit with its status, and never eofbit alone.
TEST(StreamsTest, ErrorIsToldApartFromTheEnd) {
  FlowIstream ic(SourceOf({"12 34"}, ECONNRESET));
  int number = 0;
  ASSERT_TRUE(ic >> number);
  EXPECT_THAT(ic.status(), IsOk());
  ic >> number;
  EXPECT_TRUE(ic.bad());
  EXPECT_THAT(ic.status(), IsKind(ErrorKind::kReset));
  FlowIstream block(SourceOf({"12"}, ECONNRESET));
  char space[4];
  EXPECT_FALSE(block.read(space, 4));
  EXPECT_EQ(block.gcount(), 2);
  EXPECT_TRUE(block.bad());
  EXPECT_THAT(block.status(), IsKind(ErrorKind::kReset));
}

// "Nothing is lost by an error: after a limit, clear() lets it go on."
TEST(StreamsTest, ReadingGoesOnAfterALimit) {
  flow_testing::SimSyscalls sim;
  sim.AutoAdvance(1);
  flow_testing::MemoryPairOptions on_sim;
  on_sim.sys = &sim;
  auto [ours, peer] = MemoryPair(100, on_sim);
  FlowIstream ic(std::move(ours));
  ASSERT_THAT(peer.Write("abc"), IsOk());
  ic.set_limits(sim.In(absl::Seconds(1)));
  char space[6] = {};
  EXPECT_FALSE(ic.read(space, 6));
  EXPECT_EQ(ic.gcount(), 3);
  EXPECT_TRUE(ic.bad());
  EXPECT_THAT(ic.status(), IsKind(ErrorKind::kDeadline));
  ASSERT_THAT(peer.Write("def\n"), IsOk());
  ic.clear();
  ic.set_limits({});
  std::string rest;
  ASSERT_TRUE(std::getline(ic, rest));
  EXPECT_EQ(rest, "def");
  EXPECT_THAT(ic.status(), IsOk());
}

TEST(StreamsTest, OutputIsGatheredAndFlushedByEndl) {
  SinkLog log;
  FlowOstream oc(SinkOf(&log));
  oc << "x = " << 42 << ' ' << 1.5;
  oc.put('!');
  EXPECT_EQ(log.tries, 0);
  oc << std::endl;
  EXPECT_EQ(log.taken, "x = 42 1.5!\n");
  EXPECT_EQ(log.tries, 1);
  EXPECT_TRUE(oc.good());
  EXPECT_THAT(oc.writer().Close(), IsOk());
  EXPECT_FALSE(log.aborted);
}

TEST(StreamsTest, FailureOfAFlushIsBadbitWithItsStatus) {
  SinkLog log;
  FlowOstream oc(SinkOf(&log, 10, ENOSPC));
  oc << "hello! world";
  EXPECT_TRUE(oc.good());
  oc.flush();
  EXPECT_TRUE(oc.bad());
  EXPECT_EQ(log.taken, "hello! wor");
  EXPECT_EQ(oc.status().code(), absl::StatusCode::kResourceExhausted);
  oc.clear();
  oc << "more";
  EXPECT_TRUE(oc.bad());
}

// "Nothing is thrown unless the user turns that on."
TEST(StreamsTest, ExceptionsAreTheUsersChoice) {
  FlowIstream ic(SourceOf({"1"}, ECONNRESET));
  ic.exceptions(std::ios_base::badbit);
  std::string word;
  EXPECT_THROW(ic >> word, std::ios_base::failure);
  EXPECT_THAT(ic.status(), IsKind(ErrorKind::kReset));
  SinkLog log;
  FlowOstream oc(SinkOf(&log, 0, ENOSPC));
  oc.exceptions(std::ios_base::badbit);
  oc << "1";
  EXPECT_THROW(oc.flush(), std::ios_base::failure);
}

// "Both ways of using them can be mixed."
TEST(StreamsTest, StreamAndReaderShareOnePlace) {
  Reader in(SourceOf({"one two\nthree\nfour"}));
  {
    FlowIstream ic(&in);
    std::string word;
    ASSERT_TRUE(ic >> word);
    EXPECT_THAT(ic.reader().ReadLine(), IsData(Line{" two", true}));
    ASSERT_TRUE(ic >> word);
    EXPECT_EQ(word, "three");
    EXPECT_EQ(ic.rdbuf()->in_avail(), 5);
  }
  EXPECT_THAT(in.SkipLine(), IsData(1u));
  EXPECT_THAT(in.Read(), IsData("four"));
  EXPECT_THAT(in.Read(), IsEof());
}

TEST(StreamsTest, CharactersComeOneByOne) {
  FlowIstream ic(SourceOf({"a", "bc", "d"}));
  EXPECT_EQ(ic.peek(), 'a');
  const std::string all{std::istreambuf_iterator<char>(ic),
                        std::istreambuf_iterator<char>()};
  EXPECT_EQ(all, "abcd");
}

// A conversation in one thread: tie() flushes the question before the wait.
TEST(StreamsTest, TiedStreamsAskBeforeTheyWait) {
  auto [ours, theirs] = MemoryPair();
  std::thread server([flow = &theirs] {
    Channel chat(std::move(*flow));
    FlowIstream ic(&chat.reader());
    FlowOstream oc(&chat.writer());
    int a = 0;
    int b = 0;
    while (ic >> a >> b) oc << a + b << std::endl;
    EXPECT_THAT(ic.status(), IsOk());
    EXPECT_THAT(chat.Close(), IsOk());
  });
  Channel chat(std::move(ours));
  FlowIstream ic(&chat.reader());
  FlowOstream oc(&chat.writer());
  ic.tie(&oc);
  for (int i = 0; i < 100; ++i) {
    oc << i << ' ' << 2 * i << '\n';
    int sum = 0;
    ASSERT_TRUE(ic >> sum);
    EXPECT_EQ(sum, 3 * i);
  }
  EXPECT_THAT(chat.writer().Shutdown(ShutdownMode::kWrite), IsOk());
  server.join();
}

}  // namespace
}  // namespace flow
