// How a TLS flow ends, with a peer that does as the test wants (P1, P12; cases
// 59, 101, 102, 106, 118).

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/flow.h"
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
using ::flow_testing::HandshakeWith;
using ::flow_testing::IsData;
using ::flow_testing::IsEof;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::IsOkAndHolds;
using ::flow_testing::kTlsLong;
using ::flow_testing::MemoryPair;
using ::flow_testing::RawPeer;
using ::flow_testing::StatusIs;
using ::flow_testing::TlsPair;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::StatusCode kDataLoss = absl::StatusCode::kDataLoss;

// A client of ours and a raw server, connected; for each version.
class TlsEndingsTest : public ::testing::TestWithParam<TlsVersion> {
 protected:
  TlsEndingsTest() { Connect(); }

  void Connect() {
    auto [ours, theirs] = MemoryPair(size_t{1} << 20);
    peer_ = std::make_unique<RawPeer>(std::move(theirs), RawPeer::Side::kServer,
                                      GetParam());
    std::thread accepting([this] { EXPECT_TRUE(peer_->Handshake()); });
    absl::StatusOr<TlsClient> client = TlsClient::Create(GoodClient());
    EXPECT_THAT(client, IsOk());
    absl::StatusOr<TlsFlow> tls =
        TlsConnect(std::move(ours), *client, "localhost", kTlsLong);
    accepting.join();
    EXPECT_THAT(tls, IsOk());
    flow_ = std::move(tls->flow);
  }

  // What is read before the end, and the end: OK is Eof.
  absl::Status ReadAll(std::string& got) {
    got.clear();
    for (;;) {
      auto read = flow_.Read(kTlsLong);
      if (!read.ok()) return read.status();
      if (read->is_eof()) return absl::OkStatus();
      got.append(read->data().view());
    }
  }

  // P1: the same answer again and again, from reads and from writes.
  void ExpectStays(absl::StatusCode code, ErrorKind kind) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_THAT(flow_.Read(kTlsLong).status(),
                  AllOf(StatusIs(code), IsKind(kind)));
      EXPECT_THAT(flow_.Write("x", kTlsLong),
                  AllOf(StatusIs(code), IsKind(kind)));
    }
  }

  Flow flow_;
  std::unique_ptr<RawPeer> peer_;
};

// Case 101, first half.
TEST_P(TlsEndingsTest, CloseNotifyIsTheEndOfTheStream) {
  peer_->SendBytes(peer_->Seal("last"));
  peer_->SendBytes(peer_->SealEnd());
  std::string got;
  EXPECT_THAT(ReadAll(got), IsOk());
  EXPECT_EQ(got, "last");
  for (int i = 0; i < 3; ++i) EXPECT_THAT(flow_.Read(), IsOkAndHolds(IsEof()));
  // The other direction goes on.
  EXPECT_THAT(flow_.Write("still"), IsOk());
  EXPECT_EQ(peer_->Read(), "still");
}

// Case 101, second half, at every byte: whole records are delivered, a stream
// that lacks a single byte of its end mark is cut.
TEST_P(TlsEndingsTest, AStreamCutAtAnyByteIsDataLoss) {
  const size_t size = [this] {
    std::string all = peer_->Seal("hello");
    all += peer_->Seal("world");
    return all.size() + peer_->SealEnd().size();
  }();
  for (size_t cut = 0; cut < size; ++cut) {
    Connect();
    const std::string first = peer_->Seal("hello");
    const std::string second = peer_->Seal("world");
    std::string all = first + second;
    all += peer_->SealEnd();
    ASSERT_EQ(all.size(), size);
    peer_->SendBytes(all.substr(0, cut));
    EXPECT_THAT(peer_->below().Shutdown(ShutdownMode::kWrite), IsOk());
    std::string got;
    EXPECT_THAT(ReadAll(got),
                AllOf(StatusIs(kDataLoss, HasSubstr("close_notify")),
                      IsKind(ErrorKind::kTruncated)))
        << cut;
    std::string expected;
    if (cut >= first.size()) expected = "hello";
    if (cut >= first.size() + second.size()) expected = "helloworld";
    EXPECT_EQ(got, expected) << cut;
    ExpectStays(kDataLoss, ErrorKind::kTruncated);
  }
}

