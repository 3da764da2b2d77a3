// How a flow's sides end. P1: "EOF is truth: EOF only if the peer ended in
// order; a reset or any earlier error is an error, the same one on every later
// call, whichever direction met it first (within its scope)."

#include <atomic>
#include <cerrno>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/driver_test.h"
#include "flow/flow.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Attempt;
using flow::ErrorKind;
using flow::ErrorScope;
using flow::Flow;
using flow::ShutdownMode;
using testing::AllOf;
using testing::HasSubstr;

using Iovecs = absl::Span<const iovec>;

// ---------------------------------------------------------- the race of two
// ends
//
// DESIGN 10: "ECONNRESET is reported once; then reads give 0. With a reader and
// a writer blocked at once, one thread takes the ECONNRESET and the other can
// see 0 before the first has recorded it."

// Both are inside a try: the reader meets `read`, then, when that has been
// recorded, the writer meets `write`. Returns what the Read says.
absl::StatusOr<flow::OrEof<flow::Buffer>> ReaderMeetsFirst(Attempt read,
                                                           Attempt write) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  absl::Notification writing;
  hooks->read = [&](Iovecs) {
    writing.WaitForNotification();
    return read;
  };
  hooks->write = [&](Iovecs) {
    writing.Notify();
    EXPECT_TRUE(ReaderSleeps(f)) << "an end is believed too early";
    return write;
  };
  Background reader([&f] { return f.Read(); });
  f.Write("x", absl::Seconds(20)).IgnoreError();
  return reader.Get();
}

TEST(EndsTest, AnEofDuringTheWritersResetIsTheReset) {
  EXPECT_THAT(ReaderMeetsFirst(Attempt::Eof(), Attempt::Failed(ECONNRESET)),
              IsKind(ErrorKind::kReset));
}

TEST(EndsTest, AnEofDuringAWriteThatGoesWellIsEof) {
  EXPECT_THAT(ReaderMeetsFirst(Attempt::Eof(), Attempt::Transferred(1)),
              IsEof());
}

TEST(EndsTest, AnEofDuringAWriteThatThePeerRefusesIsEof) {
  EXPECT_THAT(ReaderMeetsFirst(Attempt::Eof(), Attempt::Failed(EPIPE)),
              IsEof());
}

// A Shutdown's try settles a doubt as a write's does.
TEST(EndsTest, AnEofDuringAShutdownIsSettledByIt) {
  for (const bool reset : {true, false}) {
    auto hooks = std::make_shared<Hooks>();
    Flow f = FlowOn(hooks);
    absl::Notification shutting;
    hooks->read = [&](Iovecs) {
      shutting.WaitForNotification();
      return Attempt::Eof();
    };
    hooks->shutdown = [&](ShutdownMode) {
      shutting.Notify();
      EXPECT_TRUE(ReaderSleeps(f));
      return reset ? Attempt::Failed(ECONNRESET) : Attempt::Transferred(0);
    };
    Background reader([&f] { return f.Read(); });
    EXPECT_EQ(f.Shutdown(ShutdownMode::kWrite, absl::Seconds(20)).ok(), !reset);
    if (reset) {
      EXPECT_THAT(reader.Get(), IsKind(ErrorKind::kReset));
    } else {
      EXPECT_THAT(reader.Get(), IsEof());
    }
  }
}

// The writer's reset is recorded while the reader is still inside its try.
TEST(EndsTest, AnEofAfterTheWritersResetIsTheReset) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  absl::Notification reading, written;
  hooks->read = [&](Iovecs) {
    reading.Notify();
    written.WaitForNotification();
    return Attempt::Eof();
  };
  hooks->write = [](Iovecs) { return Attempt::Failed(ECONNRESET); };
  Background reader([&f] { return f.Read(); });
  reading.WaitForNotification();
  EXPECT_THAT(f.Write("x"), IsKind(ErrorKind::kReset));
  written.Notify();
  EXPECT_THAT(reader.Get(), IsKind(ErrorKind::kReset));
}

