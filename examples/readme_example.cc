// The example of the README: asks a web server for its front page.

#include <iostream>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/net/dial.h"

absl::Status Fetch(absl::string_view address) {
  const flow::Limits limits = absl::Seconds(5);  // for all of it
  absl::StatusOr<flow::Flow> web = flow::Dial(address, limits);
  if (!web.ok()) return web.status();
  absl::Status sent = web->Write("GET / HTTP/1.0\r\n\r\n", limits);
  if (!sent.ok()) return sent;
  for (;;) {
    absl::StatusOr<flow::OrEof<flow::Buffer>> got = web->Read(limits);
    if (!got.ok()) return got.status();          // reset, too late, ...
    if (got->is_eof()) return absl::OkStatus();  // the server has finished
    std::cout << got->data().view();
  }
}

int main(int argc, char** argv) {
  const absl::Status status = Fetch(argc > 1 ? argv[1] : "tcp:localhost:80");
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
