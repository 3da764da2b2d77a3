// What all layers have in common: they own what they are on, pass everything
// through that they are not about, and are named in messages.

#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/layers/layers_test_support.h"
#include "flow/status.h"
#include "flow/sys/errno_table.h"
#include "flow/testing/call_set.h"
#include "flow/testing/call_trace.h"
#include "flow/testing/fault_options.h"
#include "flow/testing/fault_syscalls.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/testing/sim_syscalls.h"
#include "flow/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::AllLayers;
using ::flow_testing::Call;
using ::flow_testing::IsData;
using ::flow_testing::IsEof;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::LayerNamed;
using ::flow_testing::MemoryPair;
using ::flow_testing::StatusIs;
using ::flow_testing::TestedLayer;
using ::testing::AllOf;
using ::testing::HasSubstr;

// No test waits so long: a mistake is to be a failure, not a hang.
constexpr absl::Duration kLong = absl::Seconds(20);

// What was done to a transport.
struct Deeds {
  int closed = 0;
  int aborted = 0;
  int shut = 0;
  int read_shut = 0;
  int destroyed = 0;
};

// Writes down what is done to it. Its writes fail, with words.
class Spy final : public Transport {
 public:
  explicit Spy(Deeds* deeds) : deeds_(deeds) {}
  ~Spy() override { ++deeds_->destroyed; }

  Attempt TryRead(absl::Span<const iovec> /*into*/) override {
    return Attempt::Failed(ErrorKind::kTruncated, ErrorScope::kDirection);
  }
  Attempt TryWrite(absl::Span<const iovec> /*from*/) override {
    return Attempt::Failed(ErrorKind::kOther, ErrorScope::kDirection);
  }
  Attempt TryShutdown(ShutdownMode half) override {
    ++(half == ShutdownMode::kWrite ? deeds_->shut : deeds_->read_shut);
    return Attempt::Transferred(0);
  }
  void Abort() override { ++deeds_->aborted; }
  absl::Status Close() override {
    ++deeds_->closed;
    return absl::DataLossError("the disk is full");
  }
  absl::Status last_error() const override {
    return absl::PermissionDeniedError("words from below");
  }

 private:
  Deeds* const deeds_;
};

class LayersTest : public ::testing::TestWithParam<TestedLayer> {
 protected:
  Flow On(Flow below) {
    absl::StatusOr<Flow> made = GetParam().put(std::move(below));
    EXPECT_THAT(made, IsOk());
    return made.ok() ? *std::move(made) : Flow();
  }
  // On one end of a memory pair.
  void OnMemory() {
    auto [below, peer] = MemoryPair();
    flow_ = On(std::move(below));
    peer_ = std::move(peer);
  }

  Deeds deeds_;
  flow_testing::FaultSyscalls counted_{flow_testing::FaultOptions()};
  Flow flow_;  // goes before what it calls
  Flow peer_;
};

INSTANTIATE_TEST_SUITE_P(All, LayersTest, ::testing::ValuesIn(AllLayers()),
                         [](const auto& test) { return test.param.name; });

