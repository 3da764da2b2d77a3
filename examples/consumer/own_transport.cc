// A kind of stream of its own: bytes that were known before, then the end. The
// contract (limits, sticky ends, futures) comes from flow.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "flow/flow.h"
#include "flow/transport.h"

namespace {

class Recorded : public flow::Transport {
 public:
  explicit Recorded(std::string bytes) : bytes_(std::move(bytes)) {}

  flow::Attempt TryRead(absl::Span<const iovec> into) override {
    const size_t n = std::min(into[0].iov_len, bytes_.size());
    if (n == 0) return flow::Attempt::Eof();
    std::memcpy(into[0].iov_base, bytes_.data(), n);
    bytes_.erase(0, n);
    return flow::Attempt::Transferred(n);
  }
  flow::Attempt TryWrite(absl::Span<const iovec>) override {
    return flow::Attempt::Failed(EROFS);
  }
  flow::Attempt TryShutdown(flow::ShutdownMode) override {
    return flow::Attempt::Transferred(0);
  }
  absl::Status Close() override { return absl::OkStatus(); }
  bool can_write() const override { return false; }

 private:
  std::string bytes_;
};

}  // namespace

int main() {
  flow::Flow f(std::make_unique<Recorded>("hello"));
  const absl::StatusOr<flow::OrEof<flow::Buffer>> first = f.Read();
  const absl::StatusOr<flow::OrEof<flow::Buffer>> second = f.Read();
  const bool told = first.ok() && !first->is_eof() &&
                    first->data().view() == "hello" && second.ok() &&
                    second->is_eof() && flow::IsClosedLocally(f.Write("x"));
  std::cout << "own_transport: " << (told ? "as it should be" : "wrong")
            << std::endl;
  return told ? 0 : 1;
}
