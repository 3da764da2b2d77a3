// Every public value and handle prints, by << and by AbslStringify alike, and
// options say what in them differs from the defaults. That none is forgotten is
// what `tools/check printing` looks for.

#include <cerrno>
#include <sstream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/async_context.h"
#include "flow/buffered/channel.h"
#include "flow/buffered/encoding.h"
#include "flow/buffered/reader.h"
#include "flow/buffered/writer.h"
#include "flow/cancel.h"
#include "flow/endpoint.h"
#include "flow/executor.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/layers/counting.h"
#include "flow/layers/fault.h"
#include "flow/layers/limit.h"
#include "flow/layers/logging.h"
#include "flow/layers/tee.h"
#include "flow/layers/throttle.h"
#include "flow/net/activation.h"
#include "flow/net/address.h"
#include "flow/net/dial.h"
#include "flow/net/fd_passing.h"
#include "flow/net/listener.h"
#include "flow/net/open.h"
#include "flow/net/peer_credentials.h"
#include "flow/net/pty.h"
#include "flow/net/schemes.h"
#include "flow/net/serve_options.h"
#include "flow/net/socket_options.h"
#include "flow/net/subprocess.h"
#include "flow/or_eof.h"
#include "flow/registry/flow_registry.h"
#include "flow/registry/prometheus.h"
#include "flow/relay/relay_options.h"
#include "flow/signal.h"
#include "flow/status.h"
#include "flow/sys/errno_table.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/call_set.h"
#include "flow/testing/call_trace.h"
#include "flow/testing/fault_options.h"
#include "flow/testing/intercepting_syscalls.h"
#include "flow/testing/memory_pair.h"
#include "flow/testing/scripted_syscalls.h"
#include "flow/thread_pool.h"
#include "flow/tls/tls.h"
#include "flow/tls/tls_options.h"
#include "flow/transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// What absl::StrCat and its like make of it, from the LTS of 2023 on.
struct Sink {
  void Append(absl::string_view words) { text.append(words); }
  std::string text;
};

// As both say it.
template <typename T>
std::string Told(const T& value) {
  std::ostringstream os;
  os << value;
  Sink sink;
  AbslStringify(sink, value);
  EXPECT_EQ(sink.text, os.str());
  return os.str();
}

TEST(PrintingTest, Enums) {
  EXPECT_EQ(Told(Endian::kLittle), "little-endian");
  EXPECT_EQ(Told(LengthPrefix::kU16Big), "u16 big-endian");
  EXPECT_EQ(Told(BeyondLimit::kFail), "fail");
  EXPECT_EQ(Told(LogFormat::kHexdump), "hexdump");
  EXPECT_EQ(Told(SinkFailure::kDrop), "drop");
  EXPECT_EQ(Told(OptionValue::kChoice), "choice");
  EXPECT_EQ(Told(ChildStream::kNull), "null");
  EXPECT_EQ(Told(TlsClientCertificate::kOptional), "optional");
  EXPECT_EQ(Told(ErrorScope::kDirection), "direction");
  EXPECT_EQ(Told(static_cast<Endian>(99)), "unknown");
}

TEST(PrintingTest, ValuesOfTheContract) {
  EXPECT_EQ(Told(Eof{}), "Eof");
  EXPECT_EQ(Told(UniqueFd()), "no fd");
  EXPECT_EQ(Told(CancelSource()), Told(CancelSource().token()));
  EXPECT_EQ(Told(Wait()), "for ever");
  Signal signal;
  Wait wait = Wait::ForFd(5, 1);
  wait.signal = &signal;
  EXPECT_EQ(Told(wait), "fd 5, events 1; a signal");
  EXPECT_EQ(Told(Attempt::Transferred(12)), "12 transferred");
  EXPECT_EQ(Told(Attempt::Eof()), "Eof");
  EXPECT_EQ(Told(Attempt::WouldBlock(Wait())), "would block: for ever");
  EXPECT_EQ(Told(Attempt::Failed(104)), "reset [104]");
  ErrorDetail detail = {ErrorKind::kReset, 104, "write", "a", "b", 12};
  EXPECT_EQ(Told(detail), "reset, errno 104, write, a -> b, 12 B done");
}

TEST(PrintingTest, ValuesOfLayers) {
  EXPECT_EQ(Told(DirectionCounts{12, 3, 1, 1, 0}),
            "12 B in 3 steps, 1 waits, 1 ends, 0 failures");
  ByteLimits limits;
  limits.read.bytes = 100;
  EXPECT_EQ(Told(limits), "read: 100 B, then end; write: no limit");
  ThrottleOptions slow;
  slow.read = {1000, 20};
  EXPECT_EQ(Told(slow), "read: 1000 B/s, burst 20 B; write: no limit");
  FaultPlan plan;
  plan.read.delay = absl::Milliseconds(40);
  plan.read.max_step = 7;
  plan.read.reset_at = 1000;
  EXPECT_EQ(Told(plan),
            "seed 1; read: delay 40ms, steps of at most 7 B, reset at 1000; "
            "write: none");
  EXPECT_EQ(Told(CopyProgress{12, 34, absl::Seconds(2)}),
            "12 B, 34 B back in 2s");
}

