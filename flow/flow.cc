#include "flow/flow.h"

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/core.h"
#include "flow/observer.h"
#include "flow/reading.h"
#include "flow/shutting.h"
#include "flow/writing.h"

namespace flow {

using internal::Core;
using internal::NoFlowStatus;

Flow::Flow(std::unique_ptr<Transport> transport, Syscalls* sys)
    : core_(transport == nullptr
                ? nullptr
                : new Core(std::move(transport),
                           sys == nullptr ? Syscalls::Real() : sys)) {}

Flow::Flow(Flow&& other) noexcept : core_(other.core_) {
  // Calls that are inside read other.core_ before they changed the word:
  // looking at the word first makes that happen before this write.
  if (core_ != nullptr) static_cast<void>(core_->state());
  other.core_ = nullptr;
}

Flow& Flow::operator=(Flow&& other) noexcept {
  if (this == &other) return *this;
  Flow old(std::move(*this));
  if (other.core_ != nullptr) static_cast<void>(other.core_->state());
  core_ = std::exchange(other.core_, nullptr);
  return *this;
}

Flow::~Flow() {
  if (core_ != nullptr) core_->DropHandle();
}

Flow::operator bool() const { return core_ != nullptr && !core_->released(); }

absl::StatusOr<OrEof<Buffer>> Flow::Read(const Limits& limits) {
  if (core_ == nullptr) return NoFlowStatus("read");
  return internal::ReadFresh(*core_, limits);
}

absl::StatusOr<OrEof<size_t>> Flow::ReadInto(absl::Span<char> into,
                                             const Limits& limits) {
  if (core_ == nullptr) return NoFlowStatus("read");
  return internal::ReadInto(*core_, into, limits);
}

absl::Status Flow::Write(absl::string_view bytes, const Limits& limits) {
  if (core_ == nullptr) return NoFlowStatus("write");
  return internal::WriteView(*core_, bytes, limits);
}

absl::Status Flow::Write(const absl::Cord& bytes, const Limits& limits) {
  if (core_ == nullptr) return NoFlowStatus("write");
  return internal::WriteCord(*core_, bytes, limits);
}

absl::Status Flow::Writev(absl::Span<const absl::string_view> pieces,
                          const Limits& limits) {
  if (core_ == nullptr) return NoFlowStatus("write");
  return internal::WriteViews(*core_, pieces, limits);
}

absl::StatusOr<size_t> Flow::WriteSome(absl::string_view bytes,
                                       const Limits& limits) {
  if (core_ == nullptr) return NoFlowStatus("write");
  return internal::WriteOneStep(*core_, bytes, limits);
}

absl::Status Flow::Shutdown(ShutdownMode mode, const Limits& limits) {
  if (core_ == nullptr) return absl::OkStatus();
  return internal::Shutdown(*core_, mode, limits);
}

absl::Status Flow::Close() {
  return core_ == nullptr ? absl::OkStatus() : core_->Close(/*abort=*/false);
}

absl::Status Flow::Abort() {
  return core_ == nullptr ? absl::OkStatus() : core_->Close(/*abort=*/true);
}

absl::Status Flow::CloseGracefully(const Limits& limits) {
  return core_ == nullptr ? absl::OkStatus()
                          : internal::CloseGracefully(*core_, limits);
}

absl::StatusOr<PeerEnd> Flow::WaitPeerEnd(PeerEnd at_least,
                                          const Limits& limits) {
  if (core_ == nullptr) return NoFlowStatus("wait_peer_end");
  return internal::WaitPeerEnd(*core_, at_least, limits);
}

Endpoint Flow::local() const {
  return core_ == nullptr ? Endpoint() : core_->local();
}

Endpoint Flow::peer() const {
  return core_ == nullptr ? Endpoint() : core_->peer();
}

Stats Flow::GetStats() const {
  return core_ == nullptr ? Stats() : core_->GetStats();
}

void Flow::Observe(std::shared_ptr<FlowObserver> observer) const {
  if (core_ == nullptr || observer == nullptr) return;
  core_->observed().Add(std::move(observer));
}

bool Flow::abort_is_visible() const {
  return core_ != nullptr && core_->abort_is_visible();
}

bool Flow::ends_are_visible() const {
  return core_ != nullptr && core_->ends_are_visible();
}

int Flow::native_handle() const {
  return core_ == nullptr ? -1 : core_->NativeHandle();
}

std::string Flow::ToString() const {
  return core_ == nullptr ? "no flow" : core_->ToString();
}

absl::StatusOr<std::unique_ptr<Transport>> Flow::ReleaseTransport() {
  if (core_ == nullptr) return NoFlowStatus("release_transport");
  absl::StatusOr<std::unique_ptr<Transport>> transport =
      core_->Release("release_transport");
  return transport;
}

absl::StatusOr<UniqueFd> Flow::ReleaseFd() {
  if (core_ == nullptr) return NoFlowStatus("release_fd");
  if (!core_->can_release_fd()) {
    return MakeStatus(absl::StatusCode::kUnimplemented,
                      absl::StrCat("release_fd() refused: not a flow on one fd "
                                   "that it owns; ",
                                   core_->Describe()),
                      {});
  }
  absl::StatusOr<std::unique_ptr<Transport>> transport =
      core_->Release("release_fd");
  if (!transport.ok()) return transport.status();
  return UniqueFd((*transport)->ReleaseFd(), core_->sys());
}

Syscalls* Flow::syscalls() const {
  return core_ == nullptr ? Syscalls::Real() : core_->sys();
}

}  // namespace flow