// DESIGN, "Layers": "Closing the outer closes the inner." P5: once, and the
// status of the inner's Close is the outer's.
TEST_P(LayersTest, ClosingTheOuterClosesTheInner) {
  flow_ = On(Flow(std::make_unique<Spy>(&deeds_)));
  EXPECT_THAT(flow_.Close(), StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(deeds_.closed, 1);
  EXPECT_EQ(deeds_.destroyed, 1);
  EXPECT_EQ(deeds_.aborted, 0);
  flow_ = Flow();
  EXPECT_EQ(deeds_.closed, 1);
}

TEST_P(LayersTest, DestroyingTheOuterClosesTheInner) {
  flow_ = On(Flow(std::make_unique<Spy>(&deeds_)));
  flow_ = Flow();
  EXPECT_EQ(deeds_.closed, 1);
  EXPECT_EQ(deeds_.destroyed, 1);
}

TEST_P(LayersTest, AbortPassesThrough) {
  flow_ = On(Flow(std::make_unique<Spy>(&deeds_)));
  flow_.Abort().IgnoreError();
  EXPECT_EQ(deeds_.aborted, 1);
  EXPECT_EQ(deeds_.closed, 1);
}

TEST_P(LayersTest, AbortIsVisibleToThePeer) {
  OnMemory();
  EXPECT_TRUE(flow_.abort_is_visible());
  ASSERT_THAT(flow_.Abort(), IsOk());
  EXPECT_THAT(peer_.Read(kLong), IsKind(ErrorKind::kReset));
}

TEST_P(LayersTest, AHalfClosePassesThrough) {
  OnMemory();
  EXPECT_TRUE(flow_.ends_are_visible());
  ASSERT_THAT(flow_.Write("request"), IsOk());
  ASSERT_THAT(flow_.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(peer_.Read(kLong), IsData("request"));
  EXPECT_THAT(peer_.Read(kLong), IsEof());
  ASSERT_THAT(peer_.Write("answer"), IsOk());
  ASSERT_THAT(peer_.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(flow_.Read(kLong), IsData("answer"));
  EXPECT_THAT(flow_.Read(kLong), IsEof());
}

// The read half below stays open, so that what comes can be drained.
TEST_P(LayersTest, ShuttingTheReadSideLeavesTheOneBelowOpen) {
  flow_ = On(Flow(std::make_unique<Spy>(&deeds_)));
  ASSERT_THAT(flow_.Shutdown(ShutdownMode::kRead), IsOk());
  EXPECT_EQ(deeds_.read_shut, 0);
  EXPECT_THAT(flow_.Read(kLong), IsEof());
}

// SEED: a layer whose both sides are shut closes the flow below, though its
// handle lives.
TEST_P(LayersTest, ShuttingBothSidesClosesTheInner) {
  OnMemory();
  ASSERT_THAT(peer_.Shutdown(ShutdownMode::kWrite), IsOk());
  ASSERT_THAT(flow_.Shutdown(ShutdownMode::kReadWrite), IsOk());
  EXPECT_THAT(peer_.WaitPeerEnd(PeerEnd::kGone, absl::Seconds(20)), IsOk());
}

// "named in error texts", with the words of whoever failed.
TEST_P(LayersTest, ItIsNamedInErrorsThatKeepTheirWords) {
  flow_ = On(Flow(std::make_unique<Spy>(&deeds_)));
  EXPECT_THAT(flow_.Write("x"),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       AllOf(HasSubstr("words from below"),
                             HasSubstr("flow " + GetParam().name + " over "))));
  EXPECT_THAT(flow_.Read(kLong), StatusIs(absl::StatusCode::kPermissionDenied,
                                          HasSubstr("words from below")));
  EXPECT_THAT(flow_.Read(kLong), IsKind(ErrorKind::kTruncated));
}

TEST_P(LayersTest, EndpointsAndHandlesAreThoseBelow) {
  absl::StatusOr<std::pair<Flow, Flow>> pair = SocketPair();
  ASSERT_THAT(pair, IsOk());
  const Endpoint local = pair->first.local();
  const Endpoint peer = pair->first.peer();
  const int fd = pair->first.native_handle();
  flow_ = On(std::move(pair->first));
  EXPECT_EQ(flow_.local(), local);
  EXPECT_EQ(flow_.peer(), peer);
  EXPECT_EQ(flow_.native_handle(), fd);
  EXPECT_FALSE(flow_.abort_is_visible());
}

// golang/go #21676, rust #70436: a vectored write must not become many.
TEST_P(LayersTest, AVectoredWriteIsOneSystemCall) {
  FdOptions options;
  options.sys = &counted_;
  absl::StatusOr<std::pair<Flow, Flow>> pair = SocketPair(options);
  ASSERT_THAT(pair, IsOk());
  flow_ = On(std::move(pair->first));
  const std::vector<absl::string_view> pieces(16, "piece ");
  const int64_t before = counted_.trace().count();
  ASSERT_THAT(flow_.Writev(pieces), IsOk());
  EXPECT_EQ(counted_.trace().count(Call::kSendmsg), 1)
      << counted_.TraceString();
  EXPECT_EQ(counted_.trace().count(), before + 1) << counted_.TraceString();
  std::string got;
  while (got.size() < 16 * 6) {
    auto part = pair->second.Read(kLong);
    ASSERT_THAT(part, IsOk());
    got += part->data().view();
  }
  EXPECT_EQ(got.substr(90), "piece ");
}

// Time is that of the flow below.
TEST_P(LayersTest, ItsTimeIsThatOfTheFlowBelow) {
  flow_testing::SimSyscalls sim;
  sim.AutoAdvance(1);
  flow_testing::MemoryPairOptions on_sim;
  on_sim.sys = &sim;
  auto [below, peer] = MemoryPair(64, on_sim);
  flow_ = On(std::move(below));
  EXPECT_EQ(flow_.syscalls(), &sim);
  EXPECT_THAT(flow_.Read(sim.In(absl::Seconds(60))),
              IsKind(ErrorKind::kDeadline));
  EXPECT_EQ(sim.elapsed(), absl::Seconds(60));
  flow_ = Flow();  // before its clock
}

// ... and the failed layer owns it: `below` is closed on every error.
TEST_P(LayersTest, AFlowThatHasEndedIsRefusedAndClosed) {
  auto [below, peer] = MemoryPair();
  ASSERT_THAT(peer.Shutdown(ShutdownMode::kWrite), IsOk());
  ASSERT_THAT(below.Read(kLong), IsEof());
  EXPECT_THAT(GetParam().put(std::move(below)),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(peer.WaitPeerEnd(PeerEnd::kGone, absl::Seconds(20)), IsOk());
}

TEST_P(LayersTest, AMovedFromFlowIsRefused) {
  EXPECT_THAT(GetParam().put(Flow()),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

// A layer can be taken off again no more than any transport, but can be given
// to another layer.
TEST_P(LayersTest, ItCanBeReleasedAndGoesOn) {
  OnMemory();
  absl::StatusOr<std::unique_ptr<Transport>> transport =
      flow_.ReleaseTransport();
  ASSERT_THAT(transport, IsOk());
  Flow again(*std::move(transport));
  ASSERT_THAT(again.Write("still here"), IsOk());
  EXPECT_THAT(peer_.Read(kLong), IsData("still here"));
}

// Composed: each has its name, the outermost first, and one Close ends all.
TEST(ComposedLayersTest, NamesStandInOrderAndCloseGoesAllTheWay) {
  Deeds deeds;
  Flow f(std::make_unique<Spy>(&deeds));
  for (const char* name : {"prefix", "throttle", "logging", "counting"}) {
    absl::StatusOr<Flow> next = LayerNamed(name)(std::move(f));
    ASSERT_THAT(next, IsOk());
    f = *std::move(next);
  }
  EXPECT_THAT(f.Write("x"),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       HasSubstr("words from below; flow counting over logging "
                                 "over throttle over prefix over ? -> ?")));
  f.Close().IgnoreError();
  EXPECT_EQ(deeds.closed, 1);
  EXPECT_EQ(deeds.destroyed, 1);
}

}  // namespace
}  // namespace flow
