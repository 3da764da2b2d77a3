// The grammar of addresses, and what it says to those who don't keep it (K.66,
// bad input).

#include "flow/net/address.h"

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/schemes.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::StatusCode;
using flow::Address;
using flow::ParseAddress;
using flow::Scheme;
using flow::Schemes;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::ResultOf;

using S = Address::Scheme;

// Refused, and the message has these words.
auto IsRefused(absl::string_view words) {
  return StatusIs(StatusCode::kInvalidArgument, HasSubstr(std::string(words)));
}

Scheme Dialled(const std::string& name) {
  Scheme scheme;
  scheme.name = name;
  scheme.open = [](const Address&, const flow::Limits&,
                   const flow::OpenOptions&) {
    return absl::StatusOr<flow::Flow>(absl::UnimplementedError(""));
  };
  return scheme;
}

// What a program might add: tls: as it is, and one with a text.
const Schemes& Added() {
  static const Schemes* const added = [] {
    auto* const schemes = new Schemes;
    Scheme tls = Dialled("tls");
    tls.options = {{"ca"},
                   {"insecure", flow::OptionValue::kSwitch},
                   {"min", flow::OptionValue::kChoice, {"1.2", "1.3"}}};
    EXPECT_THAT(schemes->Add(tls), IsOk());
    Scheme mem = Dialled("mem");
    mem.target = Scheme::Target::kText;
    mem.options = {{"mode", flow::OptionValue::kMode}};
    EXPECT_THAT(schemes->Add(mem), IsOk());
    Scheme listens;
    listens.name = "tls-listen";
    listens.upgrade = [](const Address&, const flow::OpenOptions&) {
      return absl::StatusOr<flow::FlowUpgrade>(absl::UnimplementedError(""));
    };
    EXPECT_THAT(schemes->Add(listens), IsOk());
    return schemes;
  }();
  return *added;
}

struct Spelling {
  absl::string_view text;
  S scheme;
  absl::string_view canonical;  // empty: the text itself
};

