// tls_echo_server ADDRESS CHAIN.pem KEY.pem: sends back what it is sent, over
// TLS.
//
//   tls_echo_server tcp:127.0.0.1:7777 chain.pem key.pem
//
// The purpose: handshakes belong to the connection's thread, so that a client
// that is silent or speaks no TLS keeps nobody waiting.

#include <iostream>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/net/listener.h"
#include "flow/tls/tls.h"

namespace {

// Until the client's end, which is then ours.
absl::Status Echo(flow::Flow below, const flow::TlsServer& server) {
  absl::StatusOr<flow::TlsFlow> tls =
      flow::TlsAccept(std::move(below), server, absl::Seconds(5));
  if (!tls.ok()) return tls.status();
  std::cerr << tls->facts << std::endl;
  for (;;) {
    absl::StatusOr<flow::OrEof<flow::Buffer>> got = tls->flow.Read();
    if (!got.ok()) return got.status();
    if (got->is_eof()) return tls->flow.Shutdown(flow::ShutdownMode::kWrite);
    absl::Status sent = tls->flow.Write(got->data().view());
    if (!sent.ok()) return sent;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: tls_echo_server ADDRESS CHAIN KEY" << std::endl;
    return 2;
  }
  flow::TlsServerOptions options;
  options.identities = {{{argv[2], ""}, {argv[3], ""}}};
  absl::StatusOr<flow::TlsServer> server = flow::TlsServer::Create(options);
  absl::StatusOr<flow::Listener> listener = flow::Listen(argv[1]);
  if (!server.ok() || !listener.ok()) {
    std::cerr << (server.ok() ? listener.status() : server.status()) << "\n";
    return 1;
  }
  std::cout << "listening on " << listener->address() << std::endl;
  for (;;) {
    absl::StatusOr<flow::Flow> f = listener->Accept();
    if (!f.ok()) {
      std::cerr << f.status() << std::endl;
      return 1;
    }
    std::thread([server = *server, f = *std::move(f)]() mutable {
      const absl::Status status = Echo(std::move(f), server);
      if (!status.ok()) std::cerr << status << std::endl;
    }).detach();
  }
}
