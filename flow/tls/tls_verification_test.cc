// Whom a client and a server accept (P12, case 104), and what they say if not.

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/testing/matchers.h"
#include "flow/tls/certificates_test_support.h"
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
using ::flow_testing::IsOk;
using ::flow_testing::IsOkAndHolds;
using ::flow_testing::kTlsLong;
using ::flow_testing::SharedCa;
using ::flow_testing::StatusIs;
using ::flow_testing::TestCa;
using ::flow_testing::TestCertificate;
using ::flow_testing::TestIdentity;
using ::flow_testing::TlsPair;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr absl::StatusCode kUnauthenticated =
    absl::StatusCode::kUnauthenticated;
constexpr absl::StatusCode kFailedPrecondition =
    absl::StatusCode::kFailedPrecondition;

// How a client that asks for `name` takes a server with a certificate for
// `names`; the server must see a failure too.
absl::Status Ask(const std::string& name, const TestCertificate& certificate) {
  TlsServerOptions server;
  server.identities = {SharedCa().Issue(certificate).AsOption()};
  TlsPair pair = HandshakeWith(GoodClient(), server, name);
  if (!pair.first.ok() && pair.second.ok()) {
    // TLS 1.3: the server has finished when the client's alert comes. No byte
    // of ours has been sent.
    EXPECT_THAT(pair.second->flow.Read(kTlsLong).status(),
                StatusIs(::testing::AnyOf(kUnauthenticated)));
  }
  return pair.first.status();
}

TEST(TlsVerificationTest, AGoodServerIsAcceptedAndDescribed) {
  TlsPair pair = HandshakeWith(GoodClient(), GoodServer());
  ASSERT_THAT(pair.first, IsOk());
  ASSERT_THAT(pair.second, IsOk());
  const TlsFacts& facts = pair.first->facts;
  EXPECT_EQ(facts.version, TlsVersion::kTls13);
  EXPECT_THAT(facts.cipher, HasSubstr("TLS_"));
  EXPECT_EQ(facts.server_name, "localhost");
  EXPECT_EQ(facts.peer_subject, "CN=test");
  EXPECT_THAT(facts.peer_names, UnorderedElementsAre("localhost", "127.0.0.1"));
  EXPECT_THAT(facts.peer_issuer, HasSubstr("CN="));
  EXPECT_LT(facts.peer_not_before, absl::Now());
  EXPECT_GT(facts.peer_not_after, absl::Now());
  EXPECT_LT(facts.peer_not_after, absl::Now() + absl::Hours(24 * 366));
  EXPECT_TRUE(facts.peer_verified);
  EXPECT_FALSE(facts.resumed);
  EXPECT_EQ(pair.second->facts.server_name, "localhost");
  EXPECT_EQ(pair.second->facts.peer_subject, "");
  EXPECT_FALSE(pair.second->facts.peer_verified);
  ASSERT_THAT(pair.first->flow.Write("hello"), IsOk());
  EXPECT_THAT(pair.second->flow.Read(), IsOkAndHolds(IsData("hello")));
}

TEST(TlsVerificationTest, AnotherNameIsRefusedWithBothNames) {
  EXPECT_THAT(Ask("example.org", {"a.test", "*.b.test"}),
              StatusIs(kUnauthenticated,
                       AllOf(HasSubstr("\"example.org\""),
                             HasSubstr("a.test, *.b.test"),
                             HasSubstr("flow memory a -> memory b"))));
}

