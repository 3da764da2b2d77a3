// By whatever method bytes are moved, they, the result and the flows' own
// counts are the same (P2), and the kernel may refuse at any moment.

#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/relay/relay.h"
#include "flow/relay/relay_rig_test.h"
#include "flow/stats.h"
#include "flow/status.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/call_set.h"
#include "flow/testing/fault_options.h"
#include "flow/testing/fault_syscalls.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::Call;
using ::flow_testing::CallSet;
using ::flow_testing::FaultOptions;
using ::flow_testing::FaultSyscalls;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::Pattern;
using ::flow_testing::ReadToEof;
using ::flow_testing::StatusIs;
using ::flow_testing::WriteAndEnd;
using ::testing::HasSubstr;

constexpr CopyMethod kMethods[] = {CopyMethod::kAuto, CopyMethod::kBuffered,
                                   CopyMethod::kSplice, CopyMethod::kSendfile,
                                   CopyMethod::kCopyFileRange};

enum class Kind { kTcp, kUnix, kPipe, kFile };
constexpr Kind kKinds[] = {Kind::kTcp, Kind::kUnix, Kind::kPipe, Kind::kFile};

std::string NameOf(Kind kind) {
  return kind == Kind::kTcp    ? "tcp"
         : kind == Kind::kUnix ? "unix"
         : kind == Kind::kPipe ? "pipe"
                               : "file";
}

template <typename T>
T Must(absl::StatusOr<T> value) {
  EXPECT_TRUE(value.ok()) << value.status();
  return value.ok() ? *std::move(value) : T();
}

// The same descriptors, on another kernel.
Flow On(Syscalls* sys, Flow flow, bool moved = true) {
  if (sys == nullptr || !moved) return flow;
  FdOptions options;
  options.sys = sys;
  return Must(Adopt(UniqueFd(Must(flow.ReleaseFd()).release(), sys), options));
}

