// echo_server ADDRESS: sends back what it is sent, one thread per connection.
//
//   echo_server tcp:127.0.0.1:7777
//
// The purpose: blocking calls on flows from plain threads. A client that
// half-closes gets the rest of its echo, then the end; one that fails fails
// alone.

#include <iostream>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "flow/flow.h"
#include "flow/net/listener.h"

namespace {

// Until the client's end, which is then ours.
absl::Status Echo(flow::Flow& f) {
  for (;;) {
    absl::StatusOr<flow::OrEof<flow::Buffer>> got = f.Read();
    if (!got.ok()) return got.status();
    if (got->is_eof()) return f.Shutdown(flow::ShutdownMode::kWrite);
    if (absl::Status s = f.Write(got->data().view()); !s.ok()) return s;
  }
}

void Serve(flow::Flow f) {
  const absl::Status status = Echo(f);
  if (!status.ok()) std::cerr << status << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: echo_server ADDRESS" << std::endl;
    return 2;
  }
  absl::StatusOr<flow::Listener> listener = flow::Listen(argv[1]);
  if (!listener.ok()) {
    std::cerr << listener.status() << std::endl;
    return 1;
  }
  std::cout << "listening on " << listener->address() << std::endl;
  for (;;) {
    absl::StatusOr<flow::Flow> f = listener->Accept();
    if (!f.ok()) {
      std::cerr << f.status() << std::endl;
      return 1;
    }
    std::thread(Serve, *std::move(f)).detach();
  }
}
