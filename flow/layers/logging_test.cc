// Log: what lines say, and that nothing that passes can change how they look.

#include "flow/layers/logging.h"

#include <cstddef>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/testing/sim_syscalls.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::IsData;
using ::flow_testing::IsEof;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::MemoryPair;
using ::flow_testing::SimSyscalls;
using ::flow_testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

// A logged flow on simulated time, and its lines.
class LoggingTest : public ::testing::Test {
 protected:
  void Make(const LogOptions& options) {
    flow_testing::MemoryPairOptions on_sim;
    on_sim.sys = &sim_;
    auto [below, peer] = MemoryPair(size_t{1} << 16, on_sim);
    absl::StatusOr<Flow> made = Log(std::move(below), sink_, options);
    ASSERT_THAT(made, IsOk());
    flow_ = *std::move(made);
    peer_ = std::move(peer);
    lines_.clear();  // of "open"
  }
  static LogOptions Format(LogFormat format) {
    LogOptions options;
    options.format = format;
    options.name = "f";
    return options;
  }
  // Reads `bytes` that the peer sends.
  void Receive(absl::string_view bytes) {
    ASSERT_THAT(peer_.Write(bytes), IsOk());
    ASSERT_THAT(flow_.Read(), IsData(bytes));
  }

  SimSyscalls sim_;
  std::vector<std::string> lines_;
  const std::shared_ptr<LogSink> sink_ = std::make_shared<LogSink>(
      [this](absl::string_view line) { lines_.emplace_back(line); });
  Flow flow_;
  Flow peer_;
};

