#include "flow/net/fd_passing.h"

#include <sys/uio.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/call.h"
#include "flow/core.h"
#include "flow/fd/scm.h"
#include "flow/flow_access.h"
#include "flow/job.h"
#include "flow/reading.h"
#include "flow/status.h"
#include "flow/transport.h"
#include "flow/turn.h"
#include "flow/writing.h"

namespace flow {
namespace {

using internal::Call;
using internal::Core;
using internal::FlowAccess;
using internal::Job;
using internal::Turn;

static_assert(kMaxFdsAtOnce == internal::kMaxPassedFds);

constexpr char kSend[] = "send_fds";
constexpr char kReceive[] = "recv_fds";
// What one step receives at most, and keeps if it is not much less.
constexpr size_t kStep = size_t{64} << 10;

class SendFdsJob final : public Job {
 public:
  SendFdsJob(int socket, absl::Span<const int> fds, absl::string_view data)
      : socket_(socket), fds_(fds), left_(data) {}

  Attempt Try(Core& core) override {
    const iovec rest = {const_cast<char*>(left_.data()), left_.size()};
    return sent_fds_ ? core.transport().TryWrite(absl::MakeConstSpan(&rest, 1))
                     : internal::TrySendFds(core.sys(), socket_, rest, fds_,
                                            refused_);
  }

  Then Moved(Turn& turn, size_t n) override {
    if (refused_ != 0) return Then::kDone;
    if (n == 0 || n > left_.size()) return Then::kBroken;
    sent_fds_ = true;
    turn.core().CountWritten(n);
    turn.CountDone(n);
    left_.remove_prefix(n);
    if (!left_.empty()) return Then::kMore;
    turn.core().CountWrite();
    return Then::kDone;
  }

  // An errno; 0: the kernel had nothing against the descriptors.
  int refused() const { return refused_; }

 private:
  const int socket_;
  const absl::Span<const int> fds_;
  absl::string_view left_;
  bool sent_fds_ = false;
  int refused_ = 0;
};

class RecvFdsJob final : public Job {
 public:
  RecvFdsJob(int socket, size_t max_fds) : socket_(socket), max_fds_(max_fds) {}

  Attempt Try(Core& core) override {
    // For each try, so that a call that waits holds no memory.
    buffer_ = Buffer::WithCapacity(kStep);
    const iovec into = {buffer_.mutable_data(), buffer_.capacity()};
    const Attempt a =
        internal::TryReceiveFds(core.sys(), socket_, into, max_fds_, passed_);
    if (!a.transferred()) buffer_ = Buffer();
    return a;
  }

  Then Moved(Turn& turn, size_t n) override {
    if (n == 0 || n > buffer_.capacity()) return Then::kBroken;
    turn.CountMoved(n);
    turn.core().CountRead(n);
    buffer_.SetSize(n);
    if (n < buffer_.capacity() / 2) buffer_ = Buffer::CopyOf(buffer_.view());
    return Then::kDone;
  }

  ReceivedFds Result() {
    ReceivedFds received;
    received.data = std::move(buffer_);
    received.fds = std::move(passed_.fds);
    received.fds_lost = passed_.lost;
    return received;
  }

 private:
  const int socket_;
  const size_t max_fds_;
  Buffer buffer_;
  internal::PassedFds passed_;
};

// The unix socket that all of this flow's bytes go through as they are; -1 if
// there is none. By the holder of a direction.
int SocketOf(Core& core) {
  const int fd = core.transport().native_handle();
  if (core.is_layer() || !core.transport().PollIsTruth() || fd < 0) return -1;
  return internal::IsUnixSocket(core.sys(), fd) ? fd : -1;
}

absl::Status NoUnixSocket(Core& core, absl::string_view operation) {
  return MakeStatus(
      absl::StatusCode::kUnimplemented,
      absl::StrCat(operation, "() refused: not a flow on a unix socket; ",
                   core.Describe()),
      core.Detail(operation));
}

absl::Status TooMany(absl::string_view operation, size_t count) {
  return InvalidArgument(absl::StrCat(operation, "() refused: ", count,
                                      " descriptors are more than ",
                                      kMaxFdsAtOnce));
}

absl::Status CheckArguments(absl::Span<const int> fds, absl::string_view data) {
  if (fds.size() > kMaxFdsAtOnce) return TooMany(kSend, fds.size());
  if (!data.empty()) return absl::OkStatus();
  return InvalidArgument(absl::StrCat(
      kSend, "() refused: descriptors need at least one byte to go with"));
}

}  // namespace

absl::Status SendFds(Flow& flow, absl::Span<const int> fds,
                     absl::string_view data, const Limits& limits) {
  Core* const core = FlowAccess::CoreOf(flow);
  if (core == nullptr) return internal::NoFlowStatus(kSend);
  if (absl::Status checked = CheckArguments(fds, data); !checked.ok()) {
    // The state and the limits come first, whatever was passed.
    const absl::Status state = internal::WriteNothing(*core, limits);
    return state.ok() ? checked : state;
  }
  if (fds.empty()) return flow.Write(data, limits);
  Call call(*core, Role::kWrite, limits, kSend, data.size());
  if (!call.Begin()) return call.status();
  const int socket = SocketOf(*core);
  if (socket < 0) return NoUnixSocket(*core, kSend);
  SendFdsJob job(socket, fds, data);
  if (call.Run(job)) {
    return job.refused() == 0
               ? absl::OkStatus()
               : ErrnoStatus(job.refused(), kSend,
                             absl::StrCat("passing ", fds.size(),
                                          " descriptors; ", core->Describe()));
  }
  if (call.hit_limit() && call.turn().cut_in_the_middle()) {
    core->Seal(internal::SealedStatus(call.turn()));
  }
  return call.status();
}

absl::StatusOr<OrEof<ReceivedFds>> RecvFds(Flow& flow, size_t max_fds,
                                           const Limits& limits) {
  Core* const core = FlowAccess::CoreOf(flow);
  if (core == nullptr) return internal::NoFlowStatus(kReceive);
  if (max_fds > kMaxFdsAtOnce) {
    const auto state = internal::LookForRead(*core, 0, limits);
    if (!state.ok()) return state.status();
    if (state->is_eof()) return OrEof<ReceivedFds>(Eof{});
    return TooMany(kReceive, max_fds);
  }
  Call call(*core, Role::kRead, limits, kReceive);
  if (call.Begin()) {
    const int socket = SocketOf(*core);
    if (socket < 0) return NoUnixSocket(*core, kReceive);
    RecvFdsJob job(socket, max_fds);
    if (call.Run(job)) return OrEof<ReceivedFds>(job.Result());
  }
  if (call.at_eof()) return OrEof<ReceivedFds>(Eof{});
  return call.status();
}

std::string ReceivedFds::ToString() const {
  return absl::StrCat(data.size(), " B with ", fds.size(), " fds",
                      fds_lost ? ", some lost" : "");
}

}  // namespace flow
