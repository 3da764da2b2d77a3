// line_client ADDRESS LIMIT: sends each line of its input, prints the line that
// comes back.
//
//   printf 'one\ntwo\n' | line_client tcp:127.0.0.1:7777 500ms
//
// The purpose: a deadline for each request. A late answer would be taken for
// the next one's; so a connection on which a request failed is given up, and
// the next request makes a new one. Exit code 0: every line was answered.

#include <iostream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/dial.h"

namespace {

class LineClient {
 public:
  explicit LineClient(std::string address) : address_(std::move(address)) {}

  // `limits` is a total for all that the request takes.
  absl::StatusOr<std::string> Ask(const std::string& line,
                                  const flow::Limits& limits) {
    absl::StatusOr<std::string> answer = Try(line, limits);
    if (!answer.ok()) flow_ = flow::Flow();
    return answer;
  }

 private:
  absl::StatusOr<std::string> Try(const std::string& line,
                                  const flow::Limits& limits) {
    if (!flow_) {
      absl::StatusOr<flow::Flow> made = flow::Dial(address_, limits);
      if (!made.ok()) return made.status();
      flow_ = *std::move(made);
      rest_.clear();
    }
    absl::Status sent = flow_.Write(absl::StrCat(line, "\n"), limits);
    if (!sent.ok()) return sent;
    while (rest_.find('\n') == std::string::npos) {
      absl::StatusOr<flow::OrEof<flow::Buffer>> got = flow_.Read(limits);
      if (!got.ok()) return got.status();
      if (got->is_eof()) return absl::UnavailableError("no answer any more");
      absl::StrAppend(&rest_, got->data().view());
    }
    std::string answer = rest_.substr(0, rest_.find('\n'));
    rest_.erase(0, answer.size() + 1);
    return answer;
  }

  const std::string address_;
  flow::Flow flow_;
  std::string rest_;  // received, and not yet part of an answer
};

}  // namespace

int main(int argc, char** argv) {
  absl::Duration limit;
  if (argc != 3 || !absl::ParseDuration(argv[2], &limit)) {
    std::cerr << "usage: line_client ADDRESS LIMIT" << std::endl;
    return 2;
  }
  LineClient client(argv[1]);
  bool all = true;
  for (std::string line; std::getline(std::cin, line);) {
    const absl::StatusOr<std::string> answer = client.Ask(line, limit);
    all = all && answer.ok();
    std::cout << (answer.ok() ? *answer : answer.status().ToString()) << "\n";
  }
  return all ? 0 : 1;
}
