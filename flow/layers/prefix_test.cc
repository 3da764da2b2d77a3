// Prefix: what is given back comes first, and nothing else changes.

#include "flow/layers/prefix.h"

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/buffer.h"
#include "flow/flow.h"
#include "flow/or_eof.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::IsData;
using ::flow_testing::IsEof;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::IsOkAndHolds;
using ::flow_testing::MemoryPair;
using ::flow_testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

// No test waits so long: a mistake is to be a failure, not a hang.
constexpr absl::Duration kLong = absl::Seconds(20);

class PrefixTest : public ::testing::Test {
 protected:
  PrefixTest() {
    auto [below, peer] = MemoryPair();
    below_ = std::move(below);
    peer_ = std::move(peer);
  }

  template <typename Bytes>
  void Make(Bytes bytes) {
    absl::StatusOr<Flow> made = Prefix(std::move(below_), std::move(bytes));
    ASSERT_THAT(made, IsOk());
    flow_ = *std::move(made);
  }

  Flow below_;
  Flow flow_;
  Flow peer_;
};

// P2: exact bytes, and no read that mixes the two.
TEST_F(PrefixTest, ThePrefixComesBeforeWhatTheFlowHas) {
  ASSERT_THAT(peer_.Write("from below"), IsOk());
  Make(absl::string_view("given back, "));
  EXPECT_THAT(flow_.Read(kLong), IsData("given back, "));
  EXPECT_THAT(flow_.Read(kLong), IsData("from below"));
}

TEST_F(PrefixTest, BuffersAndCordsAreTakenToo) {
  Make(Buffer::CopyOf("a buffer"));
  EXPECT_THAT(flow_.Read(kLong), IsData("a buffer"));
  below_ = std::move(flow_);
  absl::Cord pieces("many");
  pieces.Append(absl::MakeCordFromExternal(" pieces", [] {}));
  Make(pieces);
  std::string got;
  while (got.size() < pieces.size()) {
    absl::StatusOr<OrEof<Buffer>> part = flow_.Read(kLong);
    ASSERT_THAT(part, IsOk());
    got += part->data().view();
  }
  EXPECT_EQ(got, "many pieces");
}

// A read takes what fits, the next one goes on where it stopped.
TEST_F(PrefixTest, SmallReadsTakeItPieceByPiece) {
  Make(absl::string_view("abcdefg"));
  ASSERT_THAT(peer_.Write("hij"), IsOk());
  std::string got;
  char three[3];
  while (got.size() < 10) {
    auto n = flow_.ReadInto(absl::MakeSpan(three), kLong);
    ASSERT_THAT(n, IsOk());
    got.append(three, n->data());
  }
  EXPECT_EQ(got, "abcdefghij");
}

// A prefix is there at once, whatever the flow below does.
TEST_F(PrefixTest, AReadOfThePrefixDoesNotWait) {
  Make(absl::string_view("now"));
  EXPECT_THAT(flow_.Read(absl::Seconds(20)), IsData("now"));
  EXPECT_THAT(flow_.Read(absl::Milliseconds(1)), IsKind(ErrorKind::kDeadline));
}

// A deadline that has passed moves no byte, even when data waits (P3).
TEST_F(PrefixTest, APastDeadlineLeavesThePrefixWhereItIs) {
  Make(absl::string_view("still here"));
  EXPECT_THAT(flow_.Read(absl::ZeroDuration()), IsKind(ErrorKind::kDeadline));
  EXPECT_THAT(flow_.Read(kLong), IsData("still here"));
}

// P1: an ending is told after the bytes that came before it.
TEST_F(PrefixTest, EofBelowIsToldAfterThePrefix) {
  ASSERT_THAT(peer_.Close(), IsOk());
  Make(absl::string_view("last words"));
  EXPECT_THAT(flow_.Read(kLong), IsData("last words"));
  EXPECT_THAT(flow_.Read(kLong), IsEof());
  EXPECT_THAT(flow_.Read(kLong), IsEof());
}

TEST_F(PrefixTest, AResetBelowIsToldAfterThePrefix) {
  ASSERT_THAT(peer_.Abort(), IsOk());
  Make(absl::string_view("last words"));
  // The writer meets it first: the reader still gets what had arrived.
  EXPECT_THAT(flow_.Write("x"), IsKind(ErrorKind::kReset));
  EXPECT_THAT(flow_.Read(kLong), IsData("last words"));
  EXPECT_THAT(flow_.Read(kLong), IsKind(ErrorKind::kReset));
}

