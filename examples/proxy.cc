// proxy ADDRESS UPSTREAM [METHOD]: a client's bytes to the upstream and back.
//
//   proxy tcp:127.0.0.1:7777 tcp:localhost:5432
//   proxy unix:/tmp/front tcp:localhost:80 splice
//
// The purpose: any number of relays without a thread for each. A half-close
// goes through as one, a reset as a reset; what became of each connection is
// one line, with how its bytes were moved. An idle one ends after 10 minutes.

#include <future>
#include <iostream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/async_flow.h"
#include "flow/net/async_dial.h"
#include "flow/net/async_listener.h"
#include "flow/relay/async_relay.h"

struct Proxy {
  void AcceptNext() {
    listener.Accept({}, [this](absl::StatusOr<flow::AsyncFlow> client) {
      if (!client.ok()) return closed.set_value(client.status());
      flow::AsyncDial(upstream, context, absl::Seconds(10),
                      [this, client = *std::move(client)](
                          absl::StatusOr<flow::AsyncFlow> server) mutable {
                        if (!server.ok()) {
                          std::cerr << server.status() << std::endl;
                          client.Abort();  // not a clean end
                          return;
                        }
                        flow::AsyncRelay(std::move(client), *std::move(server),
                                         options,
                                         [](const flow::RelayResult& result) {
                                           std::cerr << result << " (by "
                                                     << result.b_to_a.method
                                                     << ")" << std::endl;
                                         });
                      });
      AcceptNext();
    });
  }
  flow::AsyncContext context;  // whose thread does it all
  flow::AsyncListener listener;
  std::string upstream;
  flow::RelayOptions options;
  std::promise<absl::Status> closed;
};

int main(int argc, char** argv) {
  if (argc < 3) return (std::cerr << "usage: proxy ADDRESS UPSTREAM\n", 2);
  Proxy proxy;
  proxy.upstream = argv[2];
  proxy.options.limits.stall_timeout = absl::Minutes(10);
  const std::string method = argc > 3 ? argv[3] : "auto";
  if (method == "splice") proxy.options.method = flow::CopyMethod::kSplice;
  if (method == "buffered") proxy.options.method = flow::CopyMethod::kBuffered;
  auto listener = flow::Listen(argv[1]);
  if (!listener.ok()) return (std::cerr << listener.status() << "\n", 1);
  proxy.listener =
      *flow::AsyncListener::From(*std::move(listener), proxy.context);
  std::cout << "listening on " << proxy.listener.address() << std::endl;
  proxy.AcceptNext();
  return (std::cerr << proxy.closed.get_future().get() << "\n", 1);
}