const Spelling kSpellings[] = {
    {"tcp:127.0.0.1:80", S::kTcp, ""},
    {"tcp:[::1]:443", S::kTcp, ""},
    {"tcp:[0:0:0:0:0:0:0:1]:443", S::kTcp, "tcp:[::1]:443"},
    {"tcp:[FE80::1%eth0]:1", S::kTcp, "tcp:[fe80::1%eth0]:1"},
    {"tcp:localhost:http", S::kTcp, ""},
    {"tcp:a.example.org:0", S::kTcp, ""},
    {"tcp:h:00065535", S::kTcp, "tcp:h:65535"},
    {"tcp:h\xc3\xa9:1", S::kTcp, "tcp:h%C3%A9:1"},
    {"tcp:h%C3%a9:1", S::kTcp, "tcp:h%C3%A9:1"},
    {"tcp-listen:[::]:0", S::kTcpListen, ""},
    {"unix:/run/app.sock", S::kUnix, ""},
    {"unix:/a:b c", S::kUnix, ""},
    {"unix:./@x", S::kUnix, ""},
    {"unix:/a%2Cb%25%0A", S::kUnix, ""},
    {"unix:/%61b\n", S::kUnix, "unix:/ab%0A"},
    {"unix-listen:box", S::kUnixListen, ""},
    {"unix-abstract:app", S::kUnixAbstract, ""},
    {"unix-abstract:%00@", S::kUnixAbstract, ""},
    {"unix-abstract-listen:app", S::kUnixAbstractListen, ""},
    {"fd:3", S::kFd, ""},
    {"fd:0:1", S::kFd, ""},
    {"fd:007:7", S::kFd, "fd:7"},
    {"fd:3,own", S::kFd, "fd:3,own=yes"},
    {"file:/dev/null", S::kFile, ""},
    {"file:a,mode=640,create,write=on", S::kFile,
     "file:a,write=yes,create=yes,mode=0640"},
    {"file:a,append,truncate", S::kFile, "file:a,append=yes,truncate=yes"},
    {"stdio:", S::kStdio, ""},
    {"-", S::kStdio, "stdio:"},
    {"pty:", S::kPty, ""},
    {"pty:,raw=no", S::kPty, ""},
    {"exec:sed s/a/b/ | wc", S::kExec, ""},
    {"exec:bash,pty", S::kExec, "exec:bash,pty=yes"},
    {"exec:awk -F%2C '{}'", S::kExec, ""},
    {"activate:web", S::kActivate, ""},
    {"tls:h:443,ca=/a%2Cb", S::kOther, ""},
    {"tls:h:443,insecure,nodelay=0,ca=x", S::kOther,
     "tls:h:443,nodelay=no,ca=x,insecure=yes"},
    {"tls-listen:[::]:0,v6only", S::kOther, "tls-listen:[::]:0,v6only=yes"},
    {"mem:some:thing,mode=7", S::kOther, "mem:some:thing,mode=0007"},
    // Options of sockets.
    {"tcp:h:1,interface=eth0,nodelay", S::kTcp,
     "tcp:h:1,nodelay=yes,interface=eth0"},
    {"tcp:h:1,keepalive=90s", S::kTcp, "tcp:h:1,keepalive=1m30s"},
    {"tcp:h:1,keepalive", S::kTcp, "tcp:h:1,keepalive=yes"},
    {"tcp:h:1,keepalive=off", S::kTcp, "tcp:h:1,keepalive=no"},
    {"tcp:h:1,send-buffer=64k,receive-buffer=1M", S::kTcp,
     "tcp:h:1,send-buffer=65536,receive-buffer=1048576"},
    {"tcp:h:1,linger=0s", S::kTcp, "tcp:h:1,linger=0"},
    {"tcp:h:1,linger=no", S::kTcp, ""},
    {"tcp:h:1,bind=10.0.0.1", S::kTcp, "tcp:h:1,bind=10.0.0.1:0"},
    {"tcp:h:1,bind=[0::1]:5000", S::kTcp, "tcp:h:1,bind=[::1]:5000"},
    {"tcp:h:1,bind=[fe80::1%25eth0]", S::kTcp,
     "tcp:h:1,bind=[fe80::1%25eth0]:0"},
    {"tcp-listen:h:1,v6only=true,reuse-port,reuse-address=false", S::kTcpListen,
     "tcp-listen:h:1,reuse-address=no,reuse-port=yes,v6only=yes"},
    {"unix-listen:p,reclaim,mode=0660", S::kUnixListen,
     "unix-listen:p,mode=0660,reclaim=yes"},
    {"unix:p,send-buffer=1", S::kUnix, ""},
};

TEST(AddressTest, EachSpellingHasOneCanonicalFormWhichReadsBackEqual) {
  for (const Spelling& c : kSpellings) {
    const absl::StatusOr<Address> a = ParseAddress(c.text, &Added());
    ASSERT_THAT(a, IsOk()) << c.text;
    EXPECT_EQ(a->scheme, c.scheme) << c.text;
    EXPECT_EQ(a->ToString(), c.canonical.empty() ? c.text : c.canonical);
    EXPECT_THAT(ParseAddress(a->ToString(), &Added()), IsOkAndHolds(*a));
  }
}

TEST(AddressTest, TcpIsHostAndPort) {
  const absl::StatusOr<Address> a = ParseAddress("tcp:[fe80::1%eth0]:0443");
  ASSERT_THAT(a, IsOk());
  EXPECT_EQ(a->host, "fe80::1%eth0");
  EXPECT_EQ(a->port, "443");
  EXPECT_EQ(a->numeric_port(), 443);
  EXPECT_TRUE(a->is_tcp());
  EXPECT_FALSE(a->listens());
  EXPECT_EQ(ParseAddress("tcp:h:http")->numeric_port(), std::nullopt);
}

