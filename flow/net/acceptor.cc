#include "flow/net/acceptor.h"

#include <poll.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/time/time.h"
#include "flow/sys/errno_table.h"

namespace flow {
namespace internal {
namespace {

// How many dead clients are passed over in one try, and how long the next try
// waits then: a storm of them must not keep a Close from being heard.
constexpr int kPassedOver = 64;
constexpr absl::Duration kBreath = absl::Milliseconds(1);
// [run] At EMFILE the connection stays queued and the listener stays readable,
// so that poll can't be waited for. At most ten calls a second (P4, P11).
constexpr absl::Duration kFirstPause = absl::Milliseconds(50);
constexpr absl::Duration kPause = absl::Milliseconds(125);

void Count(std::atomic<uint64_t>& counter) {
  counter.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

Acceptor::Acceptor(Syscalls* sys, std::vector<ListeningSocket> sockets,
                   Endpoint local, std::shared_ptr<AcceptCounters> counters)
    : sys_(sys),
      sockets_(std::move(sockets)),
      local_(std::move(local)),
      counters_(std::move(counters)),
      group_(sys) {
  for (const ListeningSocket& each : sockets_) {
    group_.Add(each.fd().get(), POLLIN);
  }
}

Attempt Acceptor::TryRead(absl::Span<const iovec> into) {
  if (into[0].iov_len < sizeof(AcceptedRecord)) return Attempt::Failed(EINVAL);
  for (size_t i = 0; i < sockets_.size(); ++i) {
    const size_t index = next_;
    next_ = next_ + 1 == sockets_.size() ? 0 : next_ + 1;
    const std::optional<Attempt> got = AcceptAt(index, into[0]);
    if (got.has_value()) return *got;
  }
  return Attempt::WouldBlock(group_.wait());
}

// Not set: nobody has come there.
std::optional<Attempt> Acceptor::AcceptAt(size_t index, const iovec& into) {
  for (int i = 0; i < kPassedOver; ++i) {
    AcceptedRecord record;
    record.socket = static_cast<uint32_t>(index);
    record.length = sizeof(record.peer);
    record.fd = sys_->Accept(sockets_[index].fd().get(),
                             reinterpret_cast<sockaddr*>(&record.peer),
                             &record.length, SOCK_NONBLOCK);
    if (record.fd >= 0) {
      shortages_in_a_row_ = 0;
      Count(counters_->accepted);
      std::memcpy(into.iov_base, &record, sizeof(record));
      return Attempt::Transferred(sizeof(record));
    }
    const int error = errno;
    switch (TreatmentOf(SysCall::kAccept, error)) {
      case Treatment::kAgain:
        // An interrupted call has lost no client.
        if (error != EINTR) Count(counters_->transient_errors);
        continue;
      case Treatment::kWait:
        return std::nullopt;
      case Treatment::kShortage:
        Count(counters_->shortages);
        return Attempt::WouldBlock(Wait::Until(
            sys_->Now() + (shortages_in_a_row_++ == 0 ? kFirstPause : kPause)));
      case Treatment::kDone:
      case Treatment::kEnd:
      case Treatment::kFail:
        return Attempt::Failed(error);
    }
  }
  return Attempt::WouldBlock(Wait::Until(sys_->Now() + kBreath));
}

Attempt Acceptor::TryWrite(absl::Span<const iovec> from) {
  static_cast<void>(from);
  return Attempt::Failed(EOPNOTSUPP, ErrorScope::kDirection);
}

Attempt Acceptor::TryShutdown(ShutdownMode half) {
  static_cast<void>(half);
  return Attempt::Transferred(0);
}

absl::Status Acceptor::Close() {
  group_.Clear();
  absl::Status first;
  for (ListeningSocket& each : sockets_) first.Update(each.Close());
  return first;
}

void Acceptor::CloseAfterFork() {
  group_.Clear();
  for (ListeningSocket& each : sockets_) each.CloseAfterFork();
}

}  // namespace internal
}  // namespace flow
