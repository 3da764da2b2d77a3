// Reader and Writer over one flow: requests and answers, two threads, change of
// protocol, and sockets on a bad day.

#include "flow/buffered/channel.h"

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/buffer.h"
#include "flow/buffered/buffered_test_support.h"
#include "flow/buffered/line.h"
#include "flow/buffered/reader.h"
#include "flow/buffered/writer.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/or_eof.h"
#include "flow/status.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/fault_options.h"
#include "flow/testing/fault_syscalls.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "flow/testing/sim_syscalls.h"
#include "flow/tls/tls.h"
#include "flow/tls/tls_test_support.h"
#include "flow/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::flow_testing::FaultOptions;
using ::flow_testing::FaultSyscalls;
using ::flow_testing::IsData;
using ::flow_testing::IsEof;
using ::flow_testing::IsKind;
using ::flow_testing::IsOk;
using ::flow_testing::MemoryPair;
using ::flow_testing::Pattern;
using ::flow_testing::SeedOr;
using ::flow_testing::SinkLog;
using ::flow_testing::SinkOf;
using ::flow_testing::StatusIs;

constexpr absl::Duration kLong = absl::Seconds(60);

// A connected pair of sockets, the first on `sys`.
std::pair<Flow, Flow> Sockets(Syscalls* sys) {
  int fds[2];
  EXPECT_EQ(Syscalls::Real()->Socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  FdOptions options;
  options.sys = sys;
  absl::StatusOr<Flow> a = Adopt(UniqueFd(fds[0], sys), options);
  absl::StatusOr<Flow> b = Adopt(UniqueFd(fds[1]));
  EXPECT_THAT(a, IsOk());
  EXPECT_THAT(b, IsOk());
  return {*std::move(a), *std::move(b)};
}

// Answers each line with its length in a frame, until the end.
absl::Status Serve(Flow flow) {
  Channel chat(std::move(flow));
  for (;;) {
    const absl::StatusOr<OrEof<Line>> line = chat.reader().ReadLine(kLong);
    if (!line.ok()) return line.status();
    if (line->is_eof()) return chat.CloseGracefully(kLong);
    absl::Status sent = chat.writer().WriteFrame(
        absl::StrCat(line->data().text.size()), {}, kLong);
    // Nobody waits for an answer while there are more questions.
    if (sent.ok() && chat.reader().Buffered().empty()) {
      sent = chat.writer().Flush(kLong);
    }
    if (!sent.ok()) return sent;
  }
}

TEST(ChannelTest, RequestsAndAnswersTakeTurns) {
  auto [ours, theirs] = Sockets(nullptr);
  absl::Status served;
  std::thread server(
      [&served, flow = &theirs] { served = Serve(std::move(*flow)); });
  Channel chat(std::move(ours));
  for (size_t i = 0; i < 200; ++i) {
    ASSERT_THAT(chat.writer().Write(std::string(i, 'x') + "\n"), IsOk());
    ASSERT_THAT(chat.writer().Flush(kLong), IsOk());
    ASSERT_THAT(chat.reader().ReadFrame({}, kLong), IsData(absl::StrCat(i)));
  }
  EXPECT_THAT(chat.writer().Shutdown(ShutdownMode::kWrite), IsOk());
  EXPECT_THAT(chat.reader().ReadFrame({}, kLong), IsEof());
  EXPECT_THAT(chat.Close(), IsOk());
  server.join();
  EXPECT_THAT(served, IsOk());
}

// P2, P7: one thread asks, another reads the answers, and the kernel cuts,
// interrupts and refuses whatever it may.
TEST(ChannelTest, PipelinedFromTwoThreadsOnABadDay) {
  FaultOptions options;
  options.seed = SeedOr(17);
  options.max_transfer = 50;
  options.interrupted = 0.1;
  options.not_yet = 0.1;
  FaultSyscalls sys(options);
  SCOPED_TRACE(sys.ToString());
  auto [ours, theirs] = Sockets(&sys);
  absl::Status served;
  std::thread server(
      [&served, flow = &theirs] { served = Serve(std::move(*flow)); });
  Channel chat(std::move(ours));
  constexpr size_t kQuestions = 400;
  std::thread asking([&chat] {
    for (size_t i = 0; i < kQuestions; ++i) {
      ASSERT_THAT(chat.writer().Write(std::string(i, 'x') + "\r\n", kLong),
                  IsOk());
    }
    ASSERT_THAT(chat.writer().Shutdown(ShutdownMode::kWrite, kLong), IsOk());
  });
  for (size_t i = 0; i < kQuestions; ++i) {
    ASSERT_THAT(chat.reader().ReadFrame({}, kLong), IsData(absl::StrCat(i)));
  }
  EXPECT_THAT(chat.reader().ReadFrame({}, kLong), IsEof());
  asking.join();
  EXPECT_THAT(chat.Close(), IsOk());
  server.join();
  EXPECT_THAT(served, IsOk());
  EXPECT_GT(sys.faults(), 0);
}

// P1, P2: a reset at any byte is an error, behind exactly the frames before it.
TEST(ChannelTest, ResetAtAnyByteIsNoEnd) {
  const std::string frame = "\x05hello";
  for (uint64_t at = 1; at <= 20; ++at) {
    FaultOptions options;
    options.reset_after_read = at;
    FaultSyscalls sys(options);
    SCOPED_TRACE(sys.ToString());
    auto [ours, theirs] = Sockets(&sys);
    ASSERT_THAT(theirs.Write(frame + frame + frame + frame), IsOk());
    Reader in(std::move(ours));
    uint64_t frames = 0;
    absl::StatusOr<OrEof<Buffer>> got = in.ReadFrame({}, kLong);
    for (; got.ok() && got->has_data(); got = in.ReadFrame({}, kLong)) {
      ++frames;
    }
    EXPECT_EQ(frames, at / frame.size());
    EXPECT_THAT(got, IsKind(ErrorKind::kReset));
    EXPECT_EQ(in.Buffered().size(), at % frame.size());
  }
}

// STARTTLS, and a client that sends its hello right behind: TLS stands on what
// the Reader had read too far.
TEST(ChannelTest, StartTlsKeepsWhatWasReadTooFar) {
  auto [client_below, server_below] = MemoryPair();
  const absl::StatusOr<TlsServer> server =
      TlsServer::Create(flow_testing::GoodServer());
  const absl::StatusOr<TlsClient> client =
      TlsClient::Create(flow_testing::GoodClient());
  ASSERT_THAT(server, IsOk());
  ASSERT_THAT(client, IsOk());
  size_t read_too_far = 0;
  absl::Status served;
  std::thread serving([&, below = &server_below] {
    Channel chat(std::move(*below));
    EXPECT_THAT(chat.reader().ReadLine(kLong), IsData(Line{"STARTTLS", true}));
    EXPECT_THAT(chat.reader().Peek(1, kLong), IsData("\x16"));
    read_too_far = chat.reader().Buffered().size();
    absl::StatusOr<Flow> plain = chat.Release(kLong);
    ASSERT_THAT(plain, IsOk());
    EXPECT_THAT(chat.writer().Write("x"), IsKind(ErrorKind::kClosedLocally));
    EXPECT_THAT(chat.Close(), IsOk());
    absl::StatusOr<TlsFlow> tls = TlsAccept(*std::move(plain), *server, kLong);
    ASSERT_THAT(tls, IsOk());
    served = Serve(std::move(tls->flow));
  });
  ASSERT_THAT(client_below.Write("STARTTLS\r\n"), IsOk());
  absl::StatusOr<TlsFlow> tls =
      TlsConnect(std::move(client_below), *client, "localhost", kLong);
  ASSERT_THAT(tls, IsOk());
  Channel chat(std::move(tls->flow));
  const std::string large(60000, 'x');
  ASSERT_THAT(chat.writer().Write("hello\n" + large + "\n"), IsOk());
  ASSERT_THAT(chat.writer().Shutdown(ShutdownMode::kWrite, kLong), IsOk());
  EXPECT_THAT(chat.reader().ReadFrame({}, kLong), IsData("5"));
  EXPECT_THAT(chat.reader().ReadFrame({}, kLong), IsData("60000"));
  EXPECT_THAT(chat.reader().ReadFrame({}, kLong), IsEof());
  EXPECT_THAT(chat.Close(), IsOk());
  serving.join();
  EXPECT_THAT(served, IsOk());
  EXPECT_GT(read_too_far, 0u);
}

// P2: the Writer's bytes over TLS, with room for few: a record that a limit
// leaves half sent is sent by the next Flush, and not sealed.
TEST(ChannelTest, FlushOverTlsGoesOnAfterALimit) {
  auto pair = flow_testing::UnderTls(MemoryPair(3000));
  ASSERT_THAT(pair, IsOk());
  const std::string bytes = Pattern(40000);
  Writer out(std::move(pair->first));
  ASSERT_THAT(out.Write(bytes), IsOk());
  std::string got;
  int cut = 0;
  while (!out.Flush(absl::Milliseconds(1)).ok()) {
    ASSERT_THAT(out.status(), IsOk());
    ++cut;
    const auto some = pair->second.Read(absl::Milliseconds(1));
    if (some.ok() && some->has_data()) got += some->data().ToString();
  }
  EXPECT_GT(cut, 3);
  absl::Status closed;
  std::thread closing([&] { closed = out.CloseGracefully(kLong); });
  Reader in(std::move(pair->second));
  const absl::StatusOr<Buffer> rest = in.ReadAll(100000, kLong);
  EXPECT_THAT(in.Close(), IsOk());
  closing.join();
  ASSERT_THAT(rest, IsOk());
  EXPECT_EQ(got + rest->ToString(), bytes);
  EXPECT_THAT(closed, IsOk());
}

TEST(ChannelTest, ReleaseThatCannotFlushLosesNothing) {
  flow_testing::SimSyscalls sim;
  sim.AutoAdvance(1);
  flow_testing::MemoryPairOptions on_sim;
  on_sim.sys = &sim;
  auto [ours, peer] = MemoryPair(3, on_sim);
  Channel chat(std::move(ours));
  ASSERT_THAT(chat.writer().Write("12345"), IsOk());
  EXPECT_THAT(chat.Release(sim.In(absl::Seconds(1))),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(peer.Read(), IsData("123"));
  absl::StatusOr<Flow> flow = chat.Release();
  ASSERT_THAT(flow, IsOk());
  EXPECT_THAT(peer.Read(), IsData("45"));
  EXPECT_THAT(chat.reader().Read(), IsKind(ErrorKind::kClosedLocally));
  EXPECT_THAT(chat.Close(), IsOk());
  EXPECT_THAT(flow->Write("6"), IsOk());
  EXPECT_THAT(peer.Read(), IsData("6"));
}

// "Bytes that were not flushed are dropped, and then the flow is aborted."
TEST(ChannelTest, DestructorAndMoveEndTheFlowAsTheWriterDoes) {
  SinkLog dropped;
  SinkLog flushed;
  {
    Channel chat(SinkOf(&dropped));
    ASSERT_THAT(chat.writer().Write("lost"), IsOk());
    Channel moved = std::move(chat);
    EXPECT_FALSE(dropped.closed);
    ASSERT_THAT(moved.writer().Write("!"), IsOk());
    moved = Channel(SinkOf(&flushed));
    EXPECT_TRUE(dropped.aborted);
    ASSERT_THAT(moved.writer().Write("kept"), IsOk());
    ASSERT_THAT(moved.writer().Flush(), IsOk());
    EXPECT_THAT(moved.reader().Read(), IsEof());
  }
  EXPECT_EQ(dropped.taken, "");
  EXPECT_EQ(flushed.taken, "kept");
  EXPECT_TRUE(flushed.closed);
  EXPECT_FALSE(flushed.aborted);
}

}  // namespace
}  // namespace flow