class TempFile {
 public:
  explicit TempFile(absl::string_view content = "") {
    path_ = absl::StrCat(testing::TempDir(), "/relay.XXXXXX");
    const UniqueFd fd(mkstemp(path_.data()));
    std::ofstream(path_) << content;
  }
  ~TempFile() { unlink(path_.c_str()); }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  Flow Open(int flags) const {
    return Must(Adopt(UniqueFd(open(path_.c_str(), flags | O_CLOEXEC))));
  }
  std::string Read() const {
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  std::string path_;
};

std::pair<Flow, Flow> MakePair(Kind kind) {
  if (kind == Kind::kTcp) return flow_testing::TcpKind().make();
  if (kind == Kind::kUnix) return flow_testing::UnixKind().make();
  return Must(Pipe());
}

struct Outcome {
  CopyResult result;
  std::string got;
  Stats from;
  Stats to;
};

// Sends `bytes` through a Copy from one kind to another; `sys` is the copy's
// kernel. They are written in pieces of random sizes.
Outcome RunCopy(Kind from, Kind to, CopyMethod method, const std::string& bytes,
                uint64_t seed, Syscalls* sys = nullptr) {
  Outcome outcome;
  const TempFile in_file(from == Kind::kFile ? bytes : "");
  const TempFile out_file;
  Flow feed;
  Flow src;
  Flow dst;
  Flow end;
  if (from == Kind::kFile) {
    src = in_file.Open(O_RDONLY);
  } else {
    std::tie(src, feed) = MakePair(from);
  }
  if (to == Kind::kFile) {
    dst = out_file.Open(O_WRONLY);
  } else {
    std::tie(end, dst) = MakePair(to);
  }
  src = On(sys, std::move(src));
  dst = On(sys, std::move(dst));
  std::thread feeder([&] {
    uint64_t random = seed;
    size_t size = 0;
    for (size_t at = 0; feed && at < bytes.size(); at += size) {
      random = random * 6364136223846793005u + 1442695040888963407u;
      size = (random >> 40) % (size_t{1} << ((random >> 33) % 19)) + 1;
      size = std::min(size, bytes.size() - at);
      if (!feed.Write({bytes.data() + at, size}).ok()) break;
    }
    EXPECT_THAT(feed.Shutdown(ShutdownMode::kWrite), IsOk());
  });
  std::thread eater([&] {
    if (end) outcome.got = ReadToEof(end);
  });
  CopyOptions options;
  options.method = method;
  options.end_sink = true;
  outcome.result = Copy(src, dst, options);
  outcome.from = src.GetStats();
  outcome.to = dst.GetStats();
  src.Close().IgnoreError();
  dst.Close().IgnoreError();
  feeder.join();
  eater.join();
  if (to == Kind::kFile) outcome.got = out_file.Read();
  return outcome;
}

bool CanDo(CopyMethod method, Kind from, Kind to) {
  const bool from_file = from == Kind::kFile;
  const bool to_file = to == Kind::kFile;
  if (method == CopyMethod::kCopyFileRange) return from_file && to_file;
  if (method == CopyMethod::kSendfile) {
    return from_file && (to == Kind::kTcp || to == Kind::kUnix);
  }
  return true;
}

class CopyMethodTest : public testing::TestWithParam<std::tuple<Kind, Kind>> {};

INSTANTIATE_TEST_SUITE_P(From, CopyMethodTest,
                         testing::Combine(testing::ValuesIn(kKinds),
                                          testing::ValuesIn(kKinds)),
                         [](const auto& kinds) {
                           return absl::StrCat(
                               NameOf(std::get<0>(kinds.param)), "_to_",
                               NameOf(std::get<1>(kinds.param)));
                         });

// P2.
TEST_P(CopyMethodTest, EveryMethodMovesTheSameBytesAndSaysSo) {
  const auto [from, to] = GetParam();
  for (const size_t size : {0, 1, 65536, 1'000'003}) {
    const std::string bytes = Pattern(size, size + 1);
    for (const CopyMethod method : kMethods) {
      if (!CanDo(method, from, to)) continue;
      const Outcome outcome = RunCopy(from, to, method, bytes, size + 11);
      ASSERT_THAT(outcome.result.status(), IsOk()) << method;
      EXPECT_TRUE(outcome.got == bytes) << method << " " << size;
      EXPECT_EQ(outcome.result.bytes, size);
      EXPECT_EQ(outcome.result.bytes_read, size);
      EXPECT_EQ(outcome.result.end(), CopyEnd::kInOrder);
      EXPECT_EQ(outcome.from.bytes_read, size) << method;
      EXPECT_EQ(outcome.to.bytes_written, size) << method;
      EXPECT_EQ(outcome.result.reads > 0, size > 0);
      EXPECT_EQ(outcome.result.writes > 0, size > 0);
      if (size == 0) {
        EXPECT_EQ(outcome.result.method, CopyMethod::kBuffered);
      } else if (method != CopyMethod::kAuto) {
        EXPECT_EQ(outcome.result.method, method);
      }
    }
  }
}

TEST_P(CopyMethodTest, WhatCannotBeDoneIsRefusedWithTheReason) {
  const auto [from, to] = GetParam();
  for (const CopyMethod method : kMethods) {
    if (CanDo(method, from, to)) continue;
    const Outcome outcome = RunCopy(from, to, method, "bytes", 1);
    EXPECT_THAT(outcome.result.status(),
                StatusIs(absl::StatusCode::kUnimplemented,
                         HasSubstr(CopyMethodName(method))));
    EXPECT_EQ(outcome.result.end(), CopyEnd::kRefused);
    EXPECT_EQ(outcome.result.bytes, 0u);
  }
}

// P2, P7: short moves, interruptions and false alarms.
TEST_P(CopyMethodTest, ShortAndInterruptedMovesAreExact) {
  const auto [from, to] = GetParam();
  const std::string bytes = Pattern(200'003);
  for (const CopyMethod method : kMethods) {
    if (!CanDo(method, from, to)) continue;
    FaultOptions faults;
    faults.max_transfer = 9000;
    faults.interrupted = 0.2;
    FaultSyscalls sys(faults);
    const Outcome outcome = RunCopy(from, to, method, bytes, 5, &sys);
    EXPECT_THAT(outcome.result.status(), IsOk()) << method << sys.ToString();
    EXPECT_TRUE(outcome.got == bytes) << method;
    EXPECT_EQ(outcome.result.bytes, bytes.size());
  }
}

// P2: whatever the kernel refuses, and whenever, it goes on in another way and
// no byte is lost or doubled.
TEST_P(CopyMethodTest, RefusalInTheMiddleFallsBackWithoutLossOrDoubling) {
  const auto [from, to] = GetParam();
  const std::string bytes = Pattern(150'001);
  const CallSet in_kernel = CallSet::Kernel() | CallSet{Call::kPipe};
  for (const CopyMethod method : kMethods) {
    if (!CanDo(method, from, to) || method == CopyMethod::kBuffered) continue;
    for (const int error :
         {EINVAL, ENOSYS, EPERM, EXDEV, ENOMEM, EIO, EAGAIN, EINTR}) {
      // A file that says EAGAIN would not be waited for, but read.
      for (const int k : {1, 2, 5}) {
        const int times = k == 1 && error != EAGAIN && error != EINTR
                              ? flow_testing::NthFault::kForever
                              : 1;
        FaultOptions faults = FaultOptions::FailNth(k, error, times, in_kernel);
        faults.max_transfer = 30'000;
        faults.calls = in_kernel;
        FaultSyscalls sys(faults);
        const Outcome outcome = RunCopy(from, to, method, bytes, 6, &sys);
        ASSERT_THAT(outcome.result.status(), IsOk())
            << method << " " << sys.ToString();
        ASSERT_TRUE(outcome.got == bytes) << method << " " << sys.ToString();
        ASSERT_EQ(outcome.result.bytes, bytes.size());
      }
    }
  }
}

// P1: the kernel tells a reset once, perhaps to splice.
TEST(SpliceTest, ResetThatSpliceIsToldIsTheSourcesOrTheSinks) {
  for (const int k : {1, 2, 3, 4}) {
    FaultSyscalls sys(FaultOptions::FailNth(k, ECONNRESET, 1, {Call::kSplice}));
    Outcome outcome;
    auto [src, feed] = flow_testing::TcpKind().make();
    auto [end, dst] = flow_testing::TcpKind().make();
    src = On(&sys, std::move(src));
    dst = On(&sys, std::move(dst));
    std::thread feeder([&feed = feed] {
      for (int i = 0; i < 1000 && feed.Write(Pattern(5000)).ok(); ++i) {
      }
    });
    std::thread eater([&end = end] { ReadToEof(end); });
    CopyOptions options;
    options.method = CopyMethod::kSplice;
    const CopyResult result = Copy(src, dst, options);
    EXPECT_THAT(result.status(), IsKind(ErrorKind::kReset)) << k;
    // Which of the later ones takes and which gives depends on the timing.
    EXPECT_NE(result.failed_side(), CopySide::kNone);
    if (k == 1) {
      EXPECT_EQ(result.failed_side(), CopySide::kSource);
    }
    src.Abort().IgnoreError();
    dst.Abort().IgnoreError();
    feeder.join();
    eater.join();
  }
}

// P6: splice and sendfile raise SIGPIPE, which nobody sees; it would end this
// program. Mask and pending signals are as before.
TEST(SpliceTest, SinkWhoseReaderLeftIsAnErrorAndNoSignal) {
  for (const CopyMethod method : {CopyMethod::kSplice, CopyMethod::kSendfile}) {
    const TempFile file(Pattern(100'000));
    Flow src = file.Open(O_RDONLY);
    auto [end, dst] = flow_testing::UnixKind().make();
    end.Close().IgnoreError();
    sigset_t before;
    ASSERT_EQ(pthread_sigmask(SIG_BLOCK, nullptr, &before), 0);
    CopyOptions options;
    options.method = method;
    const CopyResult result = Copy(src, dst, options);
    EXPECT_EQ(result.failed_side(), CopySide::kSink);
    EXPECT_THAT(result.status(), IsKind(ErrorKind::kClosedByPeer));
    EXPECT_EQ(result.bytes, 0u);
    sigset_t after;
    sigset_t pending;
    ASSERT_EQ(pthread_sigmask(SIG_BLOCK, nullptr, &after), 0);
    ASSERT_EQ(sigpending(&pending), 0);
    EXPECT_EQ(sigismember(&after, SIGPIPE), sigismember(&before, SIGPIPE));
    EXPECT_EQ(sigismember(&pending, SIGPIPE), 0);
  }
}

// P2: a sink that fails in the middle, whatever the method.
TEST(SpliceTest, FullDeviceIsTheSinksFailureWithTheExactCount) {
  for (const CopyMethod method :
       {CopyMethod::kAuto, CopyMethod::kBuffered, CopyMethod::kSplice}) {
    Flow dst = Must(Adopt(UniqueFd(open("/dev/full", O_WRONLY | O_CLOEXEC))));
    auto [src, feed] = flow_testing::UnixKind().make();
    ASSERT_THAT(WriteAndEnd(feed, Pattern(1000)), IsOk());
    CopyOptions options;
    options.method = method;
    const CopyResult result = Copy(src, dst, options);
    EXPECT_EQ(result.failed_side(), CopySide::kSink) << method;
    EXPECT_THAT(result.status(),
                StatusIs(absl::StatusCode::kResourceExhausted));
    EXPECT_EQ(result.bytes, 0u);
    EXPECT_EQ(result.bytes_read, 1000u);
  }
}

// What splice refuses to append to is appended to all the same.
TEST(SpliceTest, AppendOnlySinkIsWrittenInAnotherWay) {
  const TempFile file("begin ");
  for (const CopyMethod method : {CopyMethod::kSplice, CopyMethod::kAuto}) {
    Flow dst = file.Open(O_WRONLY | O_APPEND);
    auto [src, feed] = flow_testing::TcpKind().make();
    ASSERT_THAT(WriteAndEnd(feed, absl::StrCat(CopyMethodName(method), " ")),
                IsOk());
    CopyOptions options;
    options.method = method;
    const CopyResult result = Copy(src, dst, options);
    EXPECT_THAT(result.status(), IsOk());
    EXPECT_EQ(result.method, CopyMethod::kBuffered);
  }
  EXPECT_EQ(file.Read(), "begin splice auto ");
}

// Files of /proc have no size; copy_file_range and sendfile believe that.
TEST(SpliceTest, FileWithoutASizeIsReadToItsEnd) {
  const std::string expected = [] {
    std::ifstream in("/proc/self/cmdline");
    return std::string(std::istreambuf_iterator<char>(in), {});
  }();
  ASSERT_FALSE(expected.empty());
  for (const CopyMethod method :
       {CopyMethod::kAuto, CopyMethod::kCopyFileRange, CopyMethod::kSplice}) {
    const TempFile file;
    Flow src =
        Must(Adopt(UniqueFd(open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC))));
    Flow dst = file.Open(O_WRONLY);
    CopyOptions options;
    options.method = method;
    EXPECT_THAT(Copy(src, dst, options).status(), IsOk());
    EXPECT_EQ(file.Read(), expected) << method;
  }
}

// P3: a source without an end.
TEST(SpliceTest, EndlessFileEndsAtTheDeadline) {
  for (const CopyMethod method :
       {CopyMethod::kAuto, CopyMethod::kBuffered, CopyMethod::kSplice}) {
    Flow src = Must(Adopt(UniqueFd(open("/dev/zero", O_RDONLY | O_CLOEXEC))));
    Flow dst = Must(Adopt(UniqueFd(open("/dev/null", O_WRONLY | O_CLOEXEC))));
    CopyOptions options;
    options.method = method;
    options.limits = absl::Milliseconds(200);
    const CopyResult result = Copy(src, dst, options);
    EXPECT_EQ(result.end(), CopyEnd::kLimit) << method;
    EXPECT_LT(result.duration, absl::Seconds(2));
    EXPECT_GT(result.bytes, 0u);
  }
}

// TCP must not hold the end of a file back for 200 ms, as if more was to come.
TEST(SpliceTest, LastPartOfAFileIsSentAtOnce) {
  const std::string bytes = Pattern(100'001);
  const TempFile file(bytes);
  absl::Duration best = absl::InfiniteDuration();
  for (int i = 0; i < 5; ++i) {
    Flow src = file.Open(O_RDONLY);
    auto [end, dst] = flow_testing::TcpKind().make();
    std::string got;
    const absl::Time begin = absl::Now();
    ASSERT_THAT(Copy(src, dst).status(), IsOk());  // without an end
    while (got.size() < bytes.size()) {
      const auto more = end.Read();
      ASSERT_THAT(more, IsOk());
      got.append(more->data().data(), more->data().size());
    }
    best = std::min(best, absl::Now() - begin);
    EXPECT_TRUE(got == bytes);
  }
  EXPECT_LT(best, absl::Milliseconds(150));
}

// Counts how often TCP is told to hold nothing back.
class CorkWatch : public Syscalls {
 public:
  int Setsockopt(int fd, int level, int name, const void* value,
                 socklen_t length) override {
    if (level == IPPROTO_TCP && name == TCP_CORK) ++uncorked;
    return Syscalls::Setsockopt(fd, level, name, value, length);
  }
  int uncorked = 0;
};

// As above, by what is asked of the kernel: whether it would have held the last
// part back depends on its buffers.
TEST(SpliceTest, TcpIsToldWhereAFileEnds) {
  CorkWatch kernel;
  const TempFile file("abc");
  Flow src = On(&kernel, file.Open(O_RDONLY));
  auto [end, plain] = flow_testing::TcpKind().make();
  Flow dst = On(&kernel, std::move(plain));
  CopyOptions options;
  options.method = CopyMethod::kSendfile;
  EXPECT_THAT(Copy(src, dst, options).status(), IsOk());
  EXPECT_GE(kernel.uncorked, 1);
}

TEST(SpliceTest, CorkOfTheUserStays) {
  const TempFile file("abc");
  Flow src = file.Open(O_RDONLY);
  auto [end, dst] = flow_testing::TcpKind().make();
  int corked = 1;
  socklen_t size = sizeof(corked);
  ASSERT_EQ(
      setsockopt(dst.native_handle(), IPPROTO_TCP, TCP_CORK, &corked, size), 0);
  CopyOptions options;
  options.method = CopyMethod::kSendfile;
  EXPECT_THAT(Copy(src, dst, options).status(), IsOk());
  corked = 0;
  ASSERT_EQ(
      getsockopt(dst.native_handle(), IPPROTO_TCP, TCP_CORK, &corked, &size),
      0);
  EXPECT_EQ(corked, 1);
}

// Small chunks are read and written; a stream of full ones is spliced.
TEST(SpliceTest, AutoSplicesOnceItPays) {
  EXPECT_EQ(RunCopy(Kind::kTcp, Kind::kTcp, CopyMethod::kAuto, "small", 1)
                .result.method,
            CopyMethod::kBuffered);
  auto [src, feed] = Must(Pipe());
  auto [end, dst] = flow_testing::TcpKind().make();
  const std::string bytes = Pattern(2 << 20);
  std::thread feeder(
      [&, &f = feed] { EXPECT_THAT(WriteAndEnd(f, bytes), IsOk()); });
  std::thread eater([&, &e = end] { EXPECT_TRUE(ReadToEof(e) == bytes); });
  CopyOptions options;
  options.end_sink = true;
  options.buffer_size = 16 << 10;  // which a pipe's reads fill
  const CopyResult result = Copy(src, dst, options);
  feeder.join();
  eater.join();
  EXPECT_THAT(result.status(), IsOk());
  EXPECT_EQ(result.method, CopyMethod::kSplice);
}

// Sends a part, and finds that nobody reads the next page.
class SignallingKernel : public Syscalls {
 public:
  ssize_t Sendfile(int in, int out, size_t count) override {
    const ssize_t n = Syscalls::Sendfile(in, out, std::min(count, size_t{3}));
    if (n > 0) raise(SIGPIPE);
    return n;
  }
};

// P6: SIGPIPE may come with a short count too; it would kill this process.
TEST(SpliceTest, SignalOfAShortSendfileIsTaken) {
  SignallingKernel kernel;
  const TempFile file("abcdefgh");
  Flow src = On(&kernel, file.Open(O_RDONLY));
  auto [end, plain] = flow_testing::TcpKind().make();
  Flow dst = On(&kernel, std::move(plain));
  CopyOptions options;
  options.end_sink = true;
  options.method = CopyMethod::kSendfile;
  EXPECT_THAT(Copy(src, dst, options).status(), IsOk());
  EXPECT_EQ(ReadToEof(end), "abcdefgh");
}

// What is borrowed may block, so it is never spliced.
TEST(SpliceTest, BorrowedSocketIsRefusedAndByAutoBuffered) {
  auto [src, feed] = flow_testing::TcpKind().make();
  Flow borrowed = Must(Borrow(src.native_handle()));
  auto [end, dst] = flow_testing::TcpKind().make();
  ASSERT_THAT(WriteAndEnd(feed, Pattern(100'000)), IsOk());
  std::thread eater([&e = end] { ReadToEof(e); });
  CopyOptions options;
  options.end_sink = true;
  options.method = CopyMethod::kSplice;
  EXPECT_EQ(Copy(borrowed, dst, options).end(), CopyEnd::kRefused);
  dst.Abort().IgnoreError();
  eater.join();
}

}  // namespace
}  // namespace flow
