// What is borrowed is given back as it was found, and used all the same:
// section 6 of the design, kind by kind (P3, P6; cases F).

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::StatusCode;
using flow::Borrow;
using flow::Flow;
using flow::ShutdownMode;
using flow::UniqueFd;

constexpr absl::Duration kSoon = absl::Milliseconds(50);

// Kernels and sandboxes that know neither RWF_NOWAIT nor /proc.
class Bare : public flow::Syscalls {
 public:
  explicit Bare(bool no_proc) : no_proc_(no_proc) {}
  ssize_t Readv2(int, const iovec*, int, int) override { return Refuse(); }
  ssize_t Writev2(int, const iovec*, int, int) override { return Refuse(); }
  int Open(const char* path, int flags, mode_t mode) override {
    if (!no_proc_) return Syscalls::Open(path, flags, mode);
    errno = ENOENT;
    return -1;
  }

 private:
  static ssize_t Refuse() {
    errno = EOPNOTSUPP;
    return -1;
  }
  const bool no_proc_;
};

// Exchanges bytes both ways, waits in vain, fills `writer` up, shuts down and
// closes, through flows on two fds that are borrowed; both must not have
// changed.
void UseAndGiveBack(int reader, int writer, flow::Syscalls* sys = nullptr) {
  const int reader_flags = StatusFlags(reader);
  const int writer_flags = StatusFlags(writer);
  const int reader_fd_flags = FdFlags(reader);
  const int before = CountOpenFds();
  {
    flow::FdOptions options;
    options.sys = sys;
    absl::StatusOr<Flow> in = Borrow(reader, options);
    absl::StatusOr<Flow> out = Borrow(writer, options);
    ASSERT_THAT(in, IsOk());
    ASSERT_THAT(out, IsOk());
    EXPECT_THAT(in->Read(kSoon), StatusIs(StatusCode::kDeadlineExceeded));
    EXPECT_THAT(out->Write("hello"), IsOk());
    EXPECT_THAT(in->Read(), IsData("hello"));
    // Until it is full: a blocking write would now hang.
    const std::string block = Pattern(65536);
    absl::Status full;
    while (full.ok()) full = out->WriteSome(block, kSoon).status();
    EXPECT_THAT(full, StatusIs(StatusCode::kDeadlineExceeded));
    EXPECT_THAT(out->Shutdown(ShutdownMode::kWrite), IsOk());
    EXPECT_FALSE(out->ends_are_visible());
    EXPECT_THAT(in->Shutdown(ShutdownMode::kRead), IsOk());
    EXPECT_THAT(in->Abort(), IsOk());
    EXPECT_THAT(out->Close(), IsOk());
  }
  EXPECT_EQ(StatusFlags(reader), reader_flags);
  EXPECT_EQ(StatusFlags(writer), writer_flags);
  EXPECT_EQ(FdFlags(reader), reader_fd_flags);
  // (One more: this thread's own alarm clock may have been made meanwhile.)
  EXPECT_LE(CountOpenFds(), before + 1);
  // The connection lives on: what its owner now writes comes through.
  char byte = 0;
  ASSERT_EQ(fcntl(reader, F_SETFL, reader_flags | O_NONBLOCK), 0);
  while (read(reader, &byte, 1) == 1) {
  }
  ASSERT_EQ(write(writer, "z", 1), 1);
  pollfd readable = {reader, POLLIN, 0};
  ASSERT_EQ(poll(&readable, 1, 5000), 1);
  ASSERT_EQ(read(reader, &byte, 1), 1);
  EXPECT_EQ(byte, 'z');
}

TEST(BorrowTest, UnixSocketIsGivenBackAsFound) {  // F.32
  RawPair pair = RawSocketPair();
  UseAndGiveBack(pair.first.get(), pair.second.get());
}

TEST(BorrowTest, TcpSocketIsGivenBackAsFound) {
  RawPair pair = RawTcpPair();
  UseAndGiveBack(pair.first.get(), pair.second.get());
}

TEST(BorrowTest, PipeIsGivenBackAsFound) {
  RawPair pipe = RawPipe();
  UseAndGiveBack(pipe.first.get(), pipe.second.get());
}

