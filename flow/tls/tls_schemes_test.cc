// tls: and tls-listen: as addresses (P12).

#include "flow/tls/tls_schemes.h"

#include <fstream>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/net/dial.h"
#include "flow/net/open.h"
#include "flow/net/schemes.h"
#include "flow/testing/matchers.h"
#include "flow/tls/certificates_test_support.h"
#include "flow/tls/tls_test_support.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::StatusCode;
using flow::Flow;
using flow::OpenedListener;
using flow::OpenOptions;
using ::testing::HasSubstr;

// Both schemes, and files with a root and an identity.
class TlsSchemesTest : public testing::Test {
 protected:
  TlsSchemesTest() {
    EXPECT_THAT(flow::AddTlsSchemes(schemes_), IsOk());
    options_.schemes = &schemes_;
    WriteFile("ca", SharedCa().pem());
    WriteFile("cert", SharedIdentity().chain_pem);
    WriteFile("key", SharedIdentity().key_pem);
    const TestIdentity client = SharedCa().Issue({"client"});
    WriteFile("client-cert", client.chain_pem);
    WriteFile("client-key", client.key_pem);
  }

  static std::string Path(const std::string& name) {
    return absl::StrCat(testing::TempDir(), "/tls-schemes-", name);
  }
  static void WriteFile(const std::string& name, const std::string& text) {
    std::ofstream(Path(name)) << text;
  }
  static std::string File(const std::string& option, const std::string& name) {
    return absl::StrCat(",", option, "=", Path(name));
  }
  std::string ListenText() {
    return absl::StrCat("tls-listen:127.0.0.1:0", File("cert", "cert"),
                        File("key", "key"));
  }
  // "tls:" at the port of `listener`, which is known as localhost.
  std::string DialText(const OpenedListener& opened) {
    return absl::StrCat("tls:127.0.0.1:", opened.listener.port(),
                        ",servername=localhost");
  }

  struct Ends {
    absl::StatusOr<Flow> client;
    absl::StatusOr<Flow> server;
  };
  // Both handshakes at once.
  Ends Connect(const std::string& listen, const std::string& dial_options) {
    absl::StatusOr<OpenedListener> opened =
        flow::OpenListener(listen, options_);
    if (!opened.ok()) return {opened.status(), opened.status()};
    Ends ends;
    std::thread accepts([&] { ends.server = opened->Accept(kTlsLong); });
    ends.client =
        flow::Open(DialText(*opened) + dial_options, kTlsLong, options_);
    accepts.join();
    return ends;
  }

  flow::Schemes schemes_;
  OpenOptions options_;
};

TEST_F(TlsSchemesTest, BytesAndTheEndGoThrough) {
  Ends ends = Connect(ListenText() + ",alpn=h2:http/1.1,nodelay=no",
                      File("ca", "ca") + ",alpn=http/1.1,min=1.3");
  ASSERT_THAT(ends.client, IsOk());
  ASSERT_THAT(ends.server, IsOk());
  ASSERT_THAT(ends.client->Write("hello", kTlsLong), IsOk());
  EXPECT_THAT(ends.server->Read(kTlsLong), IsData("hello"));
  ASSERT_THAT(ends.client->Shutdown(flow::ShutdownMode::kWrite, kTlsLong),
              IsOk());
  EXPECT_THAT(ends.server->Read(kTlsLong), IsEof());
}

TEST_F(TlsSchemesTest, ServersAreVerifiedUnlessSaidOtherwise) {  // case 104
  // The system's roots don't know it.
  Ends ends = Connect(ListenText(), "");
  EXPECT_THAT(ends.client, StatusIs(StatusCode::kUnauthenticated));
  ends = Connect(ListenText(), ",insecurely-accept-any-certificate");
  EXPECT_THAT(ends.client, IsOk());
  // A good certificate, but somebody else's.
  ends = Connect(
      absl::StrCat("tls-listen:127.0.0.1:0", File("cert", "client-cert"),
                   File("key", "client-key")),
      File("ca", "ca"));
  EXPECT_THAT(ends.client, StatusIs(StatusCode::kUnauthenticated,
                                    HasSubstr("\"localhost\"")));
}