TEST(AddressTest, OnlyListeningSchemesListen) {
  for (const absl::string_view text :
       {"tcp-listen:h:1", "unix-listen:p", "unix-abstract-listen:n",
        "activate:n", "tls-listen:h:1"}) {
    EXPECT_TRUE(ParseAddress(text, &Added())->listens()) << text;
  }
  for (const absl::string_view text :
       {"tcp:h:1", "unix:p-listen", "unix-abstract:n", "fd:1", "file:p", "-",
        "pty:", "exec:x-listen", "tls:h:1", "mem:x"}) {
    EXPECT_FALSE(ParseAddress(text, &Added())->listens()) << text;
  }
}

TEST(AddressTest, WhoListensMayLeaveListenOut) {
  struct Case {
    absl::string_view text, canonical;
  };
  for (const Case& c : {
           Case{"tcp:h:0,v6only", "tcp-listen:h:0,v6only=yes"},
           Case{"tcp-listen:h:0", "tcp-listen:h:0"},
           Case{"unix:p,mode=0660", "unix-listen:p,mode=0660"},
           Case{"unix-abstract:n", "unix-abstract-listen:n"},
           Case{"tls:h:0", "tls-listen:h:0"},
           Case{"stdio:", "stdio:"},
       }) {
    const absl::StatusOr<Address> a =
        flow::ParseListenAddress(c.text, &Added());
    ASSERT_THAT(a, IsOk()) << c.text;
    EXPECT_EQ(a->ToString(), c.canonical);
  }
  EXPECT_THAT(flow::ParseListenAddress("tcp:h:0,bind=10.0.0.1"),
              IsRefused("tcp-listen: has"));
}

TEST(AddressTest, WhatStandsOnTcpSaysOnWhich) {
  EXPECT_EQ(
      ParseAddress("tls:[::1]:7,nodelay=no,ca=x", &Added())->AsTcp().ToString(),
      "tcp:[::1]:7,nodelay=no");
  EXPECT_EQ(ParseAddress("tls-listen:h:0,v6only", &Added())->AsTcp().ToString(),
            "tcp-listen:h:0,v6only=yes");
}

TEST(AddressTest, OptionsAreTyped) {
  const absl::StatusOr<Address> a = ParseAddress(
      "tcp:h:1,keepalive=60s,send-buffer=1k,linger=0,bind=[::1]:7,nodelay=no");
  ASSERT_THAT(a, IsOk());
  EXPECT_EQ(a->socket.keepalive, (flow::Keepalive{true, absl::Minutes(1)}));
  EXPECT_EQ(a->socket.send_buffer, 1024);
  EXPECT_EQ(a->socket.reset_at_close, true);
  EXPECT_EQ(a->socket.bind, (flow::BindAddress{"::1", 7}));
  EXPECT_EQ(a->socket.nodelay, false);
  EXPECT_EQ(a->socket.mode, std::nullopt);
  const absl::StatusOr<Address> file = ParseAddress("file:p,write,create=no");
  ASSERT_THAT(file, IsOk());
  EXPECT_TRUE(file->IsOn("write"));
  EXPECT_FALSE(file->IsOn("create", true));
  EXPECT_TRUE(file->IsOn("append", true));
  EXPECT_EQ(file->FindOption("append"), nullptr);
}

TEST(AddressTest, UnixIsAPathOfUpTo107Bytes) {  // K.66
  for (const absl::string_view scheme : {"unix:", "unix-listen:"}) {
    const std::string longest(107, 'p');
    const absl::StatusOr<Address> a =
        ParseAddress(absl::StrCat(scheme, longest));
    ASSERT_THAT(a, IsOk());
    EXPECT_EQ(a->path, longest);
    EXPECT_THAT(ParseAddress(absl::StrCat(scheme, longest, "p")),
                IsRefused("108 bytes"));
    // It is what stands for a byte that counts.
    EXPECT_THAT(ParseAddress(absl::StrCat(scheme, longest.substr(1), "%2C")),
                IsOk());
    EXPECT_THAT(ParseAddress(absl::StrCat(scheme, longest, "%2C")),
                IsRefused("108 bytes"));
    EXPECT_THAT(ParseAddress(absl::StrCat(scheme, "a%00b")), IsRefused("NUL"));
  }
}

