// Two hundred reads that are outstanding at once, and one thread beside main's.

#include <future>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/async_flow.h"
#include "flow/fd/fd.h"

namespace {

constexpr int kFlows = 200;

absl::StatusOr<int> Run() {
  flow::AsyncContext context;
  std::vector<flow::AsyncFlow> flows;
  std::vector<std::future<flow::AsyncFlow::ReadResult>> reads;
  for (int i = 0; i < kFlows; ++i) {
    absl::StatusOr<std::pair<flow::Flow, flow::Flow>> pair = flow::SocketPair();
    if (!pair.ok()) return pair.status();
    for (flow::Flow* end : {&pair->first, &pair->second}) {
      absl::StatusOr<flow::AsyncFlow> f =
          flow::AsyncFlow::From(std::move(*end), context);
      if (!f.ok()) return f.status();
      flows.push_back(*std::move(f));
    }
    reads.push_back(flows[flows.size() - 2].Read(absl::Seconds(10)));
  }
  std::vector<std::future<absl::Status>> writes;
  for (int i = 0; i < kFlows; ++i) {
    writes.push_back(flows[2 * static_cast<size_t>(i) + 1].Write("hello"));
  }
  int answers = 0;
  for (auto& write : writes) {
    if (absl::Status s = write.get(); !s.ok()) return s;
  }
  for (auto& read : reads) {
    flow::AsyncFlow::ReadResult got = read.get();
    if (!got.ok()) return got.status();
    if (!got->is_eof() && got->data().view() == "hello") ++answers;
  }
  return answers;
}

}  // namespace

int main() {
  const absl::StatusOr<int> answers = Run();
  if (!answers.ok()) return (std::cerr << answers.status() << std::endl, 1);
  std::cout << "futures: " << *answers << " answers" << std::endl;
  return *answers == kFlows ? 0 : 1;
}
