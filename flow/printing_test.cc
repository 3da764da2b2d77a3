// Every public value and handle prints, by << and by AbslStringify alike
// (options are plain structs, whose fields a debugger shows).

#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/buffered/channel.h"
#include "flow/buffered/encoding.h"
#include "flow/buffered/reader.h"
#include "flow/buffered/writer.h"
#include "flow/cancel.h"
#include "flow/flow.h"
#include "flow/layers/counting.h"
#include "flow/layers/fault.h"
#include "flow/layers/limit.h"
#include "flow/layers/logging.h"
#include "flow/layers/tee.h"
#include "flow/layers/throttle.h"
#include "flow/net/address.h"
#include "flow/net/fd_passing.h"
#include "flow/net/open.h"
#include "flow/net/peer_credentials.h"
#include "flow/net/pty.h"
#include "flow/net/schemes.h"
#include "flow/net/socket_options.h"
#include "flow/net/subprocess.h"
#include "flow/or_eof.h"
#include "flow/registry/flow_registry.h"
#include "flow/relay/relay_options.h"
#include "flow/signal.h"
#include "flow/status.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/memory_pair.h"
#include "flow/thread_pool.h"
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

}  // namespace
}  // namespace flow