TEST(TlsVerificationTest, AnExpiredCertificateIsRefused) {
  TestCertificate old({"localhost"});
  old.begins_in = -absl::Hours(48);
  old.ends_in = -absl::Hours(24);
  const auto at = [](absl::string_view word, absl::Duration from_now) {
    return absl::StrCat(word,
                        absl::FormatTime(" %Y-%m-%d ", absl::Now() + from_now,
                                         absl::UTCTimeZone()));
  };
  EXPECT_THAT(
      Ask("localhost", old),
      StatusIs(kUnauthenticated, AllOf(HasSubstr("has expired"),
                                       HasSubstr(at("since", old.ends_in)))));
  TestCertificate early({"localhost"});
  early.begins_in = absl::Hours(24);
  early.ends_in = absl::Hours(48);
  EXPECT_THAT(Ask("localhost", early),
              StatusIs(kUnauthenticated,
                       AllOf(HasSubstr("not yet valid"),
                             HasSubstr(at("until", early.begins_in)))));
}

TEST(TlsVerificationTest, ASelfSignedCertificateIsRefused) {
  TlsServerOptions server;
  server.identities = {TestCa::SelfSigned({"localhost"}).AsOption()};
  EXPECT_THAT(HandshakeWith(GoodClient(), server).first.status(),
              StatusIs(kUnauthenticated, HasSubstr("self-signed")));
}

TEST(TlsVerificationTest, AnUnknownRootIsRefused) {
  const TestCa other("another root");
  TlsClientOptions client;
  client.roots.text = other.pem();
  EXPECT_THAT(
      HandshakeWith(client, GoodServer()).first.status(),
      StatusIs(kUnauthenticated, HasSubstr("unable to get local issuer")));
  // Nor do the system's roots know it.
  EXPECT_THAT(HandshakeWith(TlsClientOptions(), GoodServer()).first.status(),
              StatusIs(kUnauthenticated));
}

// RFC 9525: alternative names alone; a wildcard is the whole leftmost label and
// stands for one; addresses match addresses.
TEST(TlsVerificationTest, NamesMatchByRfc9525) {
  EXPECT_THAT(Ask("www.b.test", {"*.b.test"}), IsOk());
  EXPECT_THAT(Ask("WWW.B.test", {"www.b.test"}), IsOk());
  EXPECT_THAT(Ask("b.test.", {"b.test"}), IsOk());
  EXPECT_THAT(Ask("127.0.0.1", {"127.0.0.1"}), IsOk());
  EXPECT_THAT(Ask("::1", {"::1"}), IsOk());
  EXPECT_THAT(Ask("[::1]", {"::1"}), IsOk());
  for (const auto& [name, certificate] :
       std::vector<std::pair<std::string, TestCertificate>>{
           {"b.test", {"*.b.test"}},
           {"a.www.b.test", {"*.b.test"}},
           {"www.b.test", {"w*.b.test"}},
           {"www.b.test", {"*w.b.test"}},
           {"a.www.test", {"a.*.test"}},
           {"b.test", {"*.test", "x.test"}},
           {"127.0.0.1", {"127.0.0.2"}},
           {"127.0.0.1", {"localhost"}},
           {"localhost", {"127.0.0.1"}}}) {
    if (name == "b.test" && certificate.names[0] == "*.test") continue;
    EXPECT_THAT(Ask(name, certificate), StatusIs(kUnauthenticated)) << name;
  }
}

TEST(TlsVerificationTest, TheCommonNameIsNoName) {
  TestCertificate old_style;
  old_style.common_name = "localhost";
  EXPECT_THAT(Ask("localhost", old_style),
              StatusIs(kUnauthenticated, HasSubstr("but for nobody")));
}

