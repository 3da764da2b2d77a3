// Connections are cut on time, whatever their handlers do, while others are
// served (P3, P4, P11).

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/serve.h"
#include "flow/net/serve_test_support.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using absl::StatusCode;
using flow::CancelToken;
using flow::ErrorKind;
using flow::Flow;
using flow::MonoTime;
using flow::ServeOptions;
using flow::Server;
using flow::ServerConnection;
using testing::Not;

// A request is a line; the handler knows nothing of limits.
absl::Status AnswerALine(Flow& f, const CancelToken&) {
  std::string line;
  while (line.find('\n') == std::string::npos) {
    auto got = f.Read();
    if (!got.ok()) return got.status();
    if (got->is_eof()) return absl::OkStatus();
    line += std::string(got->data().view());
  }
  return f.Write(line);
}

// Who sends a byte now and then, and never a whole line.
struct Dawdler {
  MonoTime begin;
  Flow flow;
  bool gone = false;
  absl::Duration lasted;
};

absl::Duration Median(std::vector<absl::Duration> times) {
  const auto middle =
      times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

// How long each of ten new clients takes, from its Dial to its answer.
std::vector<absl::Duration> ServeTen(const Server& server) {
  std::vector<absl::Duration> times;
  for (int i = 0; i < 10; ++i) {
    const MonoTime begin = MonoTime::Now();
    Flow client = MustDial(server);
    ExpectEcho(client, "a line\n");
    times.push_back(MonoTime::Now() - begin);
  }
  return times;
}

// Until all are gone, none of them before `allowed` is over.
void Dribble(std::vector<Dawdler>& dawdlers, absl::Duration allowed) {
  for (size_t left = dawdlers.size(); left > 0;) {
    for (Dawdler& dawdler : dawdlers) {
      if (dawdler.gone || dawdler.flow.Write("x").ok()) continue;
      dawdler.gone = true;
      --left;
      dawdler.lasted = MonoTime::Now() - dawdler.begin;
      EXPECT_GE(dawdler.lasted, allowed);
    }
    absl::Notification().WaitForNotificationWithTimeout(absl::Milliseconds(50));
  }
}

// "Slowloris clients are cut on time while new clients are served within
// 100 ms": a hundred that send a byte now and then, never a whole line.
TEST(ServeLimitsTest, SlowClientsAreCutOnTimeAndNewOnesServedMeanwhile) {
  static constexpr absl::Duration kTotal = absl::Milliseconds(1500);
  ServeOptions options;
  options.total_limit = kTotal;
  Server server = MustServe(AnswerALine, options);
  // What else the machine does slows these down, too.
  const absl::Duration alone = Median(ServeTen(server));
  std::vector<Dawdler> slow(100);
  for (Dawdler& dawdler : slow) {
    dawdler.begin = MonoTime::Now();
    dawdler.flow = MustDial(server);
  }
  std::thread dribbling([&slow] { Dribble(slow, kTotal); });
  Await([&] { return server.GetStats().accepted == 110; });
  EXPECT_LE(Median(ServeTen(server)), absl::Milliseconds(100) + 2 * alone);
  dribbling.join();
  std::vector<absl::Duration> lasted;
  for (const Dawdler& dawdler : slow) lasted.push_back(dawdler.lasted);
  // Each is looked at every 50 ms, and sees the cut at the second look.
  EXPECT_LE(Median(std::move(lasted)), kTotal + absl::Seconds(1));
  Await([&] { return server.GetStats().active == 0; });
  const flow::ServeStats stats = server.GetStats();
  EXPECT_EQ(stats.cut_total, 100u) << stats;
  EXPECT_EQ(stats.completed, 20u) << stats;
}

// The same without a clock: as long as the slow ones last, which is for ever,
// each of the others is served, and none of the slow ones is cut for it.
TEST(ServeLimitsTest, EachNewClientIsServedBesideAHundredSlowOnes) {
  ServeOptions options;
  options.total_limit = absl::Hours(1);
  options.idle_limit = absl::Hours(1);
  Server server = MustServe(AnswerALine, options);
  std::vector<Flow> slow;
  for (int i = 0; i < 100; ++i) {
    slow.push_back(MustDial(server));
    ASSERT_THAT(slow.back().Write("half a li"), IsOk());
  }
  Await([&] { return server.GetStats().active == 100; });
  ServeTen(server);
  Await([&] { return server.GetStats().completed == 10; });
  EXPECT_EQ(server.GetStats().active, 100);
  for (Flow& dawdler : slow) {
    ASSERT_THAT(dawdler.Write("ne\n"), IsOk());
    EXPECT_THAT(dawdler.Read(), IsData("half a line\n"));
  }
}

TEST(ServeLimitsTest, IdleConnectionIsCutAndABusyOneIsNot) {
  absl::Notification cut;
  ServeOptions options;
  options.idle_limit = absl::Milliseconds(1500);
  options.on_failure = [&](const flow::Endpoint&, const absl::Status& why) {
    if (cut.HasBeenNotified()) return;  // the other, as the test ends
    EXPECT_THAT(why, StatusIs(StatusCode::kDeadlineExceeded,
                              testing::HasSubstr("idle for 1.5s")));
    cut.Notify();
  };
  Server server = MustServe(Echo, options);
  Flow busy = MustDial(server);
  ExpectEcho(busy, "x");
  const MonoTime begin = MonoTime::Now();
  Flow idle = MustDial(server);
  while (!cut.HasBeenNotified()) ExpectEcho(busy, "x");
  EXPECT_GE(MonoTime::Now() - begin, options.idle_limit);
  EXPECT_THAT(idle.Read(), IsKind(ErrorKind::kReset));
  ExpectEcho(busy, "still here");
  EXPECT_EQ(server.GetStats().cut_idle, 1u);
}

// "The token fires, so that calls with it end": and there is time to say so.
TEST(ServeLimitsTest, HandlerThatLooksAtItsTokenCanSayGoodBye) {
  for (const bool idle : {false, true}) {
    ServeOptions options;
    (idle ? options.idle_limit : options.total_limit) = absl::Milliseconds(100);
    options.cut_grace = absl::Seconds(30);
    Server server = MustServe(
        [](Flow& f, const CancelToken& cut) -> absl::Status {
          EXPECT_THAT(f.Read(cut), StatusIs(StatusCode::kDeadlineExceeded));
          return f.Write("408\n");
        },
        options);
    Flow client = MustDial(server);
    EXPECT_THAT(ReadToEnd(client), IsOkAndHolds("408\n"));
    EXPECT_THAT(client.Close(), IsOk());
    Await([&] { return server.GetStats().active == 0; });
    EXPECT_EQ(Ended(server.GetStats()), 1u);
    EXPECT_EQ(server.GetStats().completed, 0u);
  }
}

TEST(ServeLimitsTest, HandlerThatIsStuckInAWriteIsCut) {
  ServeOptions options;
  options.idle_limit = absl::Milliseconds(200);
  Server server = MustServe(
      [](Flow& f, const CancelToken&) {
        absl::Status status;
        while (status.ok()) status = f.Write(std::string(1 << 20, 'x'));
        return status;
      },
      options);
  Flow client = MustDial(server);  // never reads
  Await([&] { return server.GetStats().cut_idle == 1; });
  EXPECT_THAT(ReadToEnd(client), Not(IsOk()));
}

TEST(ServeLimitsTest, LayerThatTheHandlerGaveBackIsCutToo) {
  absl::StatusOr<std::pair<Flow, Flow>> pair = flow::SocketPair();
  ASSERT_THAT(pair, IsOk());
  ServeOptions options;
  options.idle_limit = absl::Milliseconds(100);
  Server server = MustServe(
      [&pair](ServerConnection& c) -> absl::Status {
        c.Replace(std::move(pair->first));
        return c.flow().Read().status();
      },
      options);
  Flow client = MustDial(server);
  Await([&] { return server.GetStats().cut_idle == 1; });
}

// How often it slept, and was woken by nothing but the time.
class CountingPolls : public flow::Syscalls {
 public:
  int Poll(pollfd* fds, nfds_t count, int timeout_ms) override {
    ++polls;
    return Syscalls::Poll(fds, count, timeout_ms);
  }
  std::atomic<int> polls{0};
};

// P4: who keeps the limits of a hundred connections does not spin.
TEST(ServeLimitsTest, KeepingLimitsTakesFewSystemCalls) {
  CountingPolls sys;
  ServeOptions options;
  options.idle_limit = absl::Milliseconds(600);
  options.total_limit = absl::Milliseconds(1000);
  options.sys = &sys;
  Server server = MustServe(
      [](Flow& f, const CancelToken&) { return f.Read().status(); }, options);
  const MonoTime begin = MonoTime::Now();
  std::vector<Flow> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(MustDial(server));
  Await([&] { return Ended(server.GetStats()) == 100; });
  const double seconds = absl::ToDoubleSeconds(MonoTime::Now() - begin);
  // At most 50 a second for limits. (The flows have another Syscalls.) Each
  // connection that ends may wake the thread that accepts.
  EXPECT_LE(sys.polls, 50 * seconds + 20 + 2 * 100);
}

}  // namespace
}  // namespace flow_testing