TEST(AddressTest, AbstractNamesAreOfUpTo107BytesOfAnyKind) {  // K.66
  const std::string longest(107, '\0');
  const absl::StatusOr<Address> a = ParseAddress("unix-abstract:" + longest);
  ASSERT_THAT(a, IsOk());
  EXPECT_EQ(a->path, longest);
  EXPECT_TRUE(a->is_unix_abstract());
  EXPECT_THAT(ParseAddress("unix-abstract:" + longest + "x"),
              IsRefused("108 bytes"));
  EXPECT_EQ(ParseAddress("unix-abstract:@x")->path, "@x");
}

TEST(AddressTest, EverythingElseIsInvalidArgumentAndSaysWhatWasExpected) {
  struct Case {
    absl::string_view text, words;
  };
  const Case kCases[] = {
      {"", "expected SCHEME:..., or -; the schemes are tcp, tcp-listen, unix"},
      {"x", "expected SCHEME:"},
      {"localhost:80",
       "unknown scheme \"localhost\" (for HOST:PORT write tcp:localhost:80); "
       "the schemes are tcp,"},
      {"tcps:example.org:80", "unknown scheme \"tcps\"; the schemes are tcp,"},
      {"a b:80", "unknown scheme \"a b\"; the schemes are tcp,"},
      {"udp:localhost:80", "activate, tls, mem, tls-listen"},
      {"TCP:localhost:80", "unknown scheme \"TCP\""},
      {":x", "unknown scheme \"\""},
      {"tcp:", "expected tcp:HOST:PORT, but there is no PORT"},
      {"tcp-listen:x", "expected tcp-listen:HOST:PORT, but there is no PORT"},
      {"tcp:localhost", "no PORT"},
      {"tcp:[::1]", "no PORT"},
      {"tcp::80", "HOST is empty"},
      {"tcp:[]:80", "HOST is empty"},
      {"tcp:[::1:80", "no ]"},
      {"tcp:[localhost]:80", "IPv6"},
      {"tcp:[1.2.3.4]:80", "IPv6"},
      {"tcp:[::1%]:80", "IPv6"},
      {"tcp:[::1%a%b]:80", "IPv6"},
      {"tcp:[::g]:80", "IPv6"},
      {"tcp:::1:80", "brackets"},
      {"tcp:a b:80", "neither"},
      {"tcp:a%20b:80", "neither"},
      {"tcp:a%:80", "two hex digits"},
      {"tcp:h:", "PORT"},
      {"tcp:h:65536", "65535"},
      {"tcp:h:99999999999999999999", "65535"},
      {"tcp:h:-1", "PORT"},
      {"tcp:h:+80", "PORT"},
      {"tcp:h: 80", "PORT"},
      {"tcp:h:80x", "PORT"},
      {"tcp:h:ht tp", "PORT"},
      {"unix:", "expected unix:PATH, but PATH is empty"},
      {"unix:@name", "unix-abstract:NAME"},
      {"unix:%40name", "unix-abstract:NAME"},
      {"unix:100%", "two hex digits; a percent sign is written %25"},
      {"unix:%2", "two hex digits"},
      {"unix:%zz", "two hex digits"},
      {"unix-abstract:", "NAME is empty"},
      {"fd:", "no descriptor"},
      {"fd:-1", "no descriptor"},
      {"fd:99999999999", "no descriptor"},
      {"fd:1:", "no descriptor"},
      {"fd:1:2:3", "more than two"},
      {"fd:1,2", "unknown option \"2\"; fd: has own"},
      {"file:", "PATH is empty"},
      {"stdio:x", "nothing behind the colon"},
      {"-x", "expected SCHEME"},
      {"-,own", "expected SCHEME"},
      {"pty:x", "nothing behind the colon"},
      {"exec:", "COMMAND is empty"},
      {"activate:", "NAME is empty"},
      {"exec:a,b", "unknown option \"b\"; exec: has pty"},
      {"stdio:,b", "unknown option \"b\"; stdio: has none"},
      {"mem:", "TEXT is empty"},
  };
  for (const Case& c : kCases) {
    EXPECT_THAT(ParseAddress(c.text, &Added()),
                AllOf(IsRefused(c.words),
                      IsRefused(absl::StrCat("bad address \"", c.text, "\""))))
        << c.text;
  }
}

