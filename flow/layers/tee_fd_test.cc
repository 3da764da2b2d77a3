// Tee onto descriptors: sinks that the kernel makes wait, in both drivers, and
// files.

#include <fcntl.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <future>
#include <iterator>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/layers/tee.h"
#include "flow/or_eof.h"
#include "flow/status.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/matchers.h"
#include "flow/thread_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::IsData;
using ::flow_testing::IsEof;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;

constexpr absl::Duration kShort = absl::Milliseconds(100);

// A tee on sockets whose sinks are sockets that take no more.
class TeeFdTest : public ::testing::Test {
 protected:
  void SetUp() override {
    TeeOptions options;
    Flow below;
    MakePair(below, peer_);
    MakePair(options.read_to, reads_);
    MakePair(options.written_to, writes_);
    read_clog_ = Clog(options.read_to);
    write_clog_ = Clog(options.written_to);
    absl::StatusOr<Flow> made = Tee(std::move(below), std::move(options));
    ASSERT_THAT(made, IsOk());
    flow_ = *std::move(made);
  }

  static void MakePair(Flow& one, Flow& other) {
    absl::StatusOr<std::pair<Flow, Flow>> pair = SocketPair();
    ASSERT_THAT(pair, IsOk());
    one = std::move(pair->first);
    other = std::move(pair->second);
  }
  // Fills `flow`; with how many bytes.
  static size_t Clog(Flow& flow) {
    size_t total = 0;
    for (const size_t block : {size_t{10'000}, size_t{1}}) {
      for (;;) {
        const absl::StatusOr<size_t> n =
            flow.WriteSome(std::string(block, '.'), kShort);
        if (!n.ok()) break;
        total += *n;
      }
    }
    return total;
  }
  static std::string Get(Flow& flow, size_t size) {
    std::string got(size, '\0');
    size_t have = 0;
    while (have < size) {
      auto n =
          flow.ReadInto(absl::MakeSpan(got).subspan(have), absl::Seconds(20));
      if (!n.ok() || n->is_eof()) break;
      have += n->data();
    }
    got.resize(have);
    return got;
  }

  Flow flow_;
  Flow peer_;
  Flow reads_;
  Flow writes_;
  size_t read_clog_ = 0;
  size_t write_clog_ = 0;
};

TEST_F(TeeFdTest, ABlockedReadGoesOnWhenItsSinkHasRoom) {
  ASSERT_THAT(peer_.Write("hello"), IsOk());
  EXPECT_THAT(flow_.Read(kShort), IsKind(ErrorKind::kDeadline));
  std::future<size_t> drained = std::async(
      std::launch::async, [this] { return Get(reads_, read_clog_).size(); });
  EXPECT_THAT(flow_.Read(absl::Seconds(20)), IsData("hello"));
  EXPECT_EQ(drained.get(), read_clog_);
  EXPECT_EQ(Get(reads_, 5), "hello");
}

// A flow of three descriptors, each waited for: the poller has two places and
// looks at the third from time to time.
TEST_F(TeeFdTest, ParkedCallsGoOnWhenTheirSinksHaveRoom) {
  AsyncContext context;
  absl::StatusOr<AsyncFlow> async = AsyncFlow::From(std::move(flow_), context);
  ASSERT_THAT(async, IsOk());
  ASSERT_THAT(peer_.Write("hello"), IsOk());
  std::future<absl::StatusOr<PeerEnd>> end =
      async->WaitPeerEnd(PeerEnd::kFinished, absl::Seconds(20));
  std::future<absl::StatusOr<OrEof<Buffer>>> read =
      async->Read(absl::Seconds(20));
  std::future<absl::Status> write =
      async->Write(std::string("answer"), absl::Seconds(20));
  EXPECT_EQ(Get(peer_, 6), "answer");
  EXPECT_EQ(read.wait_for(std::chrono::milliseconds(20)),
            std::future_status::timeout);
  EXPECT_EQ(write.wait_for(std::chrono::seconds(0)),
            std::future_status::timeout);
  EXPECT_EQ(Get(writes_, write_clog_).size(), write_clog_);
  EXPECT_THAT(write.get(), IsOk());
  EXPECT_EQ(Get(writes_, 6), "answer");
  EXPECT_EQ(Get(reads_, read_clog_).size(), read_clog_);
  EXPECT_THAT(read.get(), IsData("hello"));
  EXPECT_EQ(Get(reads_, 5), "hello");
  ASSERT_THAT(peer_.Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(end.get(), IsOk());
  EXPECT_THAT(async->Close().get(), IsOk());
  EXPECT_THAT(reads_.Read(absl::Seconds(20)), IsEof());
}

// P3: Close frees who waits for a sink.
TEST_F(TeeFdTest, CloseFreesACallThatWaitsForASink) {
  AsyncContext context;
  absl::StatusOr<AsyncFlow> async = AsyncFlow::From(std::move(flow_), context);
  ASSERT_THAT(async, IsOk());
  ASSERT_THAT(peer_.Write("hello"), IsOk());
  std::future<absl::StatusOr<OrEof<Buffer>>> read = async->Read();
  EXPECT_THAT(async->Close().get(), IsOk());
  EXPECT_THAT(read.get(), IsKind(ErrorKind::kClosedLocally));
}

// A recording, by blocking calls and by futures, whose tries are then made by
// the pool, since they may wait for the disk.
TEST(TeeFileTest, AFileGetsACopy) {
  const std::string path =
      absl::StrCat(::testing::TempDir(), "/tee_fd_test.recording");
  ThreadPool pool(/*threads=*/1);
  AsyncContext context(pool);
  for (const bool parked : {false, true}) {
    UniqueFd file(open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600));
    ASSERT_TRUE(file.valid());
    absl::StatusOr<Flow> recording = Adopt(std::move(file));
    ASSERT_THAT(recording, IsOk());
    absl::StatusOr<std::pair<Flow, Flow>> pair = SocketPair();
    ASSERT_THAT(pair, IsOk());
    TeeOptions options;
    options.read_to = *std::move(recording);
    absl::StatusOr<Flow> made = Tee(std::move(pair->first), std::move(options));
    ASSERT_THAT(made, IsOk());
    if (parked) {
      absl::StatusOr<AsyncFlow> async =
          AsyncFlow::From(*std::move(made), context);
      ASSERT_THAT(async, IsOk());
      std::future<absl::StatusOr<OrEof<Buffer>>> read = async->Read();
      ASSERT_THAT(pair->second.Write("recorded"), IsOk());
      EXPECT_THAT(read.get(), IsData("recorded"));
    } else {
      ASSERT_THAT(pair->second.Write("recorded"), IsOk());
      EXPECT_THAT(made->Read(), IsData("recorded"));
    }
    std::ifstream in(path);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "recorded");
  }
  std::remove(path.c_str());
}

}  // namespace
}  // namespace flow
