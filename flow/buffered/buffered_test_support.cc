#include "flow/buffered/buffered_test_support.h"

#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "flow/transport.h"

namespace flow_testing {
namespace {

using flow::Attempt;

class Source final : public flow::Transport {
 public:
  Source(std::vector<std::string> chunks, int error)
      : chunks_(std::move(chunks)), error_(error) {}

  Attempt TryRead(absl::Span<const iovec> into) override {
    while (at_ < chunks_.size() && chunks_[at_].size() == offset_) {
      ++at_;
      offset_ = 0;
    }
    if (at_ == chunks_.size()) {
      return error_ != 0 ? Attempt::Failed(error_) : Attempt::Eof();
    }
    const std::string& chunk = chunks_[at_];
    const size_t n = std::min(into[0].iov_len, chunk.size() - offset_);
    std::memcpy(into[0].iov_base, chunk.data() + offset_, n);
    offset_ += n;
    return Attempt::Transferred(n);
  }
  Attempt TryWrite(absl::Span<const iovec> from) override {
    return Attempt::Transferred(from[0].iov_len);
  }
  Attempt TryShutdown(flow::ShutdownMode) override {
    return Attempt::Transferred(0);
  }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  const std::vector<std::string> chunks_;
  const int error_;
  size_t at_ = 0;
  size_t offset_ = 0;
};

class Sink final : public flow::Transport {
 public:
  Sink(SinkLog* log, size_t room, int error, size_t step)
      : log_(log), room_(room), error_(error), step_(step) {}

  Attempt TryRead(absl::Span<const iovec>) override { return Attempt::Eof(); }
  Attempt TryWrite(absl::Span<const iovec> from) override {
    size_t left = std::min(room_ - log_->taken.size(), step_);
    if (left == 0) return Attempt::Failed(error_);
    size_t moved = 0;
    for (const iovec& piece : from) {
      const size_t n = std::min(piece.iov_len, left);
      log_->taken.append(static_cast<const char*>(piece.iov_base), n);
      moved += n;
      left -= n;
    }
    ++log_->tries;
    return Attempt::Transferred(moved);
  }
  Attempt TryShutdown(flow::ShutdownMode half) override {
    log_->ended = log_->ended || half == flow::ShutdownMode::kWrite;
    return Attempt::Transferred(0);
  }
  void Abort() override { log_->aborted = true; }
  absl::Status Close() override {
    log_->closed = true;
    return absl::OkStatus();
  }

 private:
  SinkLog* const log_;
  const size_t room_;
  const int error_;
  const size_t step_;
};

}  // namespace

flow::Flow SourceOf(std::vector<std::string> chunks, int error) {
  return flow::Flow(std::make_unique<Source>(std::move(chunks), error));
}

flow::Flow SinkOf(SinkLog* log, size_t room, int error, size_t step) {
  return flow::Flow(std::make_unique<Sink>(log, room, error, step));
}

std::vector<std::string> SplitAt(absl::string_view bytes, uint64_t cuts) {
  std::vector<std::string> chunks;
  size_t begin = 0;
  for (size_t i = 1; i <= bytes.size(); ++i) {
    if (i < bytes.size() && (cuts >> (i - 1) & 1) == 0) continue;
    chunks.emplace_back(bytes.substr(begin, i - begin));
    begin = i;
  }
  return chunks;
}

std::vector<std::string> SplitRandomly(absl::string_view bytes, size_t longest,
                                       std::mt19937_64& random) {
  std::vector<std::string> chunks;
  while (!bytes.empty()) {
    const size_t n = std::min(bytes.size(), 1 + random() % longest);
    chunks.emplace_back(bytes.substr(0, n));
    bytes.remove_prefix(n);
  }
  return chunks;
}

std::string Pattern(size_t size) {
  std::mt19937_64 random(size);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

}  // namespace flow_testing