TEST(PrintingTest, ValuesOfTheNetwork) {
  EXPECT_EQ(Told(Credentials{12, 1, 2}), "pid 12, uid 1, gid 2");
  EXPECT_EQ(Told(WindowSize()), "24 x 80");
  EXPECT_EQ(Told(Keepalive{true, absl::Seconds(60)}), "on, after 1m");
  EXPECT_EQ(Told(BindAddress{"10.0.0.1", 80}), "10.0.0.1 port 80");
  EXPECT_EQ(Told(AddressOption{"backlog", "5"}), "backlog=5");
  EXPECT_EQ(Told(ReceivedFds()), "0 B with 0 fds");
  EXPECT_EQ(Told(Pty()), "master: no flow; slave: no fd");
  EXPECT_EQ(Told(OpenedListener()), "");
  EXPECT_EQ(Told(Subprocess()), "no process");
}

TEST(PrintingTest, Handles) {
  EXPECT_EQ(Told(FrameFormat()), "length varint, at most 1048576 B");
  auto [a, b] = flow_testing::MemoryPair();
  FlowRegistry registry;
  registry.Add(a);
  EXPECT_THAT(Told(registry.Snapshot()), StartsWith("1 flow is open\n"));
  std::ostringstream os;
  os << registry;  // tells the age anew each time
  EXPECT_THAT(os.str(), StartsWith("1 flow is open\n"));
  EXPECT_THAT(Told(Reader(std::move(a))),
              StartsWith("reader, 0 B buffered, of flow memory a"));
  const Writer writer(std::move(b));
  EXPECT_THAT(Told(writer.stats()), StartsWith("0 B taken, "));
  EXPECT_THAT(Told(writer), HasSubstr(", of flow memory b"));
  EXPECT_THAT(Told(Channel(Flow())), StartsWith("channel of no flow"));
  EXPECT_EQ(Told(ThreadPool(1)), Told(ThreadPool(1).GetStats()));
}

// "field=value" of what is not as by default: who looks at options in a log
// wants to know what somebody has changed.
TEST(PrintingTest, OptionsTellWhatDiffersFromTheDefaults) {
  EXPECT_EQ(Told(ListenOptions()), "defaults");
  NetOptions net;
  net.attempt_delay = absl::Seconds(1);
  net.socket.nodelay = false;
  EXPECT_EQ(Told(net), "socket=(nodelay=no), attempt_delay=1s");
  OpenOptions open;
  open.net = net;
  open.listen.backlog = 5;
  EXPECT_EQ(Told(open),
            "net=(socket=(nodelay=no), attempt_delay=1s), listen=(backlog=5)");
  ActivationOptions activation;
  activation.sys = Syscalls::Real();
  activation.unset_environment = true;
  EXPECT_EQ(Told(activation), "sys=given, unset_environment=yes");
  FdOptions fd;
  fd.local = Endpoint::Named("here");
  fd.adaptive.spins = false;
  EXPECT_EQ(Told(fd), "adaptive=(spins=no), local=here");
  PtyOptions pty;
  pty.size.rows = 50;
  EXPECT_EQ(Told(pty), "size=50 x 80");
  ServeOptions serve;
  serve.max_connections = 10;
  serve.stop = CancelSource().token();
  serve.on_failure = [](const Endpoint&, const absl::Status&) {};
  EXPECT_EQ(Told(serve),
            "max_connections=10, stop=(not cancelled), on_failure=given");
  CopyOptions copy;
  copy.method = CopyMethod::kSplice;
  copy.limits.stall_timeout = absl::Seconds(2);
  EXPECT_EQ(Told(copy),
            "limits=(deadline never, stall_timeout 2s, never cancelled), "
            "method=splice");
  RelayOptions relay;
  relay.policy = RelayPolicy::kFailFast;
  EXPECT_EQ(Told(relay), "policy=fail fast");
  LogOptions log;
  log.name = "a\nb";  // can't forge a line
  EXPECT_EQ(Told(log), "name=\"a\\nb\"");
  EXPECT_EQ(Told(ReaderOptions{4096}), "read_ahead=4096");
  EXPECT_EQ(Told(WriterOptions{4096}), "buffer_size=4096");
  PrometheusOptions prometheus;
  prometheus.each_flow = true;
  EXPECT_EQ(Told(prometheus), "each_flow=yes");
  ThreadPoolOptions pool;
  pool.threads = 3;
  EXPECT_EQ(Told(pool), "threads=3");
  EXPECT_EQ(Told(TeeOptions()),
            "read to no flow, written to no flow, on failure fail");
}

