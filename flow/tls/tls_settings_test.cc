// What the two sides agree on: versions, protocols, names, sessions; and what
// options are refused.

#include <cstdio>
#include <fstream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/tls/certificates_test_support.h"
#include "flow/tls/tls.h"
#include "flow/tls/tls_test_support.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::GoodClient;
using ::flow_testing::GoodServer;
using ::flow_testing::HandshakeOver;
using ::flow_testing::HandshakeWith;
using ::flow_testing::IsData;
using ::flow_testing::IsOk;
using ::flow_testing::IsOkAndHolds;
using ::flow_testing::MemoryPair;
using ::flow_testing::SharedCa;
using ::flow_testing::SharedIdentity;
using ::flow_testing::StatusIs;
using ::flow_testing::TestIdentity;
using ::flow_testing::TlsPair;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::StatusCode kFailedPrecondition =
    absl::StatusCode::kFailedPrecondition;
constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

// ------------------------------------------------------ versions and protocols

TEST(TlsSettingsTest, BothVersionsAreSpoken) {
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    TlsClientOptions client = GoodClient();
    client.min_version = client.max_version = version;
    TlsPair pair = HandshakeWith(client, GoodServer());
    ASSERT_THAT(pair.first, IsOk());
    EXPECT_EQ(pair.first->facts.version, version);
    EXPECT_EQ(pair.second->facts.version, version);
  }
}

TEST(TlsSettingsTest, NoVersionInCommonIsRefusedByBoth) {
  TlsClientOptions client = GoodClient();
  client.max_version = TlsVersion::kTls12;
  TlsServerOptions server = GoodServer();
  server.min_version = TlsVersion::kTls13;
  TlsPair pair = HandshakeWith(client, server);
  EXPECT_THAT(pair.first.status(),
              StatusIs(kFailedPrecondition, HasSubstr("protocol version")));
  EXPECT_THAT(pair.second.status(),
              StatusIs(kFailedPrecondition, HasSubstr("unsupported protocol")));
}

TEST(TlsSettingsTest, TheServersFirstProtocolInCommonIsChosen) {
  TlsClientOptions client = GoodClient();
  client.alpn = {"http/1.1", "h2", "x"};
  TlsServerOptions server = GoodServer();
  server.alpn = {"spdy", "h2", "http/1.1"};
  TlsPair pair = HandshakeWith(client, server);
  ASSERT_THAT(pair.first, IsOk());
  EXPECT_EQ(pair.first->facts.alpn, "h2");
  EXPECT_EQ(pair.second->facts.alpn, "h2");
}

TEST(TlsSettingsTest, NoProtocolInCommonIsRefusedByBoth) {
  TlsClientOptions client = GoodClient();
  client.alpn = {"h2"};
  TlsServerOptions server = GoodServer();
  server.alpn = {"imap"};
  TlsPair pair = HandshakeWith(client, server);
  EXPECT_THAT(pair.first.status(),
              StatusIs(kFailedPrecondition, HasSubstr("alert")));
  EXPECT_THAT(pair.second.status(), StatusIs(kFailedPrecondition));
}

TEST(TlsSettingsTest, WhoSpeaksNoAlpnIsLetThroughUnlessItIsRequired) {
  TlsClientOptions client = GoodClient();
  client.alpn = {"h2"};
  EXPECT_THAT(HandshakeWith(client, GoodServer()).first, IsOk());
  client.require_alpn = true;
  EXPECT_THAT(HandshakeWith(client, GoodServer()).first.status(),
              StatusIs(kFailedPrecondition, HasSubstr("ALPN")));
}

// ------------------------------------------------------------------ the server

TEST(TlsSettingsTest, AServerOfSeveralNamesShowsTheOneThatIsAskedFor) {
  TlsServerOptions server = GoodServer();
  for (const char* name : {"a.test", "*.b.test"}) {
    flow_testing::TestCertificate certificate({name});
    certificate.common_name = name;
    server.identities.push_back(SharedCa().Issue(certificate).AsOption());
  }
  for (const auto& [asked, shown] : {std::make_pair("a.test", "CN=a.test"),
                                     std::make_pair("x.b.test", "CN=*.b.test"),
                                     std::make_pair("localhost", "CN=test")}) {
    TlsPair pair = HandshakeWith(GoodClient(), server, asked);
    ASSERT_THAT(pair.first, IsOk()) << asked;
    EXPECT_EQ(pair.first->facts.peer_subject, shown);
    EXPECT_EQ(pair.second->facts.server_name, asked);
  }
  TlsClientOptions any = GoodClient();
  any.insecurely_accept_any_server_name = true;
  EXPECT_EQ(HandshakeWith(any, server, "c.test").first->facts.peer_subject,
            "CN=test");
}

