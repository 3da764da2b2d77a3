// fan_out ADDRESS SECONDS: a hundred requests at once to a server that sends
// back what it is sent, and how many were answered in time.
//
// The purpose: futures, and one deadline for everything. All requests are on
// their way before an answer is looked at, on one thread beside main's.

#include <cstdlib>
#include <future>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/async_flow.h"
#include "flow/net/async_dial.h"

namespace {
constexpr int kRequests = 100;
constexpr char kText[] = "hello\n";
struct Request {
  flow::AsyncFlow flow;
  std::future<absl::Status> sent, ended;
  std::future<flow::AsyncFlow::ReadResult> read;
};

Request Ask(flow::AsyncFlow flow, const flow::Limits& by) {
  Request request = {std::move(flow), {}, {}, {}};
  // In this order on the wire, though nobody waits in between.
  request.sent = request.flow.Write(std::string(kText), by);
  request.ended = request.flow.Shutdown(flow::ShutdownMode::kWrite, by);
  request.read = request.flow.Read(by);
  return request;
}

// OK if all of it has come back, and then the end.
absl::Status Answer(Request& request, const flow::Limits& by) {
  if (absl::Status sent = request.sent.get(); !sent.ok()) return sent;
  if (absl::Status ended = request.ended.get(); !ended.ok()) return ended;
  std::string got;
  for (;; request.read = request.flow.Read(by)) {
    flow::AsyncFlow::ReadResult part = request.read.get();
    if (!part.ok()) return part.status();
    if (part->is_eof()) break;
    absl::StrAppend(&got, part->data().view());
  }
  return got == kText ? absl::OkStatus() : absl::DataLossError(got);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return (std::cerr << "usage: fan_out ADDRESS SECONDS\n", 2);
  const flow::Limits by = absl::Seconds(std::atof(argv[2]));
  flow::AsyncContext context;
  std::vector<std::future<absl::StatusOr<flow::AsyncFlow>>> dials;
  dials.reserve(kRequests);
  for (int i = 0; i < kRequests; ++i) {
    dials.push_back(flow::AsyncDial(argv[1], context, by));
  }
  std::vector<Request> requests;
  absl::Status failure;  // the first
  for (auto& dial : dials) {
    absl::StatusOr<flow::AsyncFlow> f = dial.get();
    failure.Update(f.status());
    if (f.ok()) requests.push_back(Ask(*std::move(f), by));
  }
  int answered = 0;
  for (Request& request : requests) {
    const absl::Status status = Answer(request, by);
    failure.Update(status);
    if (status.ok()) ++answered;
  }
  std::cout << answered << " of " << kRequests << " answered" << std::endl;
  if (!failure.ok()) std::cerr << failure << std::endl;
  return answered == kRequests ? 0 : 1;
}