TEST(BorrowTest, PipeOnAKernelWithoutNoWaitIsOpenedAnew) {
  Bare sys(/*no_proc=*/false);
  RawPair pipe = RawPipe();
  UseAndGiveBack(pipe.first.get(), pipe.second.get(), &sys);
}

TEST(BorrowTest, PipeThatCannotBeOpenedAnewIsPolledFirst) {
  Bare sys(/*no_proc=*/true);
  RawPair pipe = RawPipe();
  UseAndGiveBack(pipe.first.get(), pipe.second.get(), &sys);
}

// P3: poll promises one page; more would block where one page is free.
TEST(BorrowTest, PipeThatCannotBeOpenedAnewIsWrittenAPageAtATime) {
  Bare sys(/*no_proc=*/true);
  RawPair pipe = RawPipe();
  constexpr size_t kPage = 4096;
  const int room = fcntl(pipe.second.get(), F_GETPIPE_SZ);
  ASSERT_GT(room, static_cast<int>(kPage));
  WriteRaw(pipe.second.get(),
           std::string(static_cast<size_t>(room) - kPage, 'x'));
  flow::FdOptions options;
  options.sys = &sys;
  absl::StatusOr<Flow> out = Borrow(pipe.second.get(), options);
  ASSERT_THAT(out, IsOk());
  EXPECT_THAT(out->WriteSome(std::string(2 * kPage, 'y'), kSoon),
              IsOkAndHolds(kPage));
}

TEST(BorrowTest, FifoIsGivenBackAsFound) {
  ShortTempDir dir;
  const std::string path = dir.Path("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  UniqueFd reader(open(path.c_str(), O_RDONLY | O_NONBLOCK));
  UniqueFd writer(open(path.c_str(), O_WRONLY));
  ASSERT_EQ(fcntl(reader.get(), F_SETFL, 0), 0);
  UseAndGiveBack(reader.get(), writer.get());
}

TEST(BorrowTest, TtyToPtyMasterIsGivenBackAsFound) {
  RawPair pty = RawPty();
  UseAndGiveBack(/*reader=*/pty.first.get(), /*writer=*/pty.second.get());
}

TEST(BorrowTest, PtyMasterToTtyIsGivenBackAsFound) {
  RawPair pty = RawPty();
  // [run] A full terminal says POLLOUT for ever, so the master's way is not
  // filled here but the slave's reading is what counts.
  const int flags = StatusFlags(pty.second.get());
  absl::StatusOr<Flow> slave = Borrow(pty.second.get());
  absl::StatusOr<Flow> master = Borrow(pty.first.get());
  ASSERT_THAT(slave, IsOk());
  ASSERT_THAT(master, IsOk());
  EXPECT_THAT(slave->Read(kSoon), StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_THAT(master->Write("hello"), IsOk());
  EXPECT_THAT(slave->Read(), IsData("hello"));
  EXPECT_EQ(StatusFlags(pty.second.get()), flags);
  EXPECT_EQ(StatusFlags(pty.first.get()), StatusFlags(pty.first.get()));
}

TEST(BorrowTest, PairOfPipesIsOneFlow) {
  RawPair in = RawPipe();
  RawPair out = RawPipe();
  absl::StatusOr<Flow> f = Borrow(in.first.get(), out.second.get());
  ASSERT_THAT(f, IsOk());
  WriteRaw(in.second.get(), "question");
  EXPECT_THAT(f->Read(), IsData("question"));
  EXPECT_THAT(f->Write("answer"), IsOk());
  char text[7] = {};
  EXPECT_EQ(read(out.first.get(), text, 6), 6);
  EXPECT_STREQ(text, "answer");
  in.second.reset();
  EXPECT_THAT(f->Read(), IsEof());
  EXPECT_THAT(f->Write("still"), IsOk());
  EXPECT_EQ(f->native_handle(), -1);
}

TEST(BorrowTest, RegularFileGivesExactBytesAndEof) {  // C.15
  ShortTempDir dir;
  const std::string path = dir.Path("file");
  UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600));
  const std::string bytes = Pattern(300000);
  absl::StatusOr<Flow> out = Borrow(file.get());
  ASSERT_THAT(out, IsOk());
  ASSERT_THAT(out->Write(bytes), IsOk());
  ASSERT_EQ(lseek(file.get(), 0, SEEK_SET), 0);
  absl::StatusOr<Flow> in = Borrow(file.get());
  ASSERT_THAT(in, IsOk());
  std::string got;
  for (;;) {
    auto piece = in->Read();
    ASSERT_THAT(piece, IsOk());
    if (piece->is_eof()) break;
    got.append(piece->data().view().data(), piece->data().view().size());
  }
  EXPECT_EQ(got, bytes);
  EXPECT_THAT(in->Read(), IsEof());
  EXPECT_THAT(in->WaitPeerEnd(flow::PeerEnd::kGone, kSoon),
              StatusIs(StatusCode::kUnimplemented));
}

