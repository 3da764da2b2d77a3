// Open and OpenListener: each scheme gives a flow that moves bytes, or says why
// there is none.

#include "flow/net/open.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/address.h"
#include "flow/net/schemes.h"
#include "flow/net/socket_options.h"
#include "flow/status.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::StatusCode;
using flow::Address;
using flow::Flow;
using flow::Limits;
using flow::Open;
using flow::OpenListener;
using flow::OpenOptions;
using ::testing::HasSubstr;
using ::testing::Optional;
using ::testing::StartsWith;

const absl::Duration kSoon = absl::Seconds(30);

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file),
                     std::istreambuf_iterator<char>());
}

// All that comes, up to Eof; or the status.
std::string ReadAll(Flow& f) {
  std::string all;
  for (;;) {
    absl::StatusOr<flow::OrEof<flow::Buffer>> got = f.Read(kSoon);
    if (!got.ok()) return got.status().ToString();
    if (got->is_eof()) return all;
    absl::StrAppend(&all, got->data().view());
  }
}

// A byte from each to the other, and an end that arrives.
void ExpectConnected(Flow& a, Flow& b) {
  ASSERT_THAT(a.Write("a", kSoon), IsOk());
  EXPECT_THAT(b.Read(kSoon), IsData("a"));
  ASSERT_THAT(b.Write("b", kSoon), IsOk());
  EXPECT_THAT(a.Read(kSoon), IsData("b"));
  ASSERT_THAT(a.Shutdown(flow::ShutdownMode::kWrite, kSoon), IsOk());
  EXPECT_THAT(b.Read(kSoon), IsEof());
}

void ExpectDialledAndAccepted(const std::string& listen) {
  absl::StatusOr<flow::OpenedListener> opened = OpenListener(listen);
  ASSERT_THAT(opened, IsOk());
  absl::StatusOr<Flow> dialled = Open(opened->address, kSoon);
  ASSERT_THAT(dialled, IsOk());
  absl::StatusOr<Flow> accepted = opened->Accept(kSoon);
  ASSERT_THAT(accepted, IsOk());
  ExpectConnected(*dialled, *accepted);
}

TEST(OpenTest, SocketsAreDialledAndListenedOn) {
  const ShortTempDir dir;
  ExpectDialledAndAccepted("tcp-listen:127.0.0.1:0");
  ExpectDialledAndAccepted("tcp:127.0.0.1:0");
  ExpectDialledAndAccepted("unix-listen:" + dir.Path("s"));
  // What means something in the grammar may be in a path all the same.
  ExpectDialledAndAccepted("unix-listen:" + dir.Path("a%2Cb%25%0A=@:"));
  ExpectDialledAndAccepted(
      absl::StrCat("unix-abstract-listen:flow-open-test-", getpid()));
}

