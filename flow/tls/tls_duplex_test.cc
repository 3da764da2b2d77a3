// Both directions at once, while keys change; and peers that would keep a flow
// busy (P2, P12; cases 103, 105).

#include <openssl/ssl.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/relay/relay.h"
#include "flow/stats.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/tls/raw_peer_test_support.h"
#include "flow/tls/tls.h"
#include "flow/tls/tls_test_support.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::GoodClient;
using ::flow_testing::GoodServer;
using ::flow_testing::HandshakeOver;
using ::flow_testing::IsData;
using ::flow_testing::IsEof;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::IsOkAndHolds;
using ::flow_testing::kTlsLong;
using ::flow_testing::MemoryPair;
using ::flow_testing::RawPeer;
using ::flow_testing::TcpPair;
using ::flow_testing::UnderTls;

constexpr size_t kBulk = size_t{8} << 20;

// The byte at a place shows the place.
char At(size_t place, int seed) {
  return static_cast<char>((place * 2654435761u >> 7) + seed);
}

void Send(Flow& flow, int seed) {
  std::string block;
  for (size_t at = 0; at < kBulk; at += block.size()) {
    block.resize(std::min<size_t>(1 + at % 70'001, kBulk - at));
    for (size_t i = 0; i < block.size(); ++i) block[i] = At(at + i, seed);
    ASSERT_THAT(flow.Write(block, kTlsLong), IsOk());
  }
  ASSERT_THAT(flow.Shutdown(ShutdownMode::kWrite), IsOk());
}

void Expect(Flow& flow, int seed) {
  size_t at = 0;
  for (;;) {
    auto got = flow.Read(kTlsLong);
    ASSERT_THAT(got, IsOk()) << at;
    if (got->is_eof()) break;
    for (const char c : got->data().view()) ASSERT_EQ(c, At(at++, seed));
  }
  EXPECT_EQ(at, kBulk);
}

// Case 103, with new keys every few records at both ends.
void ExpectFullDuplex(Flow a, Flow b) {
  std::thread a_sends([&] { Send(a, 1); });
  std::thread b_sends([&] { Send(b, 2); });
  std::thread a_reads([&] { Expect(a, 2); });
  Expect(b, 1);
  a_sends.join();
  b_sends.join();
  a_reads.join();
}

TEST(TlsDuplexTest, BothDirectionsAtOnceWhileKeysChangeOnMemory) {
  auto pair = UnderTls(MemoryPair(), TlsVersion::kTls13, 7);
  ASSERT_THAT(pair, IsOk());
  ExpectFullDuplex(std::move(pair->first), std::move(pair->second));
}

TEST(TlsDuplexTest, BothDirectionsAtOnceWhileKeysChangeOnTcp) {
  auto tcp = TcpPair();
  ASSERT_THAT(tcp, IsOk());
  auto pair = UnderTls(*std::move(tcp), TlsVersion::kTls13, 5);
  ASSERT_THAT(pair, IsOk());
  ExpectFullDuplex(std::move(pair->first), std::move(pair->second));
}

TEST(TlsDuplexTest, BothDirectionsAtOnceWithTls12OnTcp) {
  auto tcp = TcpPair();
  ASSERT_THAT(tcp, IsOk());
  auto pair = UnderTls(*std::move(tcp), TlsVersion::kTls12);
  ASSERT_THAT(pair, IsOk());
  ExpectFullDuplex(std::move(pair->first), std::move(pair->second));
}

// A client of ours and a raw server.
class WithRawServer : public ::testing::Test {
 protected:
  void Connect(TlsVersion version, size_t capacity = size_t{1} << 20) {
    auto [ours, theirs] = MemoryPair(capacity);
    peer_ = std::make_unique<RawPeer>(std::move(theirs), RawPeer::Side::kServer,
                                      version);
    std::thread accepting([this] { EXPECT_TRUE(peer_->Handshake()); });
    absl::StatusOr<TlsClient> client = TlsClient::Create(GoodClient());
    ASSERT_THAT(client, IsOk());
    absl::StatusOr<TlsFlow> tls =
        TlsConnect(std::move(ours), *client, "localhost", kTlsLong);
    accepting.join();
    ASSERT_THAT(tls, IsOk());
    flow_ = std::move(tls->flow);
  }

  Flow flow_;
  std::unique_ptr<RawPeer> peer_;
};

// The peer changes its key and wants ours changed.
TEST_F(WithRawServer, TheirKeyUpdateIsAnswered) {
  Connect(TlsVersion::kTls13);
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(SSL_key_update(peer_->ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
    peer_->SendBytes(peer_->Seal("ping"));
    EXPECT_THAT(flow_.Read(kTlsLong), IsOkAndHolds(IsData("ping")));
    EXPECT_THAT(flow_.Write("pong", kTlsLong), IsOk());
    EXPECT_EQ(peer_->Read(), "pong");
  }
}

// A KeyUpdate in two pieces of a record leaves OpenSSL in the middle of a
// message: who writes then waits for the rest, whoever pulls it.
TEST_F(WithRawServer, AWriteWaitsForTheRestOfAKeyUpdate) {
  Connect(TlsVersion::kTls13);
  ASSERT_EQ(SSL_key_update(peer_->ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
  const std::string records = peer_->Seal("ping");
  peer_->SendBytes(records.substr(0, 9));
  EXPECT_THAT(flow_.Read(absl::Milliseconds(1)).status(),
              IsKind(ErrorKind::kDeadline));
  absl::Status written;
  std::thread writing([&] { written = flow_.Write("pong", kTlsLong); });
  peer_->SendBytes(records.substr(9));
  EXPECT_THAT(flow_.Read(kTlsLong), IsOkAndHolds(IsData("ping")));
  writing.join();
  EXPECT_THAT(written, IsOk());
  EXPECT_EQ(peer_->Read(), "pong");
}

// Renegotiation is refused: the peer that asks for it is told so, and the
// stream goes on.
TEST_F(WithRawServer, RenegotiationIsRefused) {
  Connect(TlsVersion::kTls12);
  // Refused by their side already, since ours did not offer it; or by ours.
  if (SSL_renegotiate(peer_->ssl()) == 1) {
    SSL_do_handshake(peer_->ssl());
    peer_->Send();
  }
  peer_->SendBytes(peer_->Seal("on"));
  EXPECT_THAT(flow_.Read(kTlsLong), IsOkAndHolds(IsData("on")));
}

// What a limit left behind is sent by whoever comes next, a reader too.
TEST_F(WithRawServer, AReaderSendsWhatAWriterLeft) {
  Connect(TlsVersion::kTls13, 4096);
  std::string much(100'000, 'm');
  const absl::Status cut = flow_.Write(much, absl::Milliseconds(20));
  EXPECT_THAT(cut, IsKind(ErrorKind::kDeadline));
  std::string got;
  CancelSource stop;
  absl::Status read;
  std::thread reading([&] { read = flow_.Read(stop.token()).status(); });
  while (got.size() < BytesDone(cut)) {
    const std::string more = peer_->Read();
    ASSERT_FALSE(more.empty());
    got += more;
  }
  EXPECT_EQ(got.size(), BytesDone(cut));
  stop.Cancel();
  reading.join();
  EXPECT_THAT(read, IsKind(ErrorKind::kCancelled));
}

// ... also one that was asleep before.
TEST_F(WithRawServer, AReaderThatSleepsIsWokenForWhatAWriterLeaves) {
  Connect(TlsVersion::kTls13, 4096);
  CancelSource stop;
  absl::Status read;
  std::thread reading([&] { read = flow_.Read(stop.token()).status(); });
  while (flow_.GetStats().reading != Activity::kSignal)
    std::this_thread::yield();
  const absl::Status cut =
      flow_.Write(std::string(100'000, 'm'), absl::Milliseconds(20));
  EXPECT_THAT(cut, IsKind(ErrorKind::kDeadline));
  size_t got = 0;
  while (got < BytesDone(cut)) {
    const std::string more = peer_->Read();
    ASSERT_FALSE(more.empty());
    got += more.size();
  }
  stop.Cancel();
  reading.join();
}

// P10: a relay works on it as it is: a half-close becomes one, and an answer
// that comes later still arrives.
TEST(TlsRelayTest, ARelayBetweenTlsAndPlainPassesEverythingOn) {
  auto tls = UnderTls(MemoryPair());
  ASSERT_THAT(tls, IsOk());
  Flow client = std::move(tls->first);
  Flow outside = std::move(tls->second);
  auto [inside, backend] = MemoryPair();
  RelayResult result;
  std::thread relay([&, &inside = inside] { result = Relay(outside, inside); });
  ASSERT_THAT(client.Write("question"), IsOk());
  ASSERT_THAT(client.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(backend.Read(kTlsLong), IsOkAndHolds(IsData("question")));
  EXPECT_THAT(backend.Read(kTlsLong), IsOkAndHolds(IsEof()));
  std::thread answer([&, &backend = backend] { Send(backend, 3); });
  Expect(client, 3);
  answer.join();
  relay.join();
  EXPECT_THAT(result.status(), IsOk());
}

// ------------------------------------------------------------------ slow peers

// P12, case 105: a silent client costs its own handshake, and nothing else.
TEST(TlsSlowPeerTest, SilentClientsEndAtTheirLimitAndHinderNobody) {
  absl::StatusOr<TlsServer> server = TlsServer::Create(GoodServer());
  absl::StatusOr<TlsClient> client = TlsClient::Create(GoodClient());
  ASSERT_THAT(server, IsOk());
  ASSERT_THAT(client, IsOk());
  auto [ours, silent] = MemoryPair();
  absl::Status waited;
  const absl::Time begin = absl::Now();
  std::thread waiting([&, below = std::move(ours)]() mutable {
    waited =
        TlsAccept(std::move(below), *server, absl::Milliseconds(500)).status();
  });
  for (int i = 0; i < 50; ++i) {
    EXPECT_THAT(HandshakeOver(MemoryPair(), *client, *server).second, IsOk());
  }
  waiting.join();
  EXPECT_THAT(waited, IsKind(ErrorKind::kDeadline));
  EXPECT_GE(absl::Now() - begin, absl::Milliseconds(500));
  // The flow below is closed.
  EXPECT_THAT(silent.Read(kTlsLong), IsOkAndHolds(IsEof()));
}

// The limit is a total: a client that sends a byte now and then has no more.
TEST(TlsSlowPeerTest, ADribblingClientEndsAtTheLimitToo) {
  TlsServerOptions options = GoodServer();
  options.handshake_timeout = absl::Milliseconds(200);
  absl::StatusOr<TlsServer> server = TlsServer::Create(options);
  ASSERT_THAT(server, IsOk());
  auto [ours, theirs] = MemoryPair(1);
  std::thread dribbling([&, below = std::move(theirs)]() mutable {
    // Each byte waits until the one before it was taken. A header, then more.
    std::string bytes("\x16\x03\x01\x3f\xff\x01\x00\x3f\xfb\x03\x03", 11);
    bytes.append(20'000, 'x');
    for (const char c : bytes) {
      if (!below.Write(absl::string_view(&c, 1), kTlsLong).ok()) break;
      absl::Status paused = below.Read(absl::Milliseconds(1)).status();
      if (!paused.ok() && KindOf(paused) != ErrorKind::kDeadline) break;
    }
  });
  EXPECT_THAT(TlsAccept(std::move(ours), *server).status(),
              IsKind(ErrorKind::kDeadline));
  dribbling.join();
}

// A token ends a handshake as it ends a read.
TEST(TlsSlowPeerTest, ATokenEndsAHandshake) {
  absl::StatusOr<TlsClient> client = TlsClient::Create(GoodClient());
  ASSERT_THAT(client, IsOk());
  auto [ours, silent] = MemoryPair();
  CancelSource stop;
  absl::Status connected;
  std::thread connecting([&, below = std::move(ours)]() mutable {
    connected = TlsConnect(std::move(below), *client, "localhost", stop.token())
                    .status();
  });
  // The hello has come, so it waits for the answer, or is about to.
  EXPECT_THAT(silent.Read(kTlsLong), IsOkAndHolds(IsData()));
  stop.Cancel();
  connecting.join();
  EXPECT_THAT(connected, IsKind(ErrorKind::kCancelled));
}

}  // namespace
}  // namespace flow