// The client's taste in types of keys must not choose between the names.
TEST(TlsSettingsTest, TheNameDecidesAlsoBetweenKeysOfTwoTypes) {
  for (const bool rsa_first : {false, true}) {
    TlsServerOptions server;
    for (const char* name : {"a.test", "b.test"}) {
      flow_testing::TestCertificate certificate({name});
      certificate.common_name = name;
      certificate.rsa = (certificate.common_name == "a.test") == rsa_first;
      server.identities.push_back(SharedCa().Issue(certificate).AsOption());
    }
    for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
      TlsClientOptions client = GoodClient();
      client.min_version = client.max_version = version;
      for (const char* name : {"a.test", "b.test"}) {
        TlsPair pair = HandshakeWith(client, server, name);
        ASSERT_THAT(pair.first, IsOk()) << name << " " << rsa_first;
        EXPECT_EQ(pair.first->facts.peer_subject, absl::StrCat("CN=", name));
      }
    }
  }
}

TEST(TlsSettingsTest, ReloadTakesEffectForNewConnectionsOnly) {
  absl::StatusOr<TlsServer> server = TlsServer::Create(GoodServer());
  ASSERT_THAT(server, IsOk());
  absl::StatusOr<TlsClient> client = TlsClient::Create(GoodClient());
  ASSERT_THAT(client, IsOk());
  TlsPair before = HandshakeOver(MemoryPair(), *client, *server);
  ASSERT_THAT(before.first, IsOk());

  TlsServer copy = *server;
  EXPECT_THAT(copy.Reload(TlsServerOptions()), StatusIs(kInvalid));
  flow_testing::TestCertificate renewed({"localhost"});
  renewed.common_name = "renewed";
  TlsServerOptions options;
  options.identities = {SharedCa().Issue(renewed).AsOption()};
  ASSERT_THAT(copy.Reload(options), IsOk());

  TlsPair after = HandshakeOver(MemoryPair(), *client, *server);
  ASSERT_THAT(after.first, IsOk());
  EXPECT_EQ(after.first->facts.peer_subject, "CN=renewed");
  ASSERT_THAT(before.first->flow.Write("still there"), IsOk());
  EXPECT_THAT(before.second->flow.Read(), IsOkAndHolds(IsData("still there")));
}

// -------------------------------------------------------------------- sessions

class ResumptionTest : public ::testing::TestWithParam<TlsVersion> {
 protected:
  void Make(size_t sessions, int tickets) {
    TlsClientOptions client = GoodClient();
    client.max_version = GetParam();
    client.max_sessions = sessions;
    TlsServerOptions server = GoodServer();
    server.identities = {
        SharedCa().Issue({"localhost", "other.test"}).AsOption()};
    server.session_tickets = tickets;
    absl::StatusOr<TlsClient> c = TlsClient::Create(client);
    absl::StatusOr<TlsServer> s = TlsServer::Create(server);
    ASSERT_THAT(c, IsOk());
    ASSERT_THAT(s, IsOk());
    client_ = std::make_unique<TlsClient>(*c);
    server_ = std::make_unique<TlsServer>(*s);
  }

  // A connection that says a word each way; whether it was resumed.
  bool Connect(const std::string& name = "localhost") {
    TlsPair pair = HandshakeOver(MemoryPair(), *client_, *server_, name);
    EXPECT_THAT(pair.first, IsOk());
    EXPECT_THAT(pair.second, IsOk());
    EXPECT_THAT(pair.second->flow.Write("x"), IsOk());
    EXPECT_THAT(pair.first->flow.Read(), IsOkAndHolds(IsData("x")));
    EXPECT_EQ(pair.first->facts.resumed, pair.second->facts.resumed);
    EXPECT_EQ(pair.first->facts.peer_subject, "CN=test");
    EXPECT_TRUE(pair.first->facts.peer_verified);
    return pair.first->facts.resumed;
  }

  std::unique_ptr<TlsClient> client_;
  std::unique_ptr<TlsServer> server_;
};

