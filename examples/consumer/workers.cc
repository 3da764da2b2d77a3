// Eight worker threads, each of which talks to one peer with calls that block.

#include <iostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"

namespace {

// Sends back what comes, until the peer ends.
absl::Status Echo(flow::Flow& f) {
  for (;;) {
    absl::StatusOr<flow::OrEof<flow::Buffer>> got = f.Read(absl::Seconds(10));
    if (!got.ok()) return got.status();
    if (got->is_eof()) return f.Shutdown(flow::ShutdownMode::kWrite);
    absl::Status sent = f.Write(got->data().view(), absl::Seconds(10));
    if (!sent.ok()) return sent;
  }
}

absl::Status Ask(flow::Flow& f, const std::string& question) {
  const flow::Limits limits = absl::Seconds(10);
  if (absl::Status s = f.Write(question, limits); !s.ok()) return s;
  if (absl::Status s = f.Shutdown(flow::ShutdownMode::kWrite); !s.ok())
    return s;
  std::string answer;
  for (;;) {
    absl::StatusOr<flow::OrEof<flow::Buffer>> got = f.Read(limits);
    if (!got.ok()) return got.status();
    if (got->is_eof()) break;
    answer += got->data().ToString();
  }
  return answer == question ? absl::OkStatus() : absl::DataLossError(answer);
}

}  // namespace

int main() {
  std::vector<std::thread> threads;
  std::vector<absl::Status> results(8);
  for (size_t i = 0; i < results.size(); ++i) {
    absl::StatusOr<std::pair<flow::Flow, flow::Flow>> pair = flow::SocketPair();
    if (!pair.ok()) return (std::cerr << pair.status() << std::endl, 1);
    threads.emplace_back([f = std::move(pair->first)]() mutable {
      if (absl::Status s = Echo(f); !s.ok()) std::cerr << s << std::endl;
    });
    threads.emplace_back([f = std::move(pair->second), i, &results]() mutable {
      results[i] = Ask(f, "question " + std::to_string(i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) {
    if (!result.ok()) return (std::cerr << result << std::endl, 1);
  }
  std::cout << "workers: " << results.size() << " answers" << std::endl;
}