TEST(AddressTest, WrongOptionsAreNamedWithThoseThatThereAre) {
  struct Case {
    absl::string_view text, words;
  };
  const Case kCases[] = {
      {"tcp:h:1,",
       "unknown option \"\"; tcp: has nodelay, keepalive, "
       "send-buffer, receive-buffer, linger, reuse-address, "
       "reuse-port, bind, interface"},
      {"tcp:h:1,v6only", "unknown option \"v6only\"; tcp: has nodelay"},
      {"tcp-listen:h:1,bind=::1", "unknown option \"bind\"; tcp-listen: has"},
      {"unix:p,nodelay",
       "unknown option \"nodelay\"; unix: has send-buffer, receive-buffer"},
      {"unix:/a,b", "unknown option \"b\""},
      {"unix-abstract-listen:n,mode=1", "unknown option \"mode\""},
      {"tls:h:1,Ca=x", "unknown option \"Ca\"; tls: has nodelay"},
      {"tls:h:1,x", "interface, ca, insecure, min"},
      {"tcp:h:1,nodelay,nodelay=no", "doubled option \"nodelay\"; tcp: has"},
      {"file:p,read,read", "doubled option \"read\"; file: has read, write"},
      {"tcp:h:1,nodelay=maybe",
       "option \"nodelay\": bad value \"maybe\"; expected yes or no"},
      {"tcp:h:1,nodelay=", "bad value \"\""},
      {"tcp:h:1,nodelay=%zz", "the value of option \"nodelay\""},
      {"tcp:h:1,keepalive=60", "such as 60s"},
      {"tcp:h:1,keepalive=0.5s", "whole seconds"},
      {"tcp:h:1,keepalive=-1s", "whole seconds"},
      {"tcp:h:1,keepalive=inf", "whole seconds"},
      {"tcp:h:1,keepalive=32768s", "32767s"},
      {"tcp:h:1,send-buffer", "option \"send-buffer\" needs a value"},
      {"tcp:h:1,send-buffer=0", "from 1 to 2^30"},
      {"tcp:h:1,send-buffer=-1", "from 1 to 2^30"},
      {"tcp:h:1,send-buffer=2G", "from 1 to 2^30"},
      {"tcp:h:1,send-buffer=1025M", "from 1 to 2^30"},
      {"tcp:h:1,send-buffer=9999999999", "from 1 to 2^30"},
      {"tcp:h:1,linger=5", "any other time would block Close"},
      {"tcp:h:1,linger", "needs a value"},
      {"tcp:h:1,bind=localhost", "as a number"},
      {"tcp:h:1,bind=::1", "as a number"},
      {"tcp:h:1,bind=1.2.3.4:65536", "as a number"},
      {"tcp:h:1,bind=[::1]x", "as a number"},
      {"tcp:h:1,interface=", "network interface"},
      {"tcp:h:1,interface=0123456789abcdef", "1 to 15"},
      {"tcp:h:1,interface=a/b", "network interface"},
      {"tcp:h:1,interface=a%20b", "network interface"},
      {"unix-listen:p,mode=888", "octal"},
      {"unix-listen:p,mode=1777", "0777"},
      {"unix-listen:p,mode", "needs a value"},
      {"mem:x,mode", "needs a value"},
      {"file:p,mode=0600", "needs \"create\""},
      {"file:p,create", "needs \"write\" or \"append\""},
      {"file:p,truncate", "needs \"write\""},
      {"file:p,read=no", "neither"},
      {"tls:h:1,ca=", "not empty"},
      {"tls:h:1,ca=a%00", "NUL"},
      {"tls:h:1,ca", "needs a value"},
      {"tls:h:1,min=1.1", "bad value \"1.1\"; expected 1.2 or 1.3"},
  };
  for (const Case& c : kCases) {
    EXPECT_THAT(ParseAddress(c.text, &Added()),
                AllOf(IsRefused(c.words),
                      IsRefused(absl::StrCat("bad address \"", c.text, "\""))))
        << c.text;
  }
}

