// The grammar of addresses, and what it says to those who don't keep it (K.66,
// bad input).

#include "flow/net/address.h"

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::StatusCode;
using flow::Address;
using flow::ParseAddress;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(AddressTest, TcpIsHostAndPort) {
  struct Case {
    absl::string_view text, host, port;
  };
  for (const Case& c : {Case{"tcp:127.0.0.1:80", "127.0.0.1", "80"},
                        Case{"tcp:[::1]:443", "::1", "443"},
                        Case{"tcp:[fe80::1%eth0]:1", "fe80::1%eth0", "1"},
                        Case{"tcp:localhost:http", "localhost", "http"},
                        Case{"tcp:a.example.org:0", "a.example.org", "0"},
                        Case{"tcp:h:65535", "h", "65535"}}) {
    const absl::StatusOr<Address> a = ParseAddress(c.text);
    ASSERT_THAT(a, IsOk()) << c.text;
    EXPECT_EQ(a->scheme, Address::Scheme::kTcp);
    EXPECT_EQ(a->host, c.host);
    EXPECT_EQ(a->port, c.port);
    EXPECT_EQ(a->ToString(), c.text);
  }
}

TEST(AddressTest, UnixIsAPathOfUpTo107Bytes) {
  const std::string longest(107, 'p');
  const absl::StatusOr<Address> a = ParseAddress("unix:" + longest);
  ASSERT_THAT(a, IsOk());
  EXPECT_EQ(a->path, longest);
  EXPECT_THAT(ParseAddress("unix:" + longest + "p"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("108 bytes")));
  EXPECT_EQ(ParseAddress("unix:/a:b")->path, "/a:b");
}

TEST(AddressTest, EverythingElseIsInvalidArgumentAndSaysWhatWasExpected) {
  struct Case {
    absl::string_view text, words;
  };
  for (const Case& c : {
           Case{"", "tcp:HOST:PORT or unix:PATH"},
           Case{"localhost:80", "tcp:HOST:PORT or unix:PATH"},
           Case{"udp:localhost:80", "udp:localhost:80"},
           Case{"TCP:localhost:80", "tcp:HOST:PORT or unix:PATH"},
           Case{"tcp:", "no PORT"},
           Case{"tcp:localhost", "no PORT"},
           Case{"tcp::80", "HOST is empty"},
           Case{"tcp:[]:80", "HOST is empty"},
           Case{"tcp:[::1:80", "no ]"},
           Case{"tcp:[localhost]:80", "IPv6"},
           Case{"tcp:::1:80", "brackets"},
           Case{"tcp:a b:80", "neither"},
           Case{"tcp:h:", "PORT"},
           Case{"tcp:h:65536", "65535"},
           Case{"tcp:h:99999999999999999999", "65535"},
           Case{"tcp:h:-1", "PORT"},
           Case{"tcp:h:+80", "PORT"},
           Case{"tcp:h: 80", "PORT"},
           Case{"tcp:h:80x", "PORT"},
           Case{"tcp:h:ht tp", "PORT"},
           Case{"unix:", "PATH is empty"},
           Case{"unix:@name", "abstract"},
       }) {
    EXPECT_THAT(ParseAddress(c.text), StatusIs(StatusCode::kInvalidArgument,
                                               HasSubstr(std::string(c.words))))
        << c.text;
  }
}

TEST(AddressTest, OffendingTextIsEscapedAndCut) {  // R.118
  const std::string evil("unix:/tmp/a\0z\n\x1b[31m", 19);
  const absl::StatusOr<Address> a = ParseAddress(evil);
  ASSERT_THAT(a, StatusIs(StatusCode::kInvalidArgument, HasSubstr("NUL")));
  EXPECT_THAT(std::string(a.status().message()),
              HasSubstr("\\x00z\\n\\x1b[31"));
  EXPECT_THAT(std::string(a.status().message()), Not(HasSubstr("\n")));
  EXPECT_LT(ParseAddress(std::string(100000, 'x')).status().message().size(),
            400u);
  EXPECT_THAT(ParseAddress(absl::string_view("tcp:a\0b:80", 10)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("\\x00")));
}

}  // namespace
}  // namespace flow_testing