TEST(TlsVerificationTest, ANameThatIsNoneIsTheCallersMistake) {
  for (const std::string& name :
       {std::string(), std::string(".test"), std::string("a..b"),
        std::string("a b"), std::string("a\nb"), std::string("a\0b", 3),
        std::string("*.test"), std::string(300, 'a'), std::string("[a.test]"),
        std::string("https://a.test")}) {
    EXPECT_THAT(HandshakeWith(GoodClient(), GoodServer(), name).first.status(),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

// What weakens has to be said, and does no more than it says.
TEST(TlsVerificationTest, InsecureOptionsAcceptWhatTheySay) {
  TlsServerOptions server;
  server.identities = {TestCa::SelfSigned({"localhost"}).AsOption()};
  TlsClientOptions client = GoodClient();
  client.insecurely_accept_any_server_name = true;
  EXPECT_THAT(HandshakeWith(client, server).first.status(),
              StatusIs(kUnauthenticated));
  EXPECT_THAT(HandshakeWith(client, GoodServer(), "other.test").first, IsOk());
  EXPECT_THAT(HandshakeWith(client, GoodServer(), "").first, IsOk());
  client.insecurely_accept_any_certificate = true;
  TlsPair pair = HandshakeWith(client, server, "other.test");
  ASSERT_THAT(pair.first, IsOk());
  EXPECT_FALSE(pair.first->facts.peer_verified);
}

// ------------------------------------------------------------------- clients

class ClientCertificateTest : public ::testing::TestWithParam<TlsVersion> {
 protected:
  static TlsServerOptions Asking(TlsClientCertificate how) {
    TlsServerOptions server = GoodServer();
    server.max_version = GetParam();
    server.client_certificate = how;
    server.client_roots.text = SharedCa().pem();
    return server;
  }
  static TlsClientOptions Showing(const TestIdentity& identity) {
    TlsClientOptions client = GoodClient();
    client.identity = identity.AsOption();
    return client;
  }
  static TestIdentity Alice() {
    TestCertificate alice({"alice.test"});
    alice.common_name = "alice";
    return SharedCa().Issue(alice);
  }
};

TEST_P(ClientCertificateTest, AGoodOneIsAcceptedAndDescribed) {
  TlsPair pair =
      HandshakeWith(Showing(Alice()), Asking(TlsClientCertificate::kRequired));
  ASSERT_THAT(pair.second, IsOk());
  EXPECT_EQ(pair.second->facts.peer_subject, "CN=alice");
  EXPECT_TRUE(pair.second->facts.peer_verified);
}

TEST_P(ClientCertificateTest, AMissingOneIsRefusedWhereItIsRequired) {
  TlsPair pair =
      HandshakeWith(GoodClient(), Asking(TlsClientCertificate::kRequired));
  EXPECT_THAT(pair.second.status(), StatusIs(kUnauthenticated));
  // With TLS 1.3 the client learns it when it reads.
  const absl::Status seen = pair.first.ok()
                                ? pair.first->flow.Read(kTlsLong).status()
                                : pair.first.status();
  EXPECT_THAT(seen,
              StatusIs(GetParam() == TlsVersion::kTls13 ? kUnauthenticated
                                                        : kFailedPrecondition,
                       HasSubstr("alert")));
  pair = HandshakeWith(GoodClient(), Asking(TlsClientCertificate::kOptional));
  ASSERT_THAT(pair.second, IsOk());
  EXPECT_FALSE(pair.second->facts.peer_verified);
}

TEST_P(ClientCertificateTest, ABadOneIsRefusedAlsoWhereItIsOptional) {
  TestCertificate old({"alice.test"});
  old.begins_in = -absl::Hours(48);
  old.ends_in = -absl::Hours(24);
  const TestCa other("another root");
  for (const TestIdentity& identity :
       {SharedCa().Issue(old), other.Issue({"alice.test"})}) {
    TlsPair pair = HandshakeWith(Showing(identity),
                                 Asking(TlsClientCertificate::kOptional));
    EXPECT_THAT(pair.second.status(), StatusIs(kUnauthenticated));
    const absl::Status seen = pair.first.ok()
                                  ? pair.first->flow.Read(kTlsLong).status()
                                  : pair.first.status();
    EXPECT_THAT(seen, StatusIs(kUnauthenticated, HasSubstr("alert")));
  }
}

INSTANTIATE_TEST_SUITE_P(Versions, ClientCertificateTest,
                         ::testing::Values(TlsVersion::kTls12,
                                           TlsVersion::kTls13));

}  // namespace
}  // namespace flow