TEST(OpenTest, AnAbstractNameIsEveryByteOfIt) {  // K.66: nothing is cut
  const std::string name = absl::StrCat("flow-open-test-", getpid());
  const std::string text = absl::StrCat("unix-abstract-listen:", name,
                                        std::string(107 - name.size(), 'x'));
  absl::StatusOr<flow::OpenedListener> longest = OpenListener(text);
  ASSERT_THAT(longest, IsOk());
  absl::StatusOr<flow::OpenedListener> with_nul =
      OpenListener(absl::StrCat("unix-abstract-listen:", name, "%00x"));
  ASSERT_THAT(with_nul, IsOk());
  EXPECT_THAT(with_nul->listener.address(), testing::EndsWith("%00x"));
  EXPECT_THAT(Open(absl::StrCat("unix-abstract:", name), kSoon),
              StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(Open(with_nul->listener.address(), kSoon), IsOk());
  EXPECT_THAT(Open(longest->listener.address(), kSoon), IsOk());
}

TEST(OpenTest, MissingPathsAreNotFound) {  // K.66
  const ShortTempDir dir;
  EXPECT_THAT(Open("unix:" + dir.Path("none"), kSoon),
              StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(OpenListener("unix-listen:" + dir.Path("no/folder")),
              StatusIs(StatusCode::kNotFound));
  EXPECT_THAT(Open("file:" + dir.Path("none"), kSoon),
              StatusIs(StatusCode::kNotFound, HasSubstr("file:")));
}

TEST(OpenTest, OptionsInTheTextReachTheSocket) {
  absl::StatusOr<flow::OpenedListener> opened =
      OpenListener("tcp-listen:127.0.0.1:0,keepalive=77s,nodelay=no");
  ASSERT_THAT(opened, IsOk());
  absl::StatusOr<Flow> dialled =
      Open(absl::StrCat(opened->listener.address(),
                        ",bind=127.0.0.1,send-buffer=20000,linger=0"),
           kSoon);
  ASSERT_THAT(dialled, IsOk());
  absl::StatusOr<Flow> accepted = opened->Accept(kSoon);
  ASSERT_THAT(accepted, IsOk());
  absl::StatusOr<flow::SocketOptions> ours = flow::GetSocketOptions(*dialled);
  absl::StatusOr<flow::SocketOptions> theirs =
      flow::GetSocketOptions(*accepted);
  ASSERT_THAT(ours, IsOk());
  ASSERT_THAT(theirs, IsOk());
  EXPECT_THAT(ours->nodelay, Optional(true));
  EXPECT_THAT(ours->send_buffer, Optional(40000));  // Linux doubles it
  EXPECT_THAT(ours->reset_at_close, Optional(true));
  EXPECT_THAT(theirs->nodelay, Optional(false));
  EXPECT_EQ(theirs->keepalive, (flow::Keepalive{true, absl::Seconds(77)}));
}

TEST(OpenTest, ModeIsThatOfTheListenersFile) {
  const ShortTempDir dir;
  const std::string path = dir.Path("s");
  const absl::StatusOr<flow::OpenedListener> opened =
      OpenListener(absl::StrCat("unix:", path, ",mode=0640"));
  ASSERT_THAT(opened, IsOk());
  struct stat made;
  ASSERT_EQ(lstat(path.c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0777, 0640u);
}

TEST(OpenTest, BorrowedFdsAreLeftOpenAndOwnedOnesClosed) {  // P5, P6
  auto [ours, theirs] = RawSocketPair();
  absl::StatusOr<Flow> f = Open(absl::StrCat("fd:", ours.get()), kSoon);
  ASSERT_THAT(f, IsOk());
  ASSERT_THAT(f->Write("x", kSoon), IsOk());
  ASSERT_THAT(f->Close(), IsOk());
  EXPECT_TRUE(IsOpen(ours.get()));
  const int number = ours.release();
  f = Open(absl::StrCat("fd:", number, ",own"), kSoon);
  ASSERT_THAT(f, IsOk());
  ASSERT_THAT(f->Write("y", kSoon), IsOk());
  ASSERT_THAT(f->Close(), IsOk());
  EXPECT_FALSE(IsOpen(number));
  EXPECT_EQ(DrainRaw(theirs.get()), "xy");
}

TEST(OpenTest, TwoFdsAreOneFlow) {
  auto [in, feed] = RawPipe();
  auto [sink, out] = RawPipe();
  absl::StatusOr<Flow> f = Open(
      absl::StrCat("fd:", in.release(), ":", out.release(), ",own"), kSoon);
  ASSERT_THAT(f, IsOk());
  WriteRaw(feed.get(), "in");
  EXPECT_THAT(f->Read(kSoon), IsData("in"));
  ASSERT_THAT(f->Write("out", kSoon), IsOk());
  f->Close().IgnoreError();
  EXPECT_EQ(DrainRaw(sink.get()), "out");
}

TEST(OpenTest, FdsThatAreNotOpenAreRefused) {
  for (const char* own : {"", ",own"}) {
    EXPECT_THAT(Open(absl::StrCat("fd:99999", own), kSoon),
                StatusIs(StatusCode::kFailedPrecondition, HasSubstr("99999")));
  }
}

TEST(OpenTest, FilesAreOpenedAsTheOptionsSay) {
  const ShortTempDir dir;
  const std::string path = dir.Path("a,b");
  const std::string text = "file:" + dir.Path("a%2Cb");
  const auto write = [&](absl::string_view options, absl::string_view bytes) {
    absl::StatusOr<Flow> f = Open(absl::StrCat(text, options), kSoon);
    if (!f.ok()) return f.status();
    absl::Status written = f->Write(bytes, kSoon);
    if (!written.ok()) return written;
    return f->Close();
  };
  EXPECT_THAT(write(",write", "x"), StatusIs(StatusCode::kNotFound));
  ASSERT_THAT(write(",write,create,mode=0600", "hello"), IsOk());
  struct stat made;
  ASSERT_EQ(stat(path.c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0777, 0600u);
  ASSERT_THAT(write(",write", "J"), IsOk());
  EXPECT_EQ(Contents(path), "Jello");
  ASSERT_THAT(write(",append", "!"), IsOk());
  EXPECT_EQ(Contents(path), "Jello!");
  absl::StatusOr<Flow> reader = Open(text, kSoon);
  ASSERT_THAT(reader, IsOk());
  EXPECT_EQ(ReadAll(*reader), "Jello!");
  EXPECT_THAT(reader->Write("x", kSoon),
              IsKind(flow::ErrorKind::kClosedLocally));
  ASSERT_THAT(write(",write,truncate", "bye"), IsOk());
  EXPECT_EQ(Contents(path), "bye");
  EXPECT_FALSE(Open("file:/", kSoon).ok());
}

// As a dialler waits for who is to listen (P3).
TEST(OpenTest, AFifosWriterWaitsForItsReaderWithinTheLimits) {
  const ShortTempDir dir;
  const std::string path = dir.Path("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const std::string text = absl::StrCat("file:", path, ",write");
  EXPECT_THAT(Open(text, absl::Milliseconds(20)),
              StatusIs(StatusCode::kDeadlineExceeded));
  flow::CancelSource source;
  source.Cancel();
  Limits cancelled = kSoon;
  cancelled.cancel = source.token();
  EXPECT_THAT(Open(text, cancelled), StatusIs(StatusCode::kCancelled));
  absl::StatusOr<Flow> writer;
  std::thread opens([&] { writer = Open(text, kSoon); });
  absl::StatusOr<Flow> reader = Open("file:" + path, kSoon);
  opens.join();
  ASSERT_THAT(reader, IsOk());
  ASSERT_THAT(writer, IsOk());
  ASSERT_THAT(writer->Write("through", kSoon), IsOk());
  writer->Close().IgnoreError();
  EXPECT_EQ(ReadAll(*reader), "through");
}

TEST(OpenTest, StdioIsBorrowed) {
  const absl::StatusOr<Flow> f = Open("-", kSoon);
  ASSERT_THAT(f, IsOk());
  EXPECT_FALSE(f->ends_are_visible());
}

TEST(OpenTest, APtyIsNamedAndEndsWithItsUser) {
  absl::StatusOr<Flow> f = Open("pty:", kSoon);
  ASSERT_THAT(f, IsOk());
  const std::string name = f->peer().ToString();
  ASSERT_THAT(name, StartsWith("pty /dev/pts/"));
  // Before anybody is there: it stays.
  ASSERT_THAT(f->Write("early\n", kSoon), IsOk());
  EXPECT_THAT(f->Read(absl::Milliseconds(10)),
              StatusIs(StatusCode::kDeadlineExceeded));
  flow::UniqueFd slave(
      open(std::string(absl::StripPrefix(name, "pty ")).c_str(),
           O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(slave.valid());
  char got[16];
  ASSERT_EQ(read(slave.get(), got, sizeof(got)), 6);  // no echo: it is raw
  EXPECT_EQ(std::string(got, 6), "early\n");
  WriteRaw(slave.get(), "back\n");
  EXPECT_THAT(f->Read(kSoon), IsData("back\n"));
  slave.reset();
  EXPECT_THAT(f->Read(kSoon), IsEof());
}

TEST(OpenTest, ACommandIsRunByTheShell) {
  absl::StatusOr<Flow> f = Open("exec:tr a-z A-Z | cut -d%2C -f2", kSoon);
  ASSERT_THAT(f, IsOk());
  ASSERT_THAT(f->Write("one,two\n", kSoon), IsOk());
  ASSERT_THAT(f->Shutdown(flow::ShutdownMode::kWrite, kSoon), IsOk());
  EXPECT_EQ(ReadAll(*f), "TWO\n");
}

TEST(OpenTest, ACommandCanHaveATerminal) {
  absl::StatusOr<Flow> f = Open("exec:test -t 0 && stty size,pty", kSoon);
  ASSERT_THAT(f, IsOk());
  EXPECT_EQ(ReadAll(*f), "24 80\r\n");
}

TEST(OpenTest, WhatListensIsNotOpenedAndWhatDoesNotIsNotListenedOn) {
  for (const absl::string_view text :
       {"tcp-listen:127.0.0.1:0", "unix-listen:x", "unix-abstract-listen:x",
        "activate:x"}) {
    EXPECT_THAT(Open(text, kSoon),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr("it listens")))
        << text;
  }
  for (const absl::string_view text :
       {"fd:0", "file:x", "-", "pty:", "exec:x"}) {
    EXPECT_THAT(OpenListener(text), StatusIs(StatusCode::kInvalidArgument,
                                             HasSubstr("can't be listened on")))
        << text;
  }
  EXPECT_THAT(Open("gopher:x"), StatusIs(StatusCode::kInvalidArgument,
                                         HasSubstr("unknown scheme")));
}

TEST(OpenTest, NothingThatWasNotPassedIsActivated) {
  EXPECT_THAT(OpenListener("activate:web"), StatusIs(StatusCode::kNotFound));
}

// Schemes of a program's own.

flow::Scheme Greeting() {
  flow::Scheme scheme;
  scheme.name = "greet";
  scheme.target = flow::Scheme::Target::kText;
  scheme.open = [](const Address& address, const Limits& limits,
                   const OpenOptions& options) {
    return Open(absl::StrCat("exec:echo hello ", address.path), limits,
                options);
  };
  return scheme;
}

TEST(OpenTest, AProgramsOwnSchemeIsCalled) {
  flow::Schemes schemes;
  ASSERT_THAT(schemes.Add(Greeting()), IsOk());
  OpenOptions options;
  options.schemes = &schemes;
  absl::StatusOr<Flow> f = Open("greet:world", kSoon, options);
  ASSERT_THAT(f, IsOk());
  EXPECT_EQ(ReadAll(*f), "hello world\n");
  const absl::StatusOr<Address> address =
      flow::ParseAddress("greet:x", &schemes);
  ASSERT_THAT(address, IsOk());
  EXPECT_THAT(Open(*address, kSoon),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("no scheme \"greet\" in the options")));
}

TEST(OpenTest, AListeningSchemesUpgradeIsOffTheAcceptPath) {  // P12
  flow::Schemes schemes;
  flow::Scheme scheme;
  scheme.name = "hello-listen";
  scheme.upgrade = [](const Address&, const OpenOptions&) {
    return flow::FlowUpgrade(
        [](Flow accepted, const Limits& limits) -> absl::StatusOr<Flow> {
          absl::StatusOr<flow::OrEof<flow::Buffer>> got = accepted.Read(limits);
          if (!got.ok()) return got.status();
          return accepted;
        });
  };
  ASSERT_THAT(schemes.Add(scheme), IsOk());
  OpenOptions options;
  options.schemes = &schemes;
  absl::StatusOr<flow::OpenedListener> opened =
      OpenListener("hello-listen:127.0.0.1:0,keepalive=77s", options);
  ASSERT_THAT(opened, IsOk());
  EXPECT_EQ(opened->address,
            absl::StrCat("hello:127.0.0.1:", opened->listener.port()));
  // A client that is silent, and one after it.
  absl::StatusOr<Flow> silent = Open(opened->listener.address(), kSoon);
  absl::StatusOr<Flow> talks = Open(opened->listener.address(), kSoon);
  absl::StatusOr<Flow> first = opened->listener.Accept(kSoon);
  absl::StatusOr<Flow> second = opened->listener.Accept(kSoon);
  ASSERT_THAT(first, IsOk());
  ASSERT_THAT(second, IsOk());
  ASSERT_THAT(talks, IsOk());
  ASSERT_THAT(talks->Write("hello", kSoon), IsOk());
  absl::StatusOr<Flow> upgraded = opened->upgrade(*std::move(second), kSoon);
  ASSERT_THAT(upgraded, IsOk());
  EXPECT_EQ(flow::GetSocketOptions(*upgraded)->keepalive,
            (flow::Keepalive{true, absl::Seconds(77)}));
  EXPECT_THAT(opened->upgrade(*std::move(first), absl::Milliseconds(10)),
              StatusIs(StatusCode::kDeadlineExceeded));
}

TEST(OpenTest, FailuresLeaveNothingOpen) {  // P5
  const int before = CountOpenFds();
  const ShortTempDir dir;
  for (const std::string& text :
       {std::string("tcp:127.0.0.1:1"), "unix:" + dir.Path("none"),
        "file:" + dir.Path("none"), std::string("file:/"),
        std::string("tcp:127.0.0.1:1,bind=192.0.2.1")}) {
    EXPECT_FALSE(Open(text, kSoon).ok()) << text;
  }
  EXPECT_FALSE(OpenListener("tcp-listen:192.0.2.1:0").ok());
  EXPECT_EQ(CountOpenFds(), before);
}

}  // namespace
}  // namespace flow_testing
