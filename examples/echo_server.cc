// echo_server ADDRESS [DRAIN]: sends back what it is sent, one thread per
// connection, until SIGINT or SIGTERM.
//
//   echo_server tcp:127.0.0.1:7777 5s
//
// The purpose: a server of blocking calls that keeps limits and stops in order.
// A client that half-closes gets the rest of its echo, then the end; one that
// fails fails alone. Asked to stop, it reads no more and sends what it owes.
// Exit code 0: every client has had that; 3: some had to be cut, DRAIN (5s if
// not given) after the signal; 2: bad usage; 1: anything else.

#include <signal.h>

#include <ctime>
#include <iostream>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/net/listener.h"
#include "flow/net/serve.h"

namespace {

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

// Until one of them comes, or the server has ended by itself.
void AwaitSignal(const sigset_t& signals, const flow::Server& server) {
  const timespec second = {1, 0};
  while (sigtimedwait(&signals, nullptr, &second) < 0 && !server.ended()) {
  }
}

int Exit(int code, const absl::Status& why) {
  std::cerr << why << std::endl;
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  flow::ServeOptions options;
  if (argc < 2 || argc > 3 ||
      (argc == 3 && !absl::ParseDuration(argv[2], &options.drain))) {
    std::cerr << "usage: echo_server ADDRESS [DRAIN]" << std::endl;
    return 2;
  }
  options.idle_limit = absl::Minutes(10);
  options.end_reads_at_stop = true;
  options.on_failure = [](const flow::Endpoint& peer, const absl::Status& why) {
    std::cerr << peer << ": " << why << std::endl;
  };
  sigset_t stopping;  // blocked in all threads, and waited for in this one
  sigemptyset(&stopping);
  for (const int signal : {SIGINT, SIGTERM}) sigaddset(&stopping, signal);
  sigprocmask(SIG_BLOCK, &stopping, nullptr);

  absl::StatusOr<flow::Listener> listener = flow::Listen(argv[1]);
  if (!listener.ok()) return Exit(1, listener.status());
  absl::StatusOr<flow::Server> server =
      flow::Server::Start(*std::move(listener), Echo, std::move(options));
  if (!server.ok()) return Exit(1, server.status());
  std::cout << "listening on " << server->address() << std::endl;
  AwaitSignal(stopping, *server);
  const absl::Status ended = server->Stop();
  return ended.ok() ? 0 : Exit(absl::IsDeadlineExceeded(ended) ? 3 : 1, ended);
}