// A long write does not leave the reader in doubt until it is through.
TEST(EndsTest, AnEofIsSettledByTheNextStepOfALongWrite) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  absl::Notification writing;
  hooks->read = [&](Iovecs) {
    writing.WaitForNotification();
    return Attempt::Eof();
  };
  hooks->write = [&](Iovecs) {
    if (writing.HasBeenNotified()) return hooks->Blocked();
    writing.Notify();
    EXPECT_TRUE(ReaderSleeps(f));
    return Attempt::Transferred(1);
  };
  Background reader([&f] { return f.Read(); });
  Background writer([&f] { return f.Write("long"); });
  EXPECT_THAT(reader.Get(), IsEof());
  EXPECT_TRUE(WriterSleeps(f));
  EXPECT_THAT(f.Close(), IsOk());
  EXPECT_THAT(writer.Get(),
              AllOf(IsKind(ErrorKind::kClosedLocally), HasBytesDone(1)));
}

TEST(EndsTest, AnEofIsSettledByTheNextStepOfAWriteThatNeverBlocks) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  absl::Notification writing, read;
  hooks->read = [&](Iovecs) {
    writing.WaitForNotification();
    return Attempt::Eof();
  };
  hooks->write = [&](Iovecs) {
    if (writing.HasBeenNotified()) {
      EXPECT_TRUE(read.WaitForNotificationWithTimeout(absl::Seconds(30)));
      return Attempt::Transferred(3);
    }
    writing.Notify();
    EXPECT_TRUE(ReaderSleeps(f));
    return Attempt::Transferred(1);
  };
  Background reader([&] {
    EXPECT_THAT(f.Read(), IsEof());
    read.Notify();
    return true;
  });
  EXPECT_THAT(f.Write("long"), IsOk());
}

// The same with the roles changed: EPIPE for the writer, the reset for the
// reader.
TEST(EndsTest, ARefusalDuringTheReadersResetIsTheReset) {
  for (const bool reset : {true, false}) {
    auto hooks = std::make_shared<Hooks>();
    Flow f = FlowOn(hooks);
    absl::Notification reading;
    hooks->write = [&](Iovecs) {
      reading.WaitForNotification();
      return Attempt::Failed(EPIPE);
    };
    hooks->read = [&](Iovecs) {
      reading.Notify();
      EXPECT_TRUE(WriterSleeps(f)) << "an end is believed too early";
      return reset ? Attempt::Failed(ECONNRESET) : Attempt::Eof();
    };
    Background writer([&f] { return f.Write("x"); });
    f.Read(absl::Seconds(20)).IgnoreError();
    EXPECT_THAT(writer.Get(),
                IsKind(reset ? ErrorKind::kReset : ErrorKind::kClosedByPeer));
  }
}

// ---------------------------------------------------------------------
// draining

// "draining e (the writer met e): data still there, then e; never Eof, never
// waits".
TEST(EndsTest, WhatHadArrivedBeforeTheWritersResetIsReadFirst) {
  for (const bool eof : {true, false}) {
    auto hooks = std::make_shared<Hooks>();
    Flow f = FlowOn(hooks);
    int left = 2;
    hooks->read = [&](Iovecs into) {
      if (left == 0) return eof ? Attempt::Eof() : hooks->Blocked();
      --left;
      static_cast<char*>(into[0].iov_base)[0] = 'd';
      return Attempt::Transferred(1);
    };
    hooks->write = [](Iovecs) { return Attempt::Failed(ECONNRESET); };
    EXPECT_THAT(f.Write("x"), IsKind(ErrorKind::kReset));
    EXPECT_THAT(f.ReadInto({}), IsOkAndHolds(IsData(0)));
    EXPECT_THAT(f.Read(), IsOkAndHolds(IsData("d")));
    EXPECT_THAT(f.Read(), IsOkAndHolds(IsData("d")));
    for (int i = 0; i < 3; ++i) {
      EXPECT_THAT(f.Read(), IsKind(ErrorKind::kReset));
    }
    EXPECT_EQ(hooks->reads, 3);
  }
}

// The same if the reader was inside a try, which had found nothing, or paused
// between two: what it knows is older than the reset.
TEST(EndsTest, WhatArrivedDuringATryBeforeTheWritersResetIsReadFirst) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  hooks->write = [](Iovecs) { return Attempt::Failed(ECONNRESET); };
  hooks->read = [&](Iovecs into) {
    if (hooks->reads != 2) {
      if (hooks->reads == 1) {
        EXPECT_THAT(f.Write("x"), IsKind(ErrorKind::kReset));
      }
      return hooks->Blocked();
    }
    static_cast<char*>(into[0].iov_base)[0] = 'd';
    return Attempt::Transferred(1);
  };
  EXPECT_THAT(f.Read(), IsOkAndHolds(IsData("d")));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(f.Read(), IsKind(ErrorKind::kReset));
  }
  EXPECT_EQ(hooks->reads, 3);
}