TEST_F(PrefixTest, WaitPeerEndLooksPastThePrefix) {
  Make(absl::string_view("unread"));
  ASSERT_THAT(peer_.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(flow_.WaitPeerEnd(PeerEnd::kFinished, absl::Seconds(20)),
              IsOkAndHolds(PeerEnd::kFinished));
}

// State table, "read: shut": Eof, whatever is there.
TEST_F(PrefixTest, ShutdownOfReadingDropsThePrefix) {
  Make(absl::string_view("unwanted"));
  ASSERT_THAT(flow_.Shutdown(ShutdownMode::kRead), IsOk());
  EXPECT_THAT(flow_.Read(kLong), IsEof());
  ASSERT_THAT(flow_.Write("still writing"), IsOk());
  EXPECT_THAT(peer_.Read(kLong), IsData("still writing"));
}

// For the next layer, TLS after STARTTLS for one.
TEST_F(PrefixTest, ReleaseTransportKeepsWhatIsUnread) {
  Make(absl::string_view("abcdef"));
  char two[2];
  ASSERT_THAT(flow_.ReadInto(absl::MakeSpan(two), kLong), IsOk());
  absl::StatusOr<std::unique_ptr<Transport>> transport =
      flow_.ReleaseTransport();
  ASSERT_THAT(transport, IsOk());
  Flow next(*std::move(transport));
  ASSERT_THAT(peer_.Write("ghi"), IsOk());
  EXPECT_THAT(next.Read(kLong), IsData("cdef"));
  EXPECT_THAT(next.Read(kLong), IsData("ghi"));
}

TEST_F(PrefixTest, PrefixesStack) {
  Make(absl::string_view("second "));
  below_ = std::move(flow_);
  Make(absl::string_view("first "));
  EXPECT_THAT(flow_.Read(kLong), IsData("first "));
  EXPECT_THAT(flow_.Read(kLong), IsData("second "));
}

// A flow that can't read can still have something given back.
TEST_F(PrefixTest, AWriteOnlyFlowGivesThePrefixThenEof) {
  class WriteOnly final : public Transport {
   public:
    Attempt TryRead(absl::Span<const iovec> /*into*/) override {
      ADD_FAILURE() << "a direction that it does not have";
      return Attempt::Eof();
    }
    Attempt TryWrite(absl::Span<const iovec> from) override {
      return Attempt::Transferred(from[0].iov_len);
    }
    Attempt TryShutdown(ShutdownMode /*half*/) override {
      return Attempt::Transferred(0);
    }
    absl::Status Close() override { return absl::OkStatus(); }
    bool can_read() const override { return false; }
  };
  below_ = Flow(std::make_unique<WriteOnly>());
  Make(absl::string_view("all there is"));
  EXPECT_THAT(flow_.Read(kLong), IsData("all there is"));
  EXPECT_THAT(flow_.Read(kLong), IsEof());
  EXPECT_THAT(flow_.Write("x"), IsOk());
}

TEST_F(PrefixTest, AnEmptyPrefixIsTheFlowItself) {
  ASSERT_THAT(peer_.Write("as it is"), IsOk());
  Make(absl::string_view());
  EXPECT_THAT(flow_.Read(kLong), IsData("as it is"));
  EXPECT_THAT(flow_.ToString(), Not(HasSubstr("prefix")));
}

// "named in error texts".
TEST_F(PrefixTest, ItsNameStandsInMessages) {
  Make(absl::string_view("unread"));
  EXPECT_THAT(flow_.ToString(),
              HasSubstr("flow prefix over memory a -> memory b"));
  ASSERT_THAT(flow_.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(flow_.Write("x"),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("flow prefix over memory a -> memory b")));
}

// Guarantee: FAILED_PRECONDITION, and `below` is closed.
TEST_F(PrefixTest, AFlowThatHasEndedIsRefusedAndClosed) {
  ASSERT_THAT(peer_.Shutdown(ShutdownMode::kWrite), IsOk());
  ASSERT_THAT(below_.Read(kLong), IsEof());
  EXPECT_THAT(Prefix(std::move(below_), absl::string_view("x")),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(peer_.WaitPeerEnd(PeerEnd::kGone, absl::Seconds(20)), IsOk());
}

}  // namespace
}  // namespace flow