TEST_F(LoggingTest, TextTellsDirectionSizeAndBytes) {
  Make(Format(LogFormat::kText));
  ASSERT_THAT(flow_.Write("GET /\r\n"), IsOk());
  sim_.Advance(absl::Milliseconds(1500));
  Receive("200 \"OK\"");
  EXPECT_THAT(lines_, ElementsAre(R"(+0.000000 f > 7 B "GET /\r\n")",
                                  R"(+1.500000 f < 8 B "200 \"OK\"")"));
}

TEST_F(LoggingTest, EndpointsAreTheNameByDefault) {
  LogOptions options;
  options.timestamps = false;
  Make(options);
  ASSERT_THAT(flow_.Write("x"), IsOk());
  EXPECT_THAT(lines_, ElementsAre(R"(memory a -> memory b > 1 B "x")"));
}

TEST_F(LoggingTest, AHexdumpShowsOffsetsBytesAndLetters) {
  Make(Format(LogFormat::kHexdump));
  Receive("01234567");
  lines_.clear();
  Receive(absl::string_view("GET / HTTP/1.0\r\n\0\xff z", 20));
  EXPECT_THAT(
      lines_,
      ElementsAre("+0.000000 f < 20 B",
                  "< 00000008  47 45 54 20 2f 20 48 54  54 50 2f 31 2e 30 0d "
                  "0a  |GET / HTTP/1.0..|",
                  "< 00000018  00 ff 20 7a                                     "
                  "  |.. z|"));
}

TEST_F(LoggingTest, JsonKeepsEveryByte) {
  Make(Format(LogFormat::kJsonLines));
  ASSERT_THAT(flow_.Write("ab"), IsOk());
  ASSERT_THAT(flow_.Write(absl::string_view("\"\\\n\0\xff", 5)), IsOk());
  EXPECT_THAT(
      lines_,
      ElementsAre(
          R"({"t":0.000000,"flow":"f","dir":"out","event":"data","at":0,)"
          R"("bytes":2,"data":"ab"})",
          R"({"t":0.000000,"flow":"f","dir":"out","event":"data","at":2,)"
          R"("bytes":5,"data":"\"\\\u000a\u0000\u00ff"})"));
}

TEST_F(LoggingTest, EndingsAreTold) {
  LogOptions options = Format(LogFormat::kText);
  options.timestamps = false;
  Make(options);
  ASSERT_THAT(peer_.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(flow_.Read(), IsEof());
  ASSERT_THAT(flow_.Shutdown(ShutdownMode::kWrite), IsOk());
  ASSERT_THAT(flow_.Close(), IsOk());
  EXPECT_THAT(lines_, ElementsAre("f < eof", "f > shutdown", "f * close"));
}

TEST_F(LoggingTest, FailuresAndAbortAreTold) {
  Make(Format(LogFormat::kJsonLines));
  ASSERT_THAT(peer_.Abort(), IsOk());
  EXPECT_THAT(flow_.Read(), IsKind(ErrorKind::kReset));
  EXPECT_THAT(
      lines_,
      ElementsAre(R"({"t":0.000000,"flow":"f","dir":"in","event":"failed",)"
                  R"("detail":"Connection reset by peer [104]"})"));
  lines_.clear();
  Make(Format(LogFormat::kText));
  ASSERT_THAT(flow_.Abort(), IsOk());
  EXPECT_THAT(lines_,
              ElementsAre("+0.000000 f * abort", "+0.000000 f * close"));
}

TEST_F(LoggingTest, OpeningIsTold) {
  auto [below, peer] = MemoryPair();
  LogOptions options = Format(LogFormat::kText);
  options.timestamps = false;
  absl::StatusOr<Flow> made = Log(std::move(below), sink_, options);
  ASSERT_THAT(made, IsOk());
  EXPECT_THAT(lines_, ElementsAre("f * open"));
}

TEST_F(LoggingTest, PayloadIsCutToWhatIsAskedFor) {
  for (const LogFormat format :
       {LogFormat::kText, LogFormat::kHexdump, LogFormat::kJsonLines}) {
    LogOptions options = Format(format);
    options.payload = 3;
    Make(options);
    ASSERT_THAT(flow_.Write("abcdef"), IsOk());
    EXPECT_THAT(
        lines_.back(),
        EndsWith(format == LogFormat::kText      ? R"(6 B "abc"...)"
                 : format == LogFormat::kHexdump ? "> ..."
                                                 : R"("abc","cut":true})"));
  }
}

// Payload may be secret.
TEST_F(LoggingTest, WithoutPayloadThereAreSizesAlone) {
  for (const LogFormat format :
       {LogFormat::kText, LogFormat::kHexdump, LogFormat::kJsonLines}) {
    LogOptions options = Format(format);
    options.payload = 0;
    Make(options);
    ASSERT_THAT(flow_.Write("secret"), IsOk());
    ASSERT_EQ(lines_.size(), 1);
    EXPECT_THAT(lines_[0], ::testing::Not(HasSubstr("secret")));
    EXPECT_THAT(lines_[0], HasSubstr("6"));
  }
}

// "no byte of the peer's can end a line or forge another".
TEST_F(LoggingTest, NothingThatPassesCanForgeALine) {
  for (const LogFormat format :
       {LogFormat::kText, LogFormat::kHexdump, LogFormat::kJsonLines}) {
    LogOptions options = Format(format);
    options.name = "evil\nname";
    Make(options);
    std::string all;
    for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
    Receive(all);
    for (const std::string& line : lines_) {
      for (const char c : line) EXPECT_TRUE(c >= 0x20 && c <= 0x7e) << line;
    }
  }
}

TEST_F(LoggingTest, LinesCanBeRedirected) {
  Make(Format(LogFormat::kText));
  std::vector<std::string> elsewhere;
  sink_->Redirect(
      [&elsewhere](absl::string_view line) { elsewhere.emplace_back(line); });
  ASSERT_THAT(flow_.Write("x"), IsOk());
  EXPECT_THAT(lines_, ::testing::IsEmpty());
  EXPECT_EQ(elsewhere.size(), 1);
  sink_->Redirect(nullptr);  // nowhere
  ASSERT_THAT(flow_.Write("x"), IsOk());
  EXPECT_EQ(elsewhere.size(), 1);
}

TEST_F(LoggingTest, AStreamGetsALineEach) {
  std::ostringstream stream;
  auto [below, peer] = MemoryPair();
  absl::StatusOr<Flow> made =
      Log(std::move(below), std::make_shared<LogSink>(&stream));
  ASSERT_THAT(made, IsOk());
  ASSERT_THAT(made->Write("x"), IsOk());
  EXPECT_THAT(stream.str(), EndsWith(" 1 B \"x\"\n"));
}

// P8: user exceptions are contained.
TEST_F(LoggingTest, ASinkThatThrowsLosesItsLinesAlone) {
  Make(Format(LogFormat::kText));
  sink_->Redirect(
      [](absl::string_view) { throw std::runtime_error("the disk is full"); });
  EXPECT_THAT(flow_.Write("x"), IsOk());
  EXPECT_THAT(peer_.Read(), IsData("x"));
  EXPECT_EQ(sink_->dropped(), 1);
}

// Two flows, two directions each, one sink: whole lines, each event's together.
TEST_F(LoggingTest, FlowsThatShareASinkDoNotMixTheirLines) {
  LogOptions options;
  options.format = LogFormat::kHexdump;
  options.timestamps = false;
  absl::StatusOr<Flow> flows[2];
  Flow peers[2];
  for (int i = 0; i < 2; ++i) {
    auto [below, peer] = MemoryPair();
    options.name = std::string(1, static_cast<char>('a' + i));
    flows[i] = Log(std::move(below), sink_, options);
    ASSERT_THAT(flows[i], IsOk());
    peers[i] = std::move(peer);
  }
  lines_.clear();
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&f = *flows[i]] {
      for (int n = 0; n < 50; ++n) {
        EXPECT_THAT(f.Write(std::string(32, 'o')), IsOk());
      }
    });
    threads.emplace_back([&f = *flows[i], &peer = peers[i]] {
      for (int n = 0; n < 50; ++n) {
        EXPECT_THAT(peer.Write(std::string(32, 'i')), IsOk());
        EXPECT_THAT(f.Read(), IsOk());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(lines_.size(), 600);
  for (size_t at = 0; at < lines_.size(); at += 3) {
    const absl::string_view mark = lines_[at].substr(2, 1) == "<" ? "<" : ">";
    EXPECT_THAT(lines_[at], EndsWith(" 32 B"));
    EXPECT_TRUE(absl::StartsWith(lines_[at + 1], mark)) << lines_[at + 1];
    EXPECT_TRUE(absl::StartsWith(lines_[at + 2], mark)) << lines_[at + 2];
  }
}

TEST_F(LoggingTest, ThereHasToBeASink) {
  auto [below, peer] = MemoryPair();
  EXPECT_THAT(Log(std::move(below), nullptr),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace flow