TEST(BorrowTest, DevicesGiveWhatTheyAreFor) {  // C.15
  UniqueFd null(open("/dev/null", O_RDWR));
  absl::StatusOr<Flow> nothing = Borrow(null.get());
  ASSERT_THAT(nothing, IsOk());
  EXPECT_THAT(nothing->Write(Pattern(1 << 20)), IsOk());
  EXPECT_THAT(nothing->Read(), IsEof());
  UniqueFd zero(open("/dev/zero", O_RDONLY));
  absl::StatusOr<Flow> zeros = Borrow(zero.get());
  ASSERT_THAT(zeros, IsOk());
  char buffer[100] = {1};
  EXPECT_THAT(zeros->ReadInto(absl::MakeSpan(buffer)), IsData(100u));
  EXPECT_EQ(std::string(buffer, 100), std::string(100, '\0'));
  UniqueFd full(open("/dev/full", O_WRONLY));
  absl::StatusOr<Flow> no_room = Borrow(null.get(), full.get());
  ASSERT_THAT(no_room, IsOk());
  // P1: no space left on the one side does not end the other.
  EXPECT_THAT(no_room->Write("x"), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(no_room->Read(), IsEof());
}

TEST(BorrowTest, AnotherHolderClearingNonBlockDoesNotMakeASocketBlock) {
  RawPair pair = RawSocketPair();  // F.34
  UniqueFd other_holder(dup(pair.first.get()));
  absl::StatusOr<Flow> f = flow::Adopt(std::move(pair.first));
  ASSERT_THAT(f, IsOk());
  ASSERT_EQ(fcntl(other_holder.get(), F_SETFL, 0), 0);
  const flow::MonoTime start = flow::MonoTime::Now();
  EXPECT_THAT(f->Read(absl::Milliseconds(200)),
              StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_GE(flow::MonoTime::Now() - start, absl::Milliseconds(200));
  const std::string block = Pattern(65536);
  absl::Status full;
  while (full.ok()) full = f->WriteSome(block, kSoon).status();
  EXPECT_THAT(full, StatusIs(StatusCode::kDeadlineExceeded));
}

TEST(BorrowTest, FifoWithoutAWriterYetIsNotAtItsEnd) {  // P1
  ShortTempDir dir;
  const std::string path = dir.Path("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  UniqueFd reader(open(path.c_str(), O_RDONLY | O_NONBLOCK));
  absl::StatusOr<Flow> f = Borrow(reader.get());
  ASSERT_THAT(f, IsOk());
  EXPECT_THAT(f->Read(kSoon), StatusIs(StatusCode::kDeadlineExceeded));
  UniqueFd writer(open(path.c_str(), O_WRONLY));
  WriteRaw(writer.get(), "here");
  EXPECT_THAT(f->Read(), IsData("here"));
  writer.reset();
  EXPECT_THAT(f->Read(), IsEof());
}

// P1: a description that is opened after the last writer has left never shows
// the hang-up; the original does.
TEST(BorrowTest, EndOfAFifoIsSeenThoughItsWriterLeftBeforeTheFirstRead) {
  ShortTempDir dir;
  const std::string path = dir.Path("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  UniqueFd reader(open(path.c_str(), O_RDONLY | O_NONBLOCK));
  WriteRaw(UniqueFd(open(path.c_str(), O_WRONLY)).get(), "the last words");
  Bare sys(/*no_proc=*/false);
  flow::FdOptions options;
  options.sys = &sys;
  absl::StatusOr<Flow> f = Borrow(reader.get(), options);
  ASSERT_THAT(f, IsOk());
  EXPECT_THAT(f->Read(kSoon), IsData("the last words"));
  EXPECT_THAT(f->Read(kSoon), IsEof());
}

}  // namespace
}  // namespace flow_testing
