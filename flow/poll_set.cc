#include "flow/poll_set.h"

#include <poll.h>
#include <sys/stat.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "flow/sys/errno_table.h"
#include "flow/sys/unique_fd.h"

namespace flow {
namespace internal {
namespace {

constexpr int kEventsAtOnce = 128;

// A wait that fails for anything but a signal (ENOMEM, or a descriptor that
// somebody else has closed) would come back at once, for ever: it becomes a
// pause (P4).
constexpr int kPauseMs = 60;

void PauseAfter(int error, Syscalls* sys, int timeout_ms) {
  if (TreatmentOf(SysCall::kPoll, error) == Treatment::kAgain) return;
  const int pause = timeout_ms < 0 ? kPauseMs : std::min(timeout_ms, kPauseMs);
  static_cast<void>(sys->Poll(nullptr, 0, pause));
}

#ifdef __linux__

class EpollSet final : public PollSet {
 public:
  EpollSet(Syscalls* sys, int epoll) : sys_(sys), epoll_(epoll, sys) {}

  int Add(int fd, short events, uint64_t data) override {
    return Control(EPOLL_CTL_ADD, fd, Bits(events) | EPOLLONESHOT, data);
  }
  int Arm(int fd, short events, uint64_t data) override {
    return Control(EPOLL_CTL_MOD, fd, Bits(events) | EPOLLONESHOT, data);
  }
  void Remove(int fd) override {
    epoll_event none = {};
    sys_->EpollCtl(epoll_.get(), EPOLL_CTL_DEL, fd, &none);
  }
  int AddWaker(int fd, uint64_t data) override {
    return Control(EPOLL_CTL_ADD, fd, EPOLLIN, data);
  }
  bool is_makeshift() const override { return false; }
  bool sees_changes() const override { return true; }

  void Wait(int timeout_ms, std::vector<Event>& events) override {
    epoll_event ready[kEventsAtOnce];
    const int n =
        sys_->EpollWait(epoll_.get(), ready, kEventsAtOnce, timeout_ms);
    // EINTR: as if it had timed out; the poller looks at its clock anyway.
    if (n < 0) PauseAfter(errno, sys_, timeout_ms);
    for (int i = 0; i < n; ++i) {
      events.push_back(
          {ready[i].data.u64, static_cast<short>(ready[i].events & 0x7fff)});
    }
  }

 private:
  // The low bits of epoll's events are those of poll (epoll_ctl(2)).
  static uint32_t Bits(short events) {
    return static_cast<unsigned short>(events);
  }

  int Control(int operation, int fd, uint32_t events, uint64_t data) {
    epoll_event event = {};
    event.events = events;
    event.data.u64 = data;
    return sys_->EpollCtl(epoll_.get(), operation, fd, &event) == 0 ? 0 : errno;
  }

  Syscalls* const sys_;
  const UniqueFd epoll_;
};

#endif  // __linux__

// Linear in the number of descriptors: for systems without epoll, and for a
// process that has run out of descriptors.
class PlainPollSet final : public PollSet {
 public:
  PlainPollSet(Syscalls* sys, bool is_makeshift)
      : sys_(sys), is_makeshift_(is_makeshift) {}

  int Add(int fd, short events, uint64_t data) override {
    // What epoll refuses.
    struct stat info = {};
    if (sys_->Fstat(fd, &info) != 0) return errno;
    if (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode)) return EPERM;
    absl::MutexLock lock(&mu_);
    return watched_.insert({fd, {events, data, true, true}}).second ? 0
                                                                    : EEXIST;
  }
  int Arm(int fd, short events, uint64_t data) override {
    absl::MutexLock lock(&mu_);
    const auto found = watched_.find(fd);
    if (found == watched_.end()) return ENOENT;
    found->second = {events, data, true, true};
    return 0;
  }
  void Remove(int fd) override {
    absl::MutexLock lock(&mu_);
    watched_.erase(fd);
  }
  int AddWaker(int fd, uint64_t data) override {
    absl::MutexLock lock(&mu_);
    watched_[fd] = {POLLIN, data, /*once=*/false, /*armed=*/true};
    return 0;
  }
  bool is_makeshift() const override { return is_makeshift_; }
  bool sees_changes() const override { return false; }

  void Wait(int timeout_ms, std::vector<Event>& events) override {
    std::vector<pollfd> fds;
    {
      absl::MutexLock lock(&mu_);
      for (const auto& [fd, watch] : watched_) {
        if (watch.armed) fds.push_back({fd, watch.events, 0});
      }
    }
    // Descriptors that are added meanwhile are seen by the next Wait: whoever
    // adds one pokes the poller, whose eventfd is in the set; without an
    // eventfd the poller's waits are short.
    const int n = sys_->Poll(fds.data(), fds.size(), timeout_ms);
    if (n < 0) PauseAfter(errno, sys_, timeout_ms);
    if (n <= 0) return;
    absl::MutexLock lock(&mu_);
    for (const pollfd& polled : fds) {
      const auto found = watched_.find(polled.fd);
      if (polled.revents == 0 || found == watched_.end()) continue;
      if (found->second.once) found->second.armed = false;
      events.push_back({found->second.data, polled.revents});
    }
  }

 private:
  struct Watch {
    short events = 0;
    uint64_t data = 0;
    bool once = true;
    bool armed = false;
  };

  Syscalls* const sys_;
  const bool is_makeshift_;
  absl::Mutex mu_;
  absl::flat_hash_map<int, Watch> watched_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

std::unique_ptr<PollSet> PollSet::TryEpoll(Syscalls* sys) {
#ifdef __linux__
  const int epoll = sys->EpollCreate();
  if (epoll >= 0) return std::make_unique<EpollSet>(sys, epoll);
#else
  static_cast<void>(sys);
  errno = ENOSYS;
#endif
  return nullptr;
}

std::unique_ptr<PollSet> PollSet::Make(Syscalls* sys) {
  std::unique_ptr<PollSet> set = TryEpoll(sys);
  if (set != nullptr) return set;
  return std::make_unique<PlainPollSet>(sys, /*is_makeshift=*/errno != ENOSYS);
}

}  // namespace internal
}  // namespace flow