// What was sent arrives in any pieces.
TEST_P(TlsEndingsTest, RecordsMayComeByteByByte) {
  std::string all = peer_->Seal("hello");
  all += peer_->SealEnd();
  std::thread sending([&] {
    for (const char& c : all) peer_->SendBytes(absl::string_view(&c, 1));
  });
  std::string got;
  EXPECT_THAT(ReadAll(got), IsOk());
  EXPECT_EQ(got, "hello");
  sending.join();
}

// A reset is a reset: what came before it is still there.
TEST_P(TlsEndingsTest, AResetBelowIsAReset) {
  peer_->SendBytes(peer_->Seal("before"));
  EXPECT_THAT(peer_->below().Abort(), IsOk());
  std::string got;
  const absl::Status reset = ReadAll(got);
  EXPECT_THAT(reset, IsKind(ErrorKind::kReset));
  EXPECT_THAT(reset.message(), HasSubstr("flow tls over memory a"));
  EXPECT_EQ(got, "before");
  ExpectStays(absl::StatusCode::kUnavailable, ErrorKind::kReset);
}

TEST_P(TlsEndingsTest, AForgedByteEndsBothDirections) {
  std::string forged = peer_->Seal("secret words");
  forged[forged.size() - 1] = static_cast<char>(forged.back() ^ 1);
  peer_->SendBytes(forged);
  // Case 118: no plaintext in messages.
  EXPECT_THAT(flow_.Read(kTlsLong).status(),
              AllOf(StatusIs(kDataLoss, Not(HasSubstr("secret"))),
                    IsKind(ErrorKind::kOther)));
  ExpectStays(kDataLoss, ErrorKind::kOther);
  // The peer is told why, and nothing leaks into the thread's queue.
  EXPECT_EQ(ERR_peek_error(), 0u);
  EXPECT_EQ(peer_->Read(), "");
}

TEST_P(TlsEndingsTest, BytesThatAreNoTlsAreDataLoss) {
  peer_->SendBytes("HTTP/1.1 400 Bad Request\r\n\r\n");
  EXPECT_THAT(flow_.Read(kTlsLong).status(), StatusIs(kDataLoss));
  ExpectStays(kDataLoss, ErrorKind::kOther);
}

// The peer's alert is told by its name.
TEST_P(TlsEndingsTest, AFatalAlertIsNamed) {
  // A record that the peer's OpenSSL refuses makes it send one.
  BIO* const input = SSL_get_rbio(peer_->ssl());
  const std::string bad("\x17\x03\x03\x00\x20", 5);
  const std::string record = bad + std::string(32, 'x');
  BIO_write(input, record.data(), static_cast<int>(record.size()));
  EXPECT_EQ(peer_->Read(), "");
  EXPECT_THAT(flow_.Read(kTlsLong).status(),
              StatusIs(kDataLoss, HasSubstr("alert \"bad record mac\" [20]")));
  ExpectStays(kDataLoss, ErrorKind::kOther);
}

// Case 59: an empty write sends nothing.
TEST_P(TlsEndingsTest, AnEmptyWriteSendsNothing) {
  EXPECT_THAT(flow_.Write(""), IsOk());
  EXPECT_THAT(flow_.Write("x"), IsOk());
  EXPECT_EQ(peer_->Read(), "x");
}

