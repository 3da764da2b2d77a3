// File: tested_flow.h
//
// TestedFlow: a flow as the conformance suite sees it: with the calls of
// flow/flow.h, whoever makes them. By default that is Flow itself; a FlowDriver
// makes them in another way, such as futures that are waited for at once
// (flow/testing/futures_driver.h), so that one suite holds every driver to one
// contract.
//
// Guarantees: those of Flow, as far as its driver keeps them.

#ifndef FLOW_TESTING_TESTED_FLOW_H_
#define FLOW_TESTING_TESTED_FLOW_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/buffer.h"
#include "flow/endpoint.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/or_eof.h"
#include "flow/stats.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"

namespace flow_testing {

// Makes the calls of one flow, which it owns. Each blocks until it is over, and
// must not look at the driver after it has begun: others may destroy it.
class FlowDriver {
 public:
  using ReadResult = absl::StatusOr<flow::OrEof<flow::Buffer>>;
  using ReadIntoResult = absl::StatusOr<flow::OrEof<size_t>>;
  using ReleaseResult = absl::StatusOr<std::unique_ptr<flow::Transport>>;

  virtual ~FlowDriver() = default;

  virtual ReadResult Read(const flow::Limits& limits) = 0;
  virtual ReadIntoResult ReadInto(absl::Span<char> into,
                                  const flow::Limits& limits) = 0;
  virtual absl::Status Write(absl::string_view bytes,
                             const flow::Limits& limits) = 0;
  virtual absl::Status Write(const absl::Cord& bytes,
                             const flow::Limits& limits) = 0;
  virtual absl::Status Writev(absl::Span<const absl::string_view> pieces,
                              const flow::Limits& limits) = 0;
  virtual absl::StatusOr<size_t> WriteSome(absl::string_view bytes,
                                           const flow::Limits& limits) = 0;
  virtual absl::Status Shutdown(flow::ShutdownMode mode,
                                const flow::Limits& limits) = 0;
  virtual absl::Status Close() = 0;
  virtual absl::Status CloseGracefully(const flow::Limits& limits) = 0;
  virtual absl::Status Abort() = 0;
  virtual absl::StatusOr<flow::PeerEnd> WaitPeerEnd(
      flow::PeerEnd at_least, const flow::Limits& limits) = 0;
  virtual ReleaseResult ReleaseTransport() = 0;

  // Writes take bytes over, which therefore are never an address without
  // memory.
  virtual bool owns_bytes() const = 0;
  virtual bool is_flow() const = 0;
  virtual flow::Endpoint local() const = 0;
  virtual flow::Endpoint peer() const = 0;
  virtual flow::Stats GetStats() const = 0;
  virtual bool abort_is_visible() const = 0;
  virtual bool ends_are_visible() const = 0;
  virtual int native_handle() const = 0;
  virtual flow::Syscalls* syscalls() const = 0;
  virtual std::string ToString() const = 0;
};

// Flow's own calls.
std::unique_ptr<FlowDriver> DriveByBlocking(flow::Flow flow);

class TestedFlow {
 public:
  using Limits = flow::Limits;

  // No flow.
  TestedFlow() : driver_(DriveByBlocking(flow::Flow())) {}
  explicit TestedFlow(std::unique_ptr<FlowDriver> driver)
      : driver_(std::move(driver)) {}
  TestedFlow(std::unique_ptr<flow::Transport> transport, flow::Syscalls* sys)
      : driver_(DriveByBlocking(flow::Flow(std::move(transport), sys))) {}

  // A moved-from flow is none.
  TestedFlow(TestedFlow&& other) noexcept
      : driver_(std::exchange(other.driver_, DriveByBlocking(flow::Flow()))) {}
  TestedFlow& operator=(TestedFlow&& other) noexcept {
    if (this == &other) return *this;
    driver_ = std::exchange(other.driver_, DriveByBlocking(flow::Flow()));
    return *this;
  }

  FlowDriver::ReadResult Read(const Limits& limits = {}) {
    return driver_->Read(limits);
  }
  FlowDriver::ReadIntoResult ReadInto(absl::Span<char> into,
                                      const Limits& limits = {}) {
    return driver_->ReadInto(into, limits);
  }
  absl::Status Write(absl::string_view bytes, const Limits& limits = {}) {
    return driver_->Write(bytes, limits);
  }
  absl::Status Write(const absl::Cord& bytes, const Limits& limits = {}) {
    return driver_->Write(bytes, limits);
  }
  absl::Status Writev(absl::Span<const absl::string_view> pieces,
                      const Limits& limits = {}) {
    return driver_->Writev(pieces, limits);
  }
  absl::StatusOr<size_t> WriteSome(absl::string_view bytes,
                                   const Limits& limits = {}) {
    return driver_->WriteSome(bytes, limits);
  }
  absl::Status Shutdown(flow::ShutdownMode mode, const Limits& limits = {}) {
    return driver_->Shutdown(mode, limits);
  }
  absl::Status Close() { return driver_->Close(); }
  absl::Status CloseGracefully(const Limits& limits) {
    return driver_->CloseGracefully(limits);
  }
  absl::Status Abort() { return driver_->Abort(); }
  absl::StatusOr<flow::PeerEnd> WaitPeerEnd(flow::PeerEnd at_least,
                                            const Limits& limits = {}) {
    return driver_->WaitPeerEnd(at_least, limits);
  }
  FlowDriver::ReleaseResult ReleaseTransport() {
    return driver_->ReleaseTransport();
  }

  bool owns_bytes() const { return driver_->owns_bytes(); }
  explicit operator bool() const { return driver_->is_flow(); }
  flow::Endpoint local() const { return driver_->local(); }
  flow::Endpoint peer() const { return driver_->peer(); }
  flow::Stats GetStats() const { return driver_->GetStats(); }
  bool abort_is_visible() const { return driver_->abort_is_visible(); }
  bool ends_are_visible() const { return driver_->ends_are_visible(); }
  int native_handle() const { return driver_->native_handle(); }
  flow::Syscalls* syscalls() const { return driver_->syscalls(); }
  std::string ToString() const { return driver_->ToString(); }

 private:
  std::unique_ptr<FlowDriver> driver_;  // never null
};

}  // namespace flow_testing

#endif  // FLOW_TESTING_TESTED_FLOW_H_
