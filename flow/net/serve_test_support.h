// What the tests of servers share: a server on loopback, an echo, and waiting
// for what a server counts.

#ifndef FLOW_NET_SERVE_TEST_SUPPORT_H_
#define FLOW_NET_SERVE_TEST_SUPPORT_H_

#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "flow/cancel.h"
#include "flow/flow.h"
#include "flow/net/dial.h"
#include "flow/net/listener.h"
#include "flow/net/serve.h"
#include "flow/sys/mono_time.h"
#include "flow/testing/matchers.h"
#include "gtest/gtest.h"

namespace flow_testing {

inline flow::Listener Loopback(const flow::ListenOptions& options = {}) {
  absl::StatusOr<flow::Listener> listener =
      flow::Listen("tcp:127.0.0.1:0", options);
  EXPECT_THAT(listener, IsOk());
  return listener.ok() ? *std::move(listener) : flow::Listener();
}

template <typename Handler>
flow::Server MustServe(Handler handler, flow::ServeOptions options = {},
                       flow::Listener listener = Loopback()) {
  absl::StatusOr<flow::Server> server = flow::Server::Start(
      std::move(listener), std::move(handler), std::move(options));
  EXPECT_THAT(server, IsOk());
  return server.ok() ? *std::move(server) : flow::Server();
}

inline flow::Flow MustDial(const flow::Server& server) {
  absl::StatusOr<flow::Flow> f = flow::Dial(server.address());
  EXPECT_THAT(f, IsOk());
  return f.ok() ? *std::move(f) : flow::Flow();
}

// Up to the client's end. The token is left to those tests that are about it.
inline absl::Status Echo(flow::Flow& f, const flow::CancelToken& cut) {
  static_cast<void>(cut);
  for (;;) {
    absl::StatusOr<flow::OrEof<flow::Buffer>> got = f.Read();
    if (!got.ok()) return got.status();
    if (got->is_eof()) return absl::OkStatus();
    absl::Status sent = f.Write(got->data().view());
    if (!sent.ok()) return sent;
  }
}

// Everything up to the end of the stream, or its failure.
inline absl::StatusOr<std::string> ReadToEnd(flow::Flow& f) {
  std::string all;
  for (;;) {
    absl::StatusOr<flow::OrEof<flow::Buffer>> got = f.Read();
    if (!got.ok()) return got.status();
    if (got->is_eof()) return all;
    all += std::string(got->data().view());
  }
}

// One request and its answer.
inline void ExpectEcho(flow::Flow& f, absl::string_view text) {
  ASSERT_THAT(f.Write(text), IsOk());
  std::string got(text.size(), '\0');
  size_t have = 0;
  while (have < got.size()) {
    const auto n = f.ReadInto({&got[have], got.size() - have});
    ASSERT_THAT(n, IsData());
    have += n->data();
  }
  EXPECT_EQ(got, text);
}

// Until `holds`; a minute is never.
inline void Await(absl::FunctionRef<bool()> holds) {
  const flow::MonoTime never = flow::MonoTime::In(absl::Minutes(1));
  while (!holds()) {
    ASSERT_LT(flow::MonoTime::Now(), never) << "nothing came of it";
    absl::Notification().WaitForNotificationWithTimeout(absl::Milliseconds(1));
  }
}

// Each connection that ended did so in one way.
inline uint64_t Ended(const flow::ServeStats& stats) {
  return stats.completed + stats.failed + stats.threw + stats.cut_total +
         stats.cut_idle + stats.cut_drain;
}

}  // namespace flow_testing

#endif  // FLOW_NET_SERVE_TEST_SUPPORT_H_