// ------------------------------------------------------------ endings are
// sticky

TEST(EndsTest, AnEndIsMetOnceAndToldForEver) {
  struct Case {
    Attempt met;
    ErrorKind kind;
  };
  for (const Case& c : {Case{Attempt::Failed(ECONNRESET), ErrorKind::kReset},
                        Case{Attempt::Failed(EPIPE), ErrorKind::kClosedByPeer},
                        Case{Attempt::Failed(ENOSPC), ErrorKind::kSystem}}) {
    auto hooks = std::make_shared<Hooks>();
    Flow f = FlowOn(hooks);
    hooks->write = [&](Iovecs) {
      return hooks->writes == 1 ? c.met : Attempt::Transferred(1);
    };
    const absl::Status first = f.Write("x");
    EXPECT_THAT(first, IsKind(c.kind));
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(f.Write("x"), first);
      EXPECT_EQ(f.Write(""), first);
      EXPECT_EQ(f.WriteSome("x").status(), first);
      EXPECT_EQ(f.Write("x", absl::ZeroDuration()), first) << "ends come first";
    }
    EXPECT_EQ(hooks->writes, 1);
    EXPECT_THAT(f.Shutdown(ShutdownMode::kWrite), IsOk());
    EXPECT_THAT(f.Write("x"), IsKind(ErrorKind::kClosedLocally));
  }
}

// "The first end recorded for that side": what the other side meets later
// changes nothing.
TEST(EndsTest, TheFirstErrorOfASideStays) {
  for (const bool read_first : {true, false}) {
    auto hooks = std::make_shared<Hooks>();
    hooks->read = [&](Iovecs) {
      return Attempt::Failed(read_first ? EIO : ECONNRESET);
    };
    hooks->write = [&](Iovecs) {
      return Attempt::Failed(read_first ? ECONNRESET : ENOSPC);
    };
    Flow f = FlowOn(hooks);
    const absl::Status first = read_first ? f.Read().status() : f.Write("x");
    EXPECT_FALSE(flow::IsReset(first));
    EXPECT_THAT(read_first ? f.Write("x") : f.Read().status(),
                IsKind(ErrorKind::kReset));
    EXPECT_EQ(read_first ? f.Read().status() : f.Write("x"), first);
  }
}

TEST(EndsTest, EofIsMetOnceAndToldForEver) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  hooks->read = [&](Iovecs) {
    return hooks->reads == 1 ? Attempt::Eof() : Attempt::Failed(ECONNRESET);
  };
  char byte;
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(i == 0 ? f.Read() : f.Read(absl::ZeroDuration()), IsEof());
    EXPECT_THAT(f.ReadInto({}), IsEof());
    EXPECT_THAT(f.ReadInto(absl::MakeSpan(&byte, 1)), IsEof());
  }
  EXPECT_EQ(hooks->reads, 1);
  EXPECT_THAT(f.Write("x"), IsOk());
}

// "Scope of an error": ENOSPC on stdout must not fail stdin.
TEST(EndsTest, AnErrorOfOneDirectionLeavesTheOther) {
  for (const int error : {EPIPE, ESHUTDOWN, ENOSPC, EFBIG, EDQUOT}) {
    auto hooks = std::make_shared<Hooks>();
    Flow f = FlowOn(hooks);
    hooks->write = [&](Iovecs) { return Attempt::Failed(error); };
    hooks->read = [](Iovecs) { return Attempt::Eof(); };
    EXPECT_FALSE(f.Write("x").ok()) << error;
    EXPECT_THAT(f.Read(), IsEof()) << error;
  }
}

// "Who records a kFlow end wakes the waiters of the other side."
TEST(EndsTest, AnErrorOfTheFlowWakesTheOtherSide) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  Background reader([&f] { return f.Read(); });
  ASSERT_TRUE(ReaderSleeps(f));
  hooks->write = [](Iovecs) { return Attempt::Failed(ETIMEDOUT); };
  EXPECT_THAT(f.Write("x"), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(reader.Get(), StatusIs(absl::StatusCode::kUnavailable));

  auto other = std::make_shared<Hooks>();
  Flow g = FlowOn(other);
  other->write = [&](Iovecs) { return other->Blocked(); };
  Background writer([&g] { return g.Write("x"); });
  ASSERT_TRUE(WriterSleeps(g));
  other->read = [](Iovecs) { return Attempt::Failed(ECONNRESET); };
  EXPECT_THAT(g.Read(), IsKind(ErrorKind::kReset));
  EXPECT_THAT(writer.Get(), IsKind(ErrorKind::kReset));
}