// Keys, and what a program is told in its environment, are secrets.
TEST(PrintingTest, SecretsAreNotTold) {
  SpawnOptions spawn;
  spawn.environment = {{"PASSWORD=secret"}};
  spawn.pass = {{7, 3}};
  EXPECT_EQ(Told(spawn), "pass=1 descriptors, environment=(1 variables)");
  TlsServerOptions server;
  server.identities = {{{"chain.pem", ""}, {"", "secret"}}};
  server.min_version = TlsVersion::kTls13;
  EXPECT_EQ(Told(server),
            "min_version=TLS 1.3, identities=(chain: file chain.pem; key: 6 B "
            "in memory)");
  TlsClientOptions client;
  client.roots.file = "ca.pem";
  EXPECT_EQ(Told(client), "roots=(file ca.pem)");
  EXPECT_EQ(Told(TlsCommonOptions()), "defaults");
  EXPECT_EQ(Told(TlsPem()), "none");
}

TEST(PrintingTest, KindsAndWhatTheyAreOf) {
  EXPECT_EQ(Told(RawEnd()), "none");
  EXPECT_EQ(Told(RawEnd{RawEnd::Kind::kTcp, 5}), "tcp fd 5");
  EXPECT_EQ(Told(Attempt::Kind::kWouldBlock), "would block");
  EXPECT_EQ(Told(Endpoint::Kind::kTcp6), "tcp6");
  EXPECT_EQ(Told(Address::Scheme::kUnixListen), "unix-listen");
  EXPECT_EQ(Told(Scheme::Target::kHostPort), "HOST:PORT");
  EXPECT_EQ(Told(SysCall::kPtyRead), "pty read");
  EXPECT_EQ(Told(Treatment::kShortage), "shortage");
  EXPECT_EQ(Told(MeaningOf(ECONNRESET)), "UNAVAILABLE, reset, ends the flow");
}

TEST(PrintingTest, SchemesTellTheirNames) {
  EXPECT_EQ(Told(Schemes()), "none");
  Scheme scheme;
  scheme.name = "twice";
  scheme.options = {{"level", OptionValue::kChoice, {"1", "2"}}, {"note"}};
  EXPECT_EQ(Told(scheme), "twice:HOST:PORT, options level=1|2, note=text");
  scheme.open = [](const Address&, const Limits&, const OpenOptions&) {
    return Flow();
  };
  Schemes schemes;
  ASSERT_TRUE(schemes.Add(scheme).ok());
  EXPECT_EQ(Told(schemes), "twice");
}

TEST(PrintingTest, WhereCallbacksRun) {
  EXPECT_EQ(Told(InlineExecutor()), "inline executor, 0 exceptions");
  const FunctionExecutor mine([](const Executor::Task&) {});
  EXPECT_EQ(Told<Executor>(mine), "function executor, 0 exceptions");
  EXPECT_EQ(Told(*mine.exceptions()), "0 exceptions");
  const ThreadPool pool(1);
  EXPECT_EQ(Told<Executor>(pool), pool.ToString());
  EXPECT_EQ(Told(AsyncContext()), "context, 0 operations under way");
}

TEST(PrintingTest, SharedThings) {
  EXPECT_EQ(Told(FlowCounters()), Told(FlowCounts()));
  EXPECT_EQ(Told(LogSink([](absl::string_view) {})),
            "log sink, 0 lines dropped");
  const absl::StatusOr<TlsClient> client = TlsClient::Create();
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(Told(*client), "TLS client, 0 sessions");
}

TEST(PrintingTest, WhatTestsAreWrittenWith) {
  using flow_testing::Call;
  EXPECT_EQ(Told(flow_testing::MemoryPairOptions()), "defaults");
  EXPECT_EQ(Told(flow_testing::CallSet{Call::kSend, Call::kPoll}), "send|poll");
  EXPECT_EQ(Told(flow_testing::NthFault{12, EPIPE, 1, {Call::kSend}}),
            "12 EPIPE x1 send");
  EXPECT_EQ(Told(flow_testing::CallTrace()), "");
  flow_testing::Request request;
  request.call = Call::kRecv;
  request.fd = 5;
  EXPECT_EQ(Told(request), "recv(fd 5, 0 B)");
  using flow_testing::script::Err;
  EXPECT_EQ(Told(flow_testing::script::Recv(Err(ECONNRESET)).Times(2)),
            "recv = ECONNRESET, 2 times");
}

}  // namespace
}  // namespace flow
