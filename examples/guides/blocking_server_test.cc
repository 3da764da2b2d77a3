// What blocking-server.md shows.

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/net/dial.h"
#include "flow/net/serve.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

absl::Status Echo(flow::Flow& client, const flow::CancelToken& cut) {
  for (;;) {
    absl::StatusOr<flow::OrEof<flow::Buffer>> got = client.Read(cut);
    if (!got.ok()) return got.status();          // the client's failure only
    if (got->is_eof()) return absl::OkStatus();  // Serve ends our side too
    absl::Status sent = client.Write(got->data().view(), cut);
    if (!sent.ok()) return sent;
  }
}

absl::StatusOr<flow::Server> StartServer(absl::string_view address) {
  absl::StatusOr<flow::Listener> listener = flow::Listen(address);
  if (!listener.ok()) return listener.status();
  flow::ServeOptions options;
  options.max_connections = 100;
  options.idle_limit = absl::Minutes(1);
  options.end_reads_at_stop = true;
  return flow::Server::Start(*std::move(listener), Echo, std::move(options));
}

TEST(BlockingServerGuide, EchoesAndStopsInOrder) {
  absl::StatusOr<flow::Server> server = StartServer("tcp:127.0.0.1:0");
  ASSERT_THAT(server, flow_testing::IsOk());
  const flow::Limits limits = absl::Seconds(30);
  absl::StatusOr<flow::Flow> client = flow::Dial(server->address(), limits);
  ASSERT_THAT(client, flow_testing::IsOk());
  ASSERT_THAT(client->Write("hello", limits), flow_testing::IsOk());
  ASSERT_THAT(client->Shutdown(flow::ShutdownMode::kWrite),
              flow_testing::IsOk());
  EXPECT_THAT(client->Read(limits), flow_testing::IsData("hello"));
  EXPECT_THAT(client->Read(limits), flow_testing::IsEof());
  EXPECT_THAT(server->Stop(absl::Seconds(30)), flow_testing::IsOk());
}

}  // namespace