// "Not sticky: DEADLINE_EXCEEDED, CANCELLED by a token, INVALID_ARGUMENT."
TEST(EndsTest, LimitsAndMistakesAreNotSticky) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  flow::CancelSource source;
  source.Cancel();
  flow::Limits bad;
  bad.stall_timeout = absl::ZeroDuration();
  EXPECT_THAT(f.Read(absl::ZeroDuration()), IsKind(ErrorKind::kDeadline));
  EXPECT_THAT(f.Read(source.token()), IsKind(ErrorKind::kCancelled));
  EXPECT_THAT(f.Read(bad), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(f.Write("x", bad), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(hooks->reads + hooks->writes, 0) << "nothing was tried";
  hooks->read = [](Iovecs) { return Attempt::Eof(); };
  EXPECT_THAT(f.Read(), IsEof());
  EXPECT_THAT(f.Write("x"), IsOk());
}

// --------------------------------------------------------------------- the
// words

TEST(EndsTest, AnErrorNamesOperationErrnoPeerAndCount) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  hooks->write = [&](Iovecs) {
    return hooks->writes == 1 ? Attempt::Transferred(4)
                              : Attempt::Failed(ECONNRESET);
  };
  const absl::Status s = f.Write("0123456789");
  EXPECT_EQ(s.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(s.message(),
            "write() failed: Connection reset by peer [104]; flow a -> b, 4 of "
            "10 bytes done");
  const auto detail = flow::DetailOf(s);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->error, ECONNRESET);
  EXPECT_EQ(detail->operation, "write");
  EXPECT_EQ(detail->local, "a");
  EXPECT_EQ(detail->peer, "b");
  EXPECT_EQ(detail->bytes_done, 4u);
}

TEST(EndsTest, TheTransportsOwnWordsCount) {
  auto hooks = std::make_shared<Hooks>();
  hooks->words = absl::DataLossError("cut without close_notify");
  hooks->read = [](Iovecs) {
    return Attempt::Failed(ErrorKind::kTruncated, ErrorScope::kFlow);
  };
  Flow f = FlowOn(hooks);
  EXPECT_THAT(f.Read(), AllOf(StatusIs(absl::StatusCode::kDataLoss,
                                       HasSubstr("cut without close_notify")),
                              IsKind(ErrorKind::kTruncated)));
  hooks->words = absl::OkStatus();
  auto wordless = std::make_shared<Hooks>();
  wordless->read = hooks->read;
  EXPECT_THAT(FlowOn(wordless).Read(),
              AllOf(StatusIs(absl::StatusCode::kDataLoss,
                             HasSubstr("read() failed: truncated")),
                    IsKind(ErrorKind::kTruncated)));
}

// P2: "on failure the count is reported", the writer's own, though the reader
// met the failure.
TEST(EndsTest, AWriteThatTheReadersErrorEndsTellsItsOwnCount) {
  auto hooks = std::make_shared<Hooks>();
  Flow f = FlowOn(hooks);
  hooks->write = [&](Iovecs) {
    return hooks->writes == 1 ? Attempt::Transferred(3) : hooks->Blocked();
  };
  Background writer([&f] { return f.Write("0123456789"); });
  ASSERT_TRUE(WriterSleeps(f));
  hooks->read = [](Iovecs) { return Attempt::Failed(ECONNRESET); };
  EXPECT_THAT(f.Read(), IsKind(ErrorKind::kReset));
  EXPECT_THAT(writer.Get(), AllOf(IsKind(ErrorKind::kReset), HasBytesDone(3),
                                  StatusIs(absl::StatusCode::kUnavailable,
                                           HasSubstr("3 of 10 bytes done"))));
}

// ------------------------------------------------- transports that break the
// rules

