// tls_echo_server ADDRESS CHAIN.pem KEY.pem: sends back what it is sent, over
// TLS.
//
//   tls_echo_server tcp:127.0.0.1:7777 chain.pem key.pem
//
// The purpose: handshakes belong to the connection's thread, so that a client
// that is silent or speaks no TLS keeps nobody waiting. The handler has a flow
// like any other, and all limits hold for it.

#include <iostream>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/net/listener.h"
#include "flow/net/serve.h"
#include "flow/sys/mono_time.h"
#include "flow/tls/tls.h"

namespace {

absl::StatusOr<flow::Flow> Handshake(flow::Flow below,
                                     const flow::TlsServer& server,
                                     const flow::Limits& limits) {
  absl::StatusOr<flow::TlsFlow> tls =
      flow::TlsAccept(std::move(below), server,
                      limits.Within(flow::MonoTime::In(absl::Seconds(5))));
  if (!tls.ok()) return tls.status();
  std::cerr << tls->facts << std::endl;
  return std::move(tls->flow);
}

// Until the client's end, which Serve answers with ours.
absl::Status Echo(flow::Flow& f, const flow::CancelToken& cut) {
  for (;;) {
    absl::StatusOr<flow::OrEof<flow::Buffer>> got = f.Read(cut);
    if (!got.ok()) return got.status();
    if (got->is_eof()) return absl::OkStatus();
    absl::Status sent = f.Write(got->data().view(), cut);
    if (!sent.ok()) return sent;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: tls_echo_server ADDRESS CHAIN KEY" << std::endl;
    return 2;
  }
  flow::TlsServerOptions identity;
  identity.identities = {{{argv[2], ""}, {argv[3], ""}}};
  absl::StatusOr<flow::TlsServer> tls = flow::TlsServer::Create(identity);
  absl::StatusOr<flow::Listener> listener = flow::Listen(argv[1]);
  if (!tls.ok() || !listener.ok()) {
    std::cerr << (tls.ok() ? listener.status() : tls.status()) << "\n";
    return 1;
  }
  std::cout << "listening on " << listener->address() << std::endl;
  flow::ServeOptions options;
  options.prepare = [&tls](flow::Flow below, const flow::Limits& limits) {
    return Handshake(std::move(below), *tls, limits);
  };
  options.on_failure = [](const flow::Endpoint&, const absl::Status& why) {
    std::cerr << why << std::endl;
  };
  std::cerr << flow::Serve(*std::move(listener), Echo, options) << std::endl;
  return 1;
}