// "Shutdown(kWrite) sends close_notify after everything written"; case 102.
TEST_P(TlsEndingsTest, ShutdownSaysSoBehindEverythingAndReadsGoOn) {
  EXPECT_THAT(flow_.Write("question"), IsOk());
  EXPECT_THAT(flow_.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_EQ(peer_->Read(), "question");
  EXPECT_EQ(peer_->Read(), "");
  EXPECT_EQ(SSL_get_shutdown(peer_->ssl()), SSL_RECEIVED_SHUTDOWN);
  const std::string answer(size_t{1} << 20, 'a');
  std::thread answering([&] {
    for (size_t at = 0; at < answer.size(); at += 16384) {
      peer_->SendBytes(peer_->Seal(answer.substr(at, 16384)));
    }
    peer_->SendBytes(peer_->SealEnd());
  });
  std::string got;
  EXPECT_THAT(ReadAll(got), IsOk());
  EXPECT_TRUE(got == answer);
  answering.join();
}

TEST_P(TlsEndingsTest, AbortSendsNoCloseNotify) {
  EXPECT_THAT(flow_.Abort(), IsOk());
  EXPECT_EQ(peer_->Read(), "");
  EXPECT_EQ(SSL_get_shutdown(peer_->ssl()), 0);
}

// SEED.md: "if the internal state after shutdown is `Closed`, close on the
// underlying flow is executed".
TEST_P(TlsEndingsTest, BothDirectionsShutCloseTheFlowBelow) {
  peer_->SendBytes(peer_->SealEnd());
  EXPECT_THAT(flow_.Read(), IsOkAndHolds(IsEof()));
  EXPECT_THAT(flow_.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(peer_->below().WaitPeerEnd(PeerEnd::kGone, kTlsLong),
              IsOkAndHolds(PeerEnd::kGone));
  EXPECT_THAT(flow_.Read(), IsOkAndHolds(IsEof()));
}

INSTANTIATE_TEST_SUITE_P(Versions, TlsEndingsTest,
                         ::testing::Values(TlsVersion::kTls12,
                                           TlsVersion::kTls13));

// ------------------------------------------------------------- the handshake

// Case 106: peers that don't speak TLS.
TEST(TlsHandshakeTest, APlaintextClientIsToldApart) {
  absl::StatusOr<TlsServer> server = TlsServer::Create(GoodServer());
  ASSERT_THAT(server, IsOk());
  for (const char* bytes :
       {"GET / HTTP/1.0\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n",
        "\x16\x03\x01\xff\xff\x01", "\x80\x2e\x01\x03\x01"}) {
    auto [ours, theirs] = MemoryPair();
    ASSERT_THAT(theirs.Write(bytes), IsOk());
    ASSERT_THAT(theirs.Shutdown(ShutdownMode::kWrite), IsOk());
    EXPECT_THAT(TlsAccept(std::move(ours), *server, kTlsLong).status(),
                StatusIs(kDataLoss, HasSubstr("handshake")))
        << bytes;
  }
  TlsPair pair = HandshakeWith(GoodClient(), GoodServer());
  EXPECT_THAT(pair.second, IsOk());
}

TEST(TlsHandshakeTest, APlaintextServerIsToldApart) {
  absl::StatusOr<TlsClient> client = TlsClient::Create(GoodClient());
  ASSERT_THAT(client, IsOk());
  auto [ours, theirs] = MemoryPair();
  ASSERT_THAT(theirs.Write("HTTP/1.1 400 Bad Request\r\n\r\n"), IsOk());
  EXPECT_THAT(
      TlsConnect(std::move(ours), *client, "localhost", kTlsLong).status(),
      StatusIs(kDataLoss, AllOf(HasSubstr("does not speak TLS"),
                                HasSubstr("flow memory a -> memory b"))));
  EXPECT_THAT(theirs.Shutdown(ShutdownMode::kRead), IsOk());
}

// The server's flight, cut anywhere.
TEST(TlsHandshakeTest, AHandshakeCutAnywhereIsDataLoss) {
  absl::StatusOr<TlsClient> client = TlsClient::Create(GoodClient());
  ASSERT_THAT(client, IsOk());
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    for (size_t cut = 0; cut < 1000; cut += cut < 10 ? 1 : 97) {
      auto [ours, theirs] = MemoryPair();
      RawPeer peer(std::move(theirs), RawPeer::Side::kServer, version);
      std::thread answering([&] {
        peer.Receive();
        SSL_do_handshake(peer.ssl());
        const std::string flight = peer.TakeOutput();
        peer.SendBytes(flight.substr(0, std::min(cut, flight.size() - 1)));
        EXPECT_THAT(peer.below().Shutdown(ShutdownMode::kWrite), IsOk());
      });
      EXPECT_THAT(
          TlsConnect(std::move(ours), *client, "localhost", kTlsLong).status(),
          AllOf(StatusIs(kDataLoss), IsKind(ErrorKind::kTruncated)))
          << cut;
      answering.join();
    }
  }
}

// OpenSSL's queue is the thread's: what one flow left there is no other's.
TEST(TlsHandshakeTest, ErrorsOfOneFlowAreNotAnothers) {
  TlsPair pair = HandshakeWith(GoodClient(), GoodServer());
  ASSERT_THAT(pair.first, IsOk());
  ASSERT_THAT(pair.second, IsOk());
  ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
  EXPECT_THAT(pair.first->flow.Read(absl::Milliseconds(1)).status(),
              IsKind(ErrorKind::kDeadline));
  ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
  EXPECT_THAT(pair.second->flow.Write("x"), IsOk());
  EXPECT_THAT(pair.first->flow.Read(), IsOkAndHolds(IsData("x")));
  EXPECT_EQ(ERR_peek_error(), 0u);
}

}  // namespace
}  // namespace flow