TEST_F(TlsSchemesTest, TheHostIsTheNameThatIsVerified) {
  absl::StatusOr<OpenedListener> opened =
      flow::OpenListener(absl::StrCat("tls-listen:0.0.0.0:0",
                                      File("cert", "cert"), File("key", "key")),
                         options_);
  ASSERT_THAT(opened, IsOk());
  std::thread accepts([&] {
    absl::StatusOr<Flow> f = opened->Accept(kTlsLong);
    if (f.ok()) f->Close().IgnoreError();  // TLS 1.3: it has heard nothing yet
  });
  EXPECT_THAT(flow::Open(absl::StrCat("tls:127.0.0.2:", opened->listener.port(),
                                      File("ca", "ca")),
                         kTlsLong, options_),
              StatusIs(StatusCode::kUnauthenticated, HasSubstr("127.0.0.2")));
  accepts.join();
}

TEST_F(TlsSchemesTest, WithACaClientsHaveToShowACertificate) {
  const std::string listen = ListenText() + File("ca", "ca");
  Ends ends = Connect(listen, File("ca", "ca") + File("cert", "client-cert") +
                                  File("key", "client-key"));
  EXPECT_THAT(ends.client, IsOk());
  EXPECT_THAT(ends.server, IsOk());
  ends = Connect(listen, File("ca", "ca"));
  EXPECT_THAT(ends.server, StatusIs(StatusCode::kUnauthenticated));
}

TEST_F(TlsSchemesTest, ASilentClientKeepsNobodyWaiting) {  // case 105
  absl::StatusOr<OpenedListener> opened =
      flow::OpenListener(ListenText(), options_);
  ASSERT_THAT(opened, IsOk());
  absl::StatusOr<Flow> silent =
      flow::Dial(opened->listener.address(), kTlsLong);
  ASSERT_THAT(silent, IsOk());
  absl::StatusOr<Flow> first = opened->listener.Accept(kTlsLong);
  ASSERT_THAT(first, IsOk());
  absl::StatusOr<Flow> cut;
  std::thread hangs(
      [&] { cut = opened->upgrade(*std::move(first), absl::Seconds(2)); });
  absl::StatusOr<Flow> second;
  std::thread serves([&] { second = opened->Accept(kTlsLong); });
  EXPECT_THAT(
      flow::Open(DialText(*opened) + File("ca", "ca"), kTlsLong, options_),
      IsOk());
  serves.join();
  EXPECT_THAT(second, IsOk());
  hangs.join();
  EXPECT_THAT(cut, StatusIs(StatusCode::kDeadlineExceeded));
}

TEST_F(TlsSchemesTest, WhatIsMissingOrWrongShowsBeforeTheFirstClient) {
  EXPECT_THAT(flow::OpenListener("tls-listen:127.0.0.1:0", options_),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("option \"cert\" is missing")));
  EXPECT_THAT(flow::OpenListener(
                  "tls-listen:127.0.0.1:0" + File("cert", "cert"), options_),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("\"key\"")));
  EXPECT_THAT(
      flow::OpenListener(absl::StrCat("tls-listen:127.0.0.1:0",
                                      File("cert", "none"), File("key", "key")),
                         options_),
      StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(
      flow::Open("tls:127.0.0.1:1" + File("ca", "none"), kTlsLong, options_),
      StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(
      flow::Open("tls:127.0.0.1:1,min=1.1", kTlsLong, options_),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("expected 1.2 or 1.3")));
}

TEST_F(TlsSchemesTest, AreAddedOnce) {
  EXPECT_THAT(flow::AddTlsSchemes(schemes_),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("already")));
  EXPECT_EQ(schemes_.all().size(), 2u);
}

}  // namespace
}  // namespace flow_testing