TEST(EndsTest, AReadOfALengthThatWasNotAskedForIsInternal) {
  for (const size_t n : {size_t{0}, size_t{9}, SIZE_MAX}) {
    auto hooks = std::make_shared<Hooks>();
    hooks->read = [n](Iovecs) { return Attempt::Transferred(n); };
    Flow f = FlowOn(hooks);
    char eight[8];
    EXPECT_THAT(f.ReadInto(absl::MakeSpan(eight)),
                StatusIs(absl::StatusCode::kInternal));
    EXPECT_THAT(f.Write("x"), StatusIs(absl::StatusCode::kInternal));
    EXPECT_EQ(f.GetStats().bytes_read, 0u);
  }
}

TEST(EndsTest, AFreshReadOfALengthThatWasNotAskedForIsInternal) {
  for (const size_t n : {size_t{0}, size_t{1} << 30}) {
    auto hooks = std::make_shared<Hooks>();
    hooks->read = [n](Iovecs) { return Attempt::Transferred(n); };
    Flow f = FlowOn(hooks);
    EXPECT_THAT(f.Read(), StatusIs(absl::StatusCode::kInternal));
  }
}

TEST(EndsTest, AWriteOfALengthThatWasNotAskedForIsInternal) {
  for (const size_t n : {size_t{0}, size_t{4}, SIZE_MAX}) {
    auto hooks = std::make_shared<Hooks>();
    hooks->write = [n](Iovecs) { return Attempt::Transferred(n); };
    Flow f = FlowOn(hooks);
    EXPECT_THAT(f.Write("abc"), StatusIs(absl::StatusCode::kInternal));
    EXPECT_THAT(f.Read(), StatusIs(absl::StatusCode::kInternal));
    Flow g = FlowOn(hooks);
    EXPECT_THAT(g.WriteSome("abc"), StatusIs(absl::StatusCode::kInternal));
  }
}

TEST(EndsTest, AnEofFromAnythingButAReadIsInternal) {
  const auto eof = [] { return Attempt::Eof(); };
  auto write = std::make_shared<Hooks>();
  write->write = [](Iovecs) { return Attempt::Eof(); };
  EXPECT_THAT(FlowOn(write).Write("x"), StatusIs(absl::StatusCode::kInternal));
  EXPECT_THAT(FlowOn(write).WriteSome("x"),
              StatusIs(absl::StatusCode::kInternal));
  auto flush = std::make_shared<Hooks>();
  flush->flush = eof;
  EXPECT_THAT(FlowOn(flush).Write("x"), StatusIs(absl::StatusCode::kInternal));
  EXPECT_THAT(FlowOn(flush).Shutdown(ShutdownMode::kWrite),
              StatusIs(absl::StatusCode::kInternal));
  auto shut = std::make_shared<Hooks>();
  shut->shutdown = [](ShutdownMode) { return Attempt::Eof(); };
  EXPECT_THAT(FlowOn(shut).Shutdown(ShutdownMode::kWrite),
              StatusIs(absl::StatusCode::kInternal));
}

TEST(EndsTest, ADrainOfALengthThatWasNotAskedForIsInternal) {
  for (const size_t n : {size_t{0}, SIZE_MAX}) {
    auto hooks = std::make_shared<Hooks>();
    hooks->read = [n](Iovecs) { return Attempt::Transferred(n); };
    Flow f = FlowOn(hooks);
    EXPECT_THAT(f.CloseGracefully(absl::Seconds(20)),
                StatusIs(absl::StatusCode::kInternal));
    EXPECT_EQ(hooks->closes, 1);
  }
}

// EPIPE of a read is no refusal of the peer's, only an error.
TEST(EndsTest, AReadThatFailsAsAWriteWouldIsAnErrorOfItsSide) {
  auto hooks = std::make_shared<Hooks>();
  hooks->read = [](Iovecs) { return Attempt::Failed(EPIPE); };
  Flow f = FlowOn(hooks);
  char byte;
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(f.ReadInto(absl::MakeSpan(&byte, 1)),
                StatusIs(absl::StatusCode::kFailedPrecondition));
  }
  EXPECT_EQ(hooks->reads, 1);
  EXPECT_THAT(f.Write("x"), IsOk());
}

TEST(EndsTest, AFailureWithoutAnErrnoOrAKindIsInternal) {
  auto hooks = std::make_shared<Hooks>();
  hooks->read = [](Iovecs) { return Attempt::Failed(0); };
  EXPECT_THAT(FlowOn(hooks).Read(), StatusIs(absl::StatusCode::kInternal));
}

}  // namespace
}  // namespace flow_testing
