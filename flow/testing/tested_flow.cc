#include "flow/testing/tested_flow.h"

namespace flow_testing {
namespace {

using ::flow::Limits;

class BlockingDriver final : public FlowDriver {
 public:
  explicit BlockingDriver(flow::Flow flow) : flow_(std::move(flow)) {}

  ReadResult Read(const Limits& limits) override { return flow_.Read(limits); }
  ReadIntoResult ReadInto(absl::Span<char> into,
                          const Limits& limits) override {
    return flow_.ReadInto(into, limits);
  }
  absl::Status Write(absl::string_view bytes, const Limits& limits) override {
    return flow_.Write(bytes, limits);
  }
  absl::Status Write(const absl::Cord& bytes, const Limits& limits) override {
    return flow_.Write(bytes, limits);
  }
  absl::Status Writev(absl::Span<const absl::string_view> pieces,
                      const Limits& limits) override {
    return flow_.Writev(pieces, limits);
  }
  absl::StatusOr<size_t> WriteSome(absl::string_view bytes,
                                   const Limits& limits) override {
    return flow_.WriteSome(bytes, limits);
  }
  absl::Status Shutdown(flow::ShutdownMode mode,
                        const Limits& limits) override {
    return flow_.Shutdown(mode, limits);
  }
  absl::Status Close() override { return flow_.Close(); }
  absl::Status CloseGracefully(const Limits& limits) override {
    return flow_.CloseGracefully(limits);
  }
  absl::Status Abort() override { return flow_.Abort(); }
  absl::StatusOr<flow::PeerEnd> WaitPeerEnd(flow::PeerEnd at_least,
                                            const Limits& limits) override {
    return flow_.WaitPeerEnd(at_least, limits);
  }
  ReleaseResult ReleaseTransport() override { return flow_.ReleaseTransport(); }

  bool owns_bytes() const override { return false; }
  bool is_flow() const override { return static_cast<bool>(flow_); }
  flow::Endpoint local() const override { return flow_.local(); }
  flow::Endpoint peer() const override { return flow_.peer(); }
  flow::Stats GetStats() const override { return flow_.GetStats(); }
  bool abort_is_visible() const override { return flow_.abort_is_visible(); }
  bool ends_are_visible() const override { return flow_.ends_are_visible(); }
  int native_handle() const override { return flow_.native_handle(); }
  flow::Syscalls* syscalls() const override { return flow_.syscalls(); }
  std::string ToString() const override { return flow_.ToString(); }

 private:
  flow::Flow flow_;
};

}  // namespace

std::unique_ptr<FlowDriver> DriveByBlocking(flow::Flow flow) {
  return std::make_unique<BlockingDriver>(std::move(flow));
}

}  // namespace flow_testing
