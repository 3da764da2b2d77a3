#include "flow/tls/tls_test_support.h"

#include <sys/socket.h>

#include <thread>

#include "flow/net/dial.h"
#include "flow/net/listener.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/memory_pair.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

// The kernel grows a TCP buffer as it likes, and takes single bytes where more
// don't fit: a small one is soon full for both.
void KeepSmall(const flow::Flow& flow) {
  const int size = 32 << 10;
  for (const int buffer : {SO_SNDBUF, SO_RCVBUF}) {
    EXPECT_EQ(
        flow::Syscalls::Real()->Setsockopt(flow.native_handle(), SOL_SOCKET,
                                           buffer, &size, sizeof(size)),
        0);
  }
}

}  // namespace

const TestCa& SharedCa() {
  static const TestCa* const ca = new TestCa();
  return *ca;
}

const TestIdentity& SharedIdentity() {
  static const TestIdentity* const identity =
      new TestIdentity(SharedCa().Issue({"localhost", "127.0.0.1"}));
  return *identity;
}

flow::TlsClientOptions GoodClient() {
  flow::TlsClientOptions options;
  options.roots.text = SharedCa().pem();
  return options;
}

flow::TlsServerOptions GoodServer() {
  flow::TlsServerOptions options;
  options.identities = {SharedIdentity().AsOption()};
  return options;
}

TlsPair HandshakeOver(std::pair<flow::Flow, flow::Flow> below,
                      const flow::TlsClient& client,
                      const flow::TlsServer& server, const std::string& name,
                      const flow::Limits& limits) {
  absl::StatusOr<flow::TlsFlow> accepted = absl::UnknownError("not run");
  std::thread accepting([&, flow = std::move(below.second)]() mutable {
    accepted = flow::TlsAccept(std::move(flow), server, limits);
  });
  absl::StatusOr<flow::TlsFlow> connected =
      flow::TlsConnect(std::move(below.first), client, name, limits);
  accepting.join();
  return {std::move(connected), std::move(accepted)};
}

TlsPair HandshakeWith(const flow::TlsClientOptions& client,
                      const flow::TlsServerOptions& server,
                      const std::string& name) {
  absl::StatusOr<flow::TlsClient> c = flow::TlsClient::Create(client);
  absl::StatusOr<flow::TlsServer> s = flow::TlsServer::Create(server);
  if (!c.ok() || !s.ok()) return {c.status(), s.status()};
  return HandshakeOver(MemoryPair(), *c, *s, name);
}

absl::StatusOr<std::pair<flow::Flow, flow::Flow>> TcpPair() {
  absl::StatusOr<flow::Listener> listener = flow::Listen("tcp:127.0.0.1:0");
  if (!listener.ok()) return listener.status();
  absl::StatusOr<flow::Flow> client =
      flow::Dial(listener->address(), absl::Seconds(10));
  if (!client.ok()) return client.status();
  absl::StatusOr<flow::Flow> server = listener->Accept(absl::Seconds(10));
  if (!server.ok()) return server.status();
  KeepSmall(*client);
  KeepSmall(*server);
  return std::make_pair(*std::move(client), *std::move(server));
}

absl::StatusOr<std::pair<flow::Flow, flow::Flow>> UnderTls(
    std::pair<flow::Flow, flow::Flow> below, flow::TlsVersion max_version,
    uint64_t rekey_after_records) {
  flow::TlsClientOptions client_options = GoodClient();
  client_options.max_version = max_version;
  client_options.rekey_after_records = rekey_after_records;
  absl::StatusOr<flow::TlsClient> client =
      flow::TlsClient::Create(client_options);
  if (!client.ok()) return client.status();
  flow::TlsServerOptions server_options = GoodServer();
  server_options.rekey_after_records = rekey_after_records;
  absl::StatusOr<flow::TlsServer> server =
      flow::TlsServer::Create(server_options);
  if (!server.ok()) return server.status();
  TlsPair pair = HandshakeOver(std::move(below), *client, *server);
  if (!pair.first.ok()) return pair.first.status();
  if (!pair.second.ok()) return pair.second.status();
  return std::make_pair(std::move(pair.first->flow),
                        std::move(pair.second->flow));
}

}  // namespace flow_testing
