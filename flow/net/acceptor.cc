#include "flow/net/acceptor.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/time/time.h"
#include "flow/status.h"

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

Acceptor::Acceptor(Syscalls* sys, UniqueFd fd, BoundPath bound, Endpoint local,
                   std::shared_ptr<AcceptCounters> counters)
    : sys_(sys),
      fd_(std::move(fd)),
      bound_(std::move(bound)),
      local_(std::move(local)),
      counters_(std::move(counters)) {}

Acceptor::~Acceptor() {
  if (fd_.valid()) RemovePath();
}

Attempt Acceptor::TryRead(absl::Span<const iovec> into) {
  if (into[0].iov_len < sizeof(AcceptedRecord)) return Attempt::Failed(EINVAL);
  for (int i = 0; i < kPassedOver; ++i) {
    AcceptedRecord record;
    record.length = sizeof(record.peer);
    record.fd =
        sys_->Accept(fd_.get(), reinterpret_cast<sockaddr*>(&record.peer),
                     &record.length, SOCK_NONBLOCK);
    if (record.fd >= 0) {
      shortages_in_a_row_ = 0;
      Count(counters_->accepted);
      std::memcpy(into[0].iov_base, &record, sizeof(record));
      return Attempt::Transferred(sizeof(record));
    }
    const int error = errno;
    switch (TreatmentOf(SysCall::kAccept, error)) {
      case Treatment::kAgain:
        // An interrupted call has lost no client.
        if (error != EINTR) Count(counters_->transient_errors);
        continue;
      case Treatment::kWait:
        return Attempt::WouldBlock(Wait::ForFd(fd_.get(), POLLIN));
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

void Acceptor::RemovePath() {
  const std::string path = std::exchange(bound_.path, "");
  if (path.empty()) return;
  struct stat now;
  if (sys_->Lstat(path.c_str(), &now) != 0 || now.st_dev != bound_.device ||
      now.st_ino != bound_.inode) {
    return;  // somebody else's by now, or gone
  }
  sys_->Unlink(path.c_str());
}

absl::Status Acceptor::Close() {
  // The path first: once it is gone nobody comes to a socket that is closing.
  RemovePath();
  const int error = fd_.reset();
  return error == 0 || TreatmentOf(SysCall::kOther, error) == Treatment::kAgain
             ? absl::OkStatus()
             : ErrnoStatus(error, "close", local_.ToString());
}

void Acceptor::CloseAfterFork() {
  bound_.path.clear();  // the parent still listens there
  fd_.reset();
}

}  // namespace internal
}  // namespace flow
