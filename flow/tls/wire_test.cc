// The way of encrypted bytes (wire.h), joined waits (waits.h), and names
// (names.h), each alone.

#include "flow/tls/wire.h"

#include <openssl/bio.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/signal.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/tls/names.h"
#include "flow/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace internal {
namespace {

using ::flow_testing::IsOk;
using ::flow_testing::MemoryTransportPair;
using ::flow_testing::StatusIs;

class WireTest : public ::testing::Test {
 protected:
  void Make(size_t capacity) {
    auto [below, peer] = MemoryTransportPair(capacity);
    peer_ = std::move(peer);
    wire_ = std::make_unique<TlsWire>(std::move(below));
    bio_ = wire_->MakeBio();
    ASSERT_NE(bio_, nullptr);
  }

  size_t Put(absl::string_view bytes) {
    size_t done = 0;
    BIO_write_ex(bio_.get(), bytes.data(), bytes.size(), &done);
    return done;
  }
  size_t PeerTakes() {
    char buffer[1000];
    const iovec into = {buffer, sizeof(buffer)};
    const Attempt a = peer_->TryRead(absl::MakeConstSpan(&into, 1));
    return a.transferred() ? a.n() : 0;
  }
  void PeerSends(absl::string_view bytes) {
    const iovec from = {const_cast<char*>(bytes.data()), bytes.size()};
    ASSERT_EQ(peer_->TryWrite(absl::MakeConstSpan(&from, 1)).n(), bytes.size());
  }

  std::unique_ptr<Transport> peer_;
  std::unique_ptr<TlsWire> wire_;
  UniqueBio bio_;
};

// "A whole record is always taken", and not without end.
TEST_F(WireTest, OutputIsHeldUpToABound) {
  Make(10);
  const TlsWire::Use use(*wire_, 0);
  const std::string record(TlsWire::kRecord + 300, 'r');
  for (int i = 0; i < TlsWire::kRecordsPerTry; ++i) {
    EXPECT_EQ(Put(record), record.size());
  }
  while (Put(record) > 0) {
  }
  EXPECT_TRUE(BIO_should_write(bio_.get()) != 0);
  EXPECT_TRUE(wire_->holds_output());
}

TEST_F(WireTest, PushSendsInOrderAndTellsProgress) {
  Make(10);
  const TlsWire::Use use(*wire_, 0);
  ASSERT_EQ(Put(std::string(25, 'x')), 25u);
  EXPECT_TRUE(wire_->Push().progressed());
  const Attempt stuck = wire_->Push();
  EXPECT_TRUE(stuck.would_block());
  EXPECT_FALSE(stuck.progressed());
  EXPECT_EQ(PeerTakes(), 10u);
  EXPECT_TRUE(wire_->Push().progressed());
  EXPECT_EQ(PeerTakes(), 10u);
  EXPECT_TRUE(wire_->Push().transferred());
  EXPECT_FALSE(wire_->holds_output());
  EXPECT_EQ(PeerTakes(), 5u);
}

// A failure is told again, and swallows what comes after it.
TEST_F(WireTest, AFailedPushStaysFailed) {
  Make(10);
  const TlsWire::Use use(*wire_, 0);
  ASSERT_EQ(Put("lost"), 4u);
  peer_->Abort();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(wire_->Push().failed());
    EXPECT_EQ(Put("more"), 4u);
    EXPECT_FALSE(wire_->holds_output());
  }
}

TEST_F(WireTest, PullsAreRationed) {
  Make(100);
  PeerSends("abc");
  char c[10];
  size_t done = 0;
  {
    const TlsWire::Use use(*wire_, 0);
    EXPECT_EQ(BIO_read_ex(bio_.get(), c, sizeof(c), &done), 0);
    EXPECT_TRUE(BIO_should_read(bio_.get()) != 0);
    EXPECT_TRUE(wire_->input_is_rationed());
  }
  const TlsWire::Use use(*wire_, 2);
  EXPECT_EQ(BIO_read_ex(bio_.get(), c, 2, &done), 1);
  EXPECT_EQ(BIO_read_ex(bio_.get(), c, 2, &done), 1);
  EXPECT_EQ(done, 1u);
  EXPECT_TRUE(wire_->pulled());
  EXPECT_EQ(BIO_read_ex(bio_.get(), c, 2, &done), 0);
  EXPECT_TRUE(wire_->input().would_block());
  EXPECT_FALSE(wire_->input_is_rationed());
}

// P12: a peer that sends and sends, but never the end of a message, gives the
// other direction its turn all the same.
TEST_F(WireTest, ATryPullsNoMoreThanItsRation) {
  Make(100);
  char c[10];
  size_t done = 0;
  const TlsWire::Use use(*wire_, 2);
  for (const int given : {1, 1, 0}) {
    EXPECT_FALSE(wire_->input_is_rationed());
    PeerSends("a");
    EXPECT_EQ(BIO_read_ex(bio_.get(), c, sizeof(c), &done), given);
  }
  EXPECT_TRUE(wire_->input_is_rationed());
}

TEST_F(WireTest, TheEndOfTheInputIsNotAskedForAgain) {
  Make(100);
  PeerSends("a");
  static_cast<void>(peer_->TryShutdown(ShutdownMode::kWrite));
  char c[10];
  size_t done = 0;
  for (int i = 0; i < 3; ++i) {
    const TlsWire::Use use(*wire_, 4);
    EXPECT_EQ(BIO_read_ex(bio_.get(), c, 10, &done), i == 0 ? 1 : 0);
    EXPECT_EQ(BIO_read_ex(bio_.get(), c, 10, &done), 0);
    EXPECT_TRUE(wire_->input().eof());
  }
}

// ------------------------------------------------------------------- the names

TEST(NamesTest, NamesOfServersAreToldFromAddresses) {
  for (const char* name : {"localhost", "a.test", "a.test.", "x_y.test",
                           "1.2.3.test", "xn--bcher-kva.test"}) {
    ASSERT_THAT(ParseServerName(name), IsOk()) << name;
    EXPECT_FALSE(ParseServerName(name)->is_address) << name;
  }
  EXPECT_EQ(ParseServerName("a.test.")->text, "a.test");
  for (const char* name : {"127.0.0.1", "::1", "[::1]", "2001:db8::1"}) {
    ASSERT_THAT(ParseServerName(name), IsOk()) << name;
    EXPECT_TRUE(ParseServerName(name)->is_address) << name;
  }
  for (const char* name : {"", ".", ".a", "a..b", "[a]", "[127.0.0.1", "a b",
                           "a/b", "*.a", "fe80::1%eth0"}) {
    EXPECT_THAT(ParseServerName(name).status(),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << name;
  }
  EXPECT_THAT(
      ParseServerName(absl::string_view("127.0.0.1\0.bank.test", 20)).status(),
      StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace internal
}  // namespace flow