TEST_P(ResumptionTest, ASessionIsResumedWhereBothSidesWantIt) {
  Make(10, 2);
  EXPECT_FALSE(Connect());
  EXPECT_GT(client_->session_count(), 0u);
  EXPECT_TRUE(Connect());
  EXPECT_TRUE(Connect());
}

TEST_P(ResumptionTest, ASessionIsResumedWithItsServerAlone) {
  Make(10, 1);
  EXPECT_FALSE(Connect());
  EXPECT_FALSE(Connect("other.test"));
  EXPECT_TRUE(Connect());
}

TEST_P(ResumptionTest, NothingIsResumedUnlessItIsAskedFor) {
  Make(10, 0);
  EXPECT_FALSE(Connect());
  EXPECT_EQ(client_->session_count(), 0u);
  EXPECT_FALSE(Connect());
  Make(0, 2);
  EXPECT_FALSE(Connect());
  EXPECT_FALSE(Connect());
}

TEST_P(ResumptionTest, AReloadedServerStartsAnew) {
  Make(10, 1);
  EXPECT_FALSE(Connect());
  TlsServerOptions options = GoodServer();
  options.session_tickets = 1;
  ASSERT_THAT(server_->Reload(options), IsOk());
  EXPECT_FALSE(Connect());
  EXPECT_TRUE(Connect());
}

TEST_P(ResumptionTest, TheCacheIsBounded) {
  Make(3, 2);
  for (int i = 0; i < 5; ++i) {
    Connect(i % 2 == 0 ? "localhost" : "other.test");
  }
  EXPECT_LE(client_->session_count(), 3u);
}

INSTANTIATE_TEST_SUITE_P(Versions, ResumptionTest,
                         ::testing::Values(TlsVersion::kTls12,
                                           TlsVersion::kTls13));

// --------------------------------------------------------------- bad options

TEST(TlsOptionsTest, WhatCannotBeUsedIsNamed) {
  const TestIdentity good = SharedIdentity();
  const TestIdentity other = SharedCa().Issue({"localhost"});
  TlsServerOptions server;
  EXPECT_THAT(TlsServer::Create(server), StatusIs(kInvalid));
  server.identities = {good.AsOption()};
  server.identities[0].key.text = other.key_pem;
  EXPECT_THAT(TlsServer::Create(server).status(),
              StatusIs(kInvalid, HasSubstr("identities[0]")));
  server.identities[0].key.text = "no key";
  EXPECT_THAT(TlsServer::Create(server).status(),
              StatusIs(kInvalid, AllOf(HasSubstr("identities[0].key"),
                                       Not(HasSubstr("no key")))));
  server.identities[0] = good.AsOption();
  server.identities[0].chain.file = "also";
  EXPECT_THAT(TlsServer::Create(server).status(), StatusIs(kInvalid));
  server.identities[0].chain = {"/nowhere/chain.pem", ""};
  EXPECT_THAT(
      TlsServer::Create(server).status(),
      StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nowhere/chain.pem")));
  TlsClientOptions client;
  client.roots.text = "-----BEGIN CERTIFICATE-----\nAAAA\n";
  EXPECT_THAT(TlsClient::Create(client).status(),
              StatusIs(kInvalid, HasSubstr("roots")));
  client = GoodClient();
  client.min_version = TlsVersion::kTls13;
  client.max_version = TlsVersion::kTls12;
  EXPECT_THAT(TlsClient::Create(client).status(), StatusIs(kInvalid));
  client = GoodClient();
  client.alpn = {""};
  EXPECT_THAT(TlsClient::Create(client).status(), StatusIs(kInvalid));
}

TEST(TlsOptionsTest, FilesAreRead) {
  const std::string folder = ::testing::TempDir();
  const auto write = [&](const std::string& name, const std::string& text) {
    std::ofstream(absl::StrCat(folder, "/", name)) << text;
    TlsPem pem;
    pem.file = absl::StrCat(folder, "/", name);
    return pem;
  };
  TlsServerOptions server;
  server.identities = {{write("chain.pem", SharedIdentity().chain_pem),
                        write("key.pem", SharedIdentity().key_pem)}};
  TlsClientOptions client;
  client.roots = write("roots.pem", SharedCa().pem());
  EXPECT_THAT(HandshakeWith(client, server).first, IsOk());
}

}  // namespace
}  // namespace flow