TEST(AddressTest, AddedSchemesAreUnknownWhereTheyAreNotPassed) {
  EXPECT_THAT(ParseAddress("tls:h:1"),
              AllOf(IsRefused("unknown scheme \"tls\""),
                    StatusIs(StatusCode::kInvalidArgument,
                             Not(HasSubstr("tls-listen")))));
}

TEST(AddressTest, OffendingTextIsEscapedAndCut) {  // R.118
  const std::string evil("unix:/tmp/a\0z\n\x1b[31m", 19);
  const absl::StatusOr<Address> a = ParseAddress(evil);
  ASSERT_THAT(a, StatusIs(StatusCode::kInvalidArgument, HasSubstr("NUL")));
  EXPECT_THAT(std::string(a.status().message()),
              HasSubstr("\\x00z\\n\\x1b[31"));
  EXPECT_THAT(std::string(a.status().message()), Not(HasSubstr("\n")));
  for (const absl::string_view head : {"", "tcp:h:1,", "unix:", "fd:"}) {
    const absl::Status s =
        ParseAddress(absl::StrCat(head, std::string(100000, 'x'))).status();
    EXPECT_FALSE(s.ok());
    EXPECT_LT(s.message().size(), 800u);
  }
  EXPECT_THAT(ParseAddress(absl::string_view("tcp:a\0b:80", 10)),
              IsRefused("\\x00"));
}

TEST(AddressTest, TheCanonicalFormIsPrintable) {
  std::string all;
  for (int c = 1; c < 256; ++c) all.push_back(static_cast<char>(c));
  Address a;
  a.scheme = S::kFile;
  a.scheme_name = "file";
  a.path = all;
  EXPECT_THAT(
      a.ToString(),
      Each(ResultOf([](char c) { return c >= ' ' && c <= '~'; }, true)));
  EXPECT_THAT(ParseAddress(a.ToString()), IsOkAndHolds(a));
}

TEST(SchemesTest, WhatCanNotBeASchemeIsNotAdded) {
  Schemes schemes;
  for (const char* name : {"", "1x", "Tls", "a b", "a:b", "a_b"}) {
    EXPECT_THAT(schemes.Add(Dialled(name)), IsRefused("its name must be"))
        << name;
  }
  EXPECT_THAT(schemes.Add(Dialled("tcp")), IsRefused("already"));
  EXPECT_THAT(schemes.Add(Dialled("x-listen")), IsRefused("needs `upgrade`"));
  Scheme no_open;
  no_open.name = "x";
  EXPECT_THAT(schemes.Add(no_open), IsRefused("needs `open`"));
  Scheme clash = Dialled("x");
  clash.options = {{"bind"}};
  EXPECT_THAT(schemes.Add(clash), IsRefused("option of tcp's"));
  clash.options = {{"own"}, {"own"}};
  EXPECT_THAT(schemes.Add(clash), IsRefused("\"own\" twice"));
  clash.options = {{"a=b"}};
  EXPECT_THAT(schemes.Add(clash), IsRefused("no option"));
  EXPECT_TRUE(schemes.all().empty());
  EXPECT_THAT(schemes.Add(Dialled("x")), IsOk());
  EXPECT_THAT(schemes.Add(Dialled("x")), IsRefused("already"));
  EXPECT_NE(schemes.Find("x"), nullptr);
  EXPECT_EQ(schemes.Find("y"), nullptr);
}

}  // namespace
}  // namespace flow_testing
