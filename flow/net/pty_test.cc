// Pseudo-terminals: what a program on one sees, and what it doesn't.

#include "flow/net/pty.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/net/subprocess.h"
#include "flow/status.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::ExitStatus;
using flow::Flow;
using flow::Pty;
using flow::PtyOptions;
using flow::SpawnOnPty;
using flow::Subprocess;
using flow::WindowSize;

constexpr absl::Duration kLong = absl::Seconds(30);

WindowSize Size(uint16_t rows, uint16_t columns) {
  WindowSize size;
  size.rows = rows;
  size.columns = columns;
  return size;
}

// Reads until `text` has come, or the end; what has come.
std::string ReadUntil(Flow& from, absl::string_view text) {
  std::string all;
  while (text.empty() || !absl::StrContains(all, text)) {
    auto got = from.Read(kLong);
    if (!got.ok()) {
      ADD_FAILURE() << got.status() << " after " << all;
      return all;
    }
    if (got->is_eof()) return all;
    all += std::string(got->data().view());
  }
  return all;
}

TEST(PtyTest, ProgramsSeeTheWindowSize) {
  PtyOptions options;
  options.size = Size(7, 33);
  // Once more whenever a line is typed.
  absl::StatusOr<Subprocess> sh = SpawnOnPty(
      {"/bin/sh", "-c", "stty -echo; stty size; read x; stty size"}, options);
  ASSERT_THAT(sh, IsOk());
  Flow& terminal = sh->stdio_flow();
  EXPECT_EQ(ReadUntil(terminal, "\n"), "7 33\r\n");
  EXPECT_THAT(flow::SetWindowSize(terminal, Size(50, 132)), IsOk());
  EXPECT_THAT(flow::GetWindowSize(terminal), IsOkAndHolds(Size(50, 132)));
  EXPECT_THAT(terminal.Write("\n", kLong), IsOk());
  EXPECT_EQ(ReadUntil(terminal, "\n"), "50 132\r\n");
  // The master's EIO is the end of the stream (P1).
  EXPECT_THAT(terminal.Read(kLong), IsEof());
  EXPECT_THAT(sh->Wait(kLong), IsOkAndHolds(ExitStatus::Exited(0)));
}

TEST(PtyTest, AResizeIsSignalled) {
  absl::StatusOr<Subprocess> sh = SpawnOnPty(
      {"/bin/sh", "-c",
       "trap 'echo resized; exit 0' WINCH; echo ready; while read x; do :; "
       "done"});
  ASSERT_THAT(sh, IsOk());
  ReadUntil(sh->stdio_flow(), "ready");
  EXPECT_THAT(flow::SetWindowSize(sh->stdio_flow(), Size(9, 9)), IsOk());
  // A shell runs the trap when what it waits for is over.
  EXPECT_THAT(sh->stdio_flow().Write("\n", kLong), IsOk());
  ReadUntil(sh->stdio_flow(), "resized");
  EXPECT_THAT(sh->Wait(kLong), IsOkAndHolds(ExitStatus::Exited(0)));
}

// "setsid, TIOCSCTTY": /dev/tty is the pty, keys make signals.
TEST(PtyTest, ThePtyIsTheProgramsControllingTerminal) {
  // [run] A program that dash has just vforked loses a signal that comes before
  // its exec; one that takes dash's place does not.
  absl::StatusOr<Subprocess> sh = SpawnOnPty(
      {"/bin/sh", "-c", "exec >/dev/null; echo ready >/dev/tty; exec cat"});
  ASSERT_THAT(sh, IsOk());
  ReadUntil(sh->stdio_flow(), "ready");
  EXPECT_THAT(sh->stdio_flow().Write("\x03", kLong), IsOk());
  EXPECT_THAT(sh->Wait(kLong), IsOkAndHolds(ExitStatus::Signalled(SIGINT)));
}

TEST(PtyTest, ClosingTheMasterHangsUp) {
  absl::StatusOr<Subprocess> cat = SpawnOnPty({"cat"});
  ASSERT_THAT(cat, IsOk());
  EXPECT_THAT(cat->stdio_flow().Write("x\n", kLong), IsOk());
  ReadUntil(cat->stdio_flow(), "x\r\nx");
  EXPECT_THAT(cat->stdio_flow().Close(), IsOk());
  EXPECT_THAT(cat->Wait(kLong), IsOkAndHolds(ExitStatus::Signalled(SIGHUP)));
}

TEST(PtyTest, RawPassesEveryByteBothWays) {
  PtyOptions options;
  options.raw = true;
  absl::StatusOr<Pty> pty = flow::OpenPty(options);
  ASSERT_THAT(pty, IsOk());
  absl::StatusOr<Flow> slave = flow::Adopt(std::move(pty->slave));
  ASSERT_THAT(slave, IsOk());
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  for (auto [from, to] : {std::make_pair(&pty->master, &*slave),
                          std::make_pair(&*slave, &pty->master)}) {
    EXPECT_THAT(from->Write(bytes, kLong), IsOk());
    std::string got;
    while (got.size() < bytes.size()) {
      auto more = to->Read(kLong);
      ASSERT_THAT(more, IsOk());
      ASSERT_FALSE(more->is_eof());
      got += std::string(more->data().view());
    }
    EXPECT_EQ(got, bytes);
  }
}

// P5: close-on-exec from birth; P6: this process gets no terminal by it.
TEST(PtyTest, NothingOfTheCallersIsChanged) {
  const int before = open("/dev/tty", O_RDWR | O_CLOEXEC);
  const int fds = CountOpenFds();
  {
    absl::StatusOr<Pty> pty = flow::OpenPty();
    ASSERT_THAT(pty, IsOk());
    EXPECT_EQ(FdFlags(pty->master.native_handle()), FD_CLOEXEC);
    EXPECT_EQ(FdFlags(pty->slave.get()), FD_CLOEXEC);
    EXPECT_EQ(StatusFlags(pty->slave.get()) & O_NONBLOCK, 0);
    const flow::UniqueFd now(open("/dev/tty", O_RDWR | O_CLOEXEC));
    EXPECT_EQ(now.valid(), before >= 0);
  }
  EXPECT_EQ(CountOpenFds(), fds);
  const flow::UniqueFd closer(before);
}

TEST(PtyTest, OnlyTerminalsHaveAWindow) {
  auto sockets = flow::SocketPair();
  ASSERT_THAT(sockets, IsOk());
  EXPECT_THAT(flow::GetWindowSize(sockets->first),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(flow::SetWindowSize(sockets->first, Size(1, 1)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(sockets->first.Close(), IsOk());
  EXPECT_THAT(flow::GetWindowSize(sockets->first),
              IsKind(flow::ErrorKind::kClosedLocally));
  EXPECT_THAT(flow::GetWindowSize(Flow()),
              IsKind(flow::ErrorKind::kClosedLocally));
  EXPECT_THAT(SpawnOnPty({"no-such-program"}),
              StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace flow_testing
