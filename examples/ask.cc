// ask ADDRESS TEXT: sends a line, ends its side, prints the whole answer.
//
//   ask tcp:127.0.0.1:7777 "hello"
//
// The purpose: a client with a time limit, which tells a server's end (Eof)
// from a failure.

#include <iostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/dial.h"

namespace {

absl::Status Ask(const char* address, const std::string& question) {
  // One total of 5 s for all of it.
  const flow::Limits limits = absl::Seconds(5);
  absl::StatusOr<flow::Flow> f = flow::Dial(address, limits);
  if (!f.ok()) return f.status();
  if (absl::Status s = f->Write(question + "\n", limits); !s.ok()) return s;
  // The server sees that this is all; its answer may still take a while.
  absl::Status ended = f->Shutdown(flow::ShutdownMode::kWrite, limits);
  if (!ended.ok()) return ended;
  for (;;) {
    absl::StatusOr<flow::OrEof<flow::Buffer>> got = f->Read(limits);
    if (!got.ok()) return got.status();
    if (got->is_eof()) return absl::OkStatus();
    std::cout << got->data().view() << std::flush;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: ask ADDRESS TEXT" << std::endl;
    return 2;
  }
  const absl::Status status = Ask(argv[1], argv[2]);
  if (!status.ok()) std::cerr << status << std::endl;
  return status.ok() ? 0 : 1;
}
