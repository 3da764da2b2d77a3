#include "flow/net/fd_group.h"

#ifdef __linux__
#include <sys/epoll.h>
#endif

#include <algorithm>

#include "absl/time/time.h"
#include "flow/sys/mono_time.h"

namespace flow {
namespace internal {
namespace {

// How often members that nothing watches are looked at. Each look costs who
// waits up to five system calls (P4).
constexpr absl::Duration kLook = absl::Milliseconds(300);

}  // namespace

void FdGroup::Add(int fd, short events) {
  members_.push_back({{fd, events, 0}, false});
  if (members_.size() < 2) return;
#ifdef __linux__
  if (!epoll_.valid()) epoll_ = UniqueFd(sys_->EpollCreate(), sys_);
#endif
  if (!epoll_.valid()) return;
  for (Member& member : members_) Join(member);
}

void FdGroup::Join(Member& member) {
  if (member.in_epoll) return;
#ifdef __linux__
  epoll_event event = {};
  // The low bits of epoll's events are those of poll (epoll_ctl(2)).
  event.events = static_cast<unsigned short>(member.polled.events);
  member.in_epoll = sys_->EpollCtl(epoll_.get(), EPOLL_CTL_ADD,
                                   member.polled.fd, &event) == 0;
#endif
}

void FdGroup::Remove(int fd) {
  const auto found = std::find_if(
      members_.begin(), members_.end(),
      [fd](const Member& member) { return member.polled.fd == fd; });
  if (found == members_.end()) return;
#ifdef __linux__
  if (found->in_epoll) {
    epoll_event none = {};
    sys_->EpollCtl(epoll_.get(), EPOLL_CTL_DEL, fd, &none);
  }
#endif
  members_.erase(found);
}

void FdGroup::Clear() {
  epoll_.reset();
  members_.clear();
}

Wait FdGroup::wait() const {
  if (members_.empty()) return Wait();
  const Member& last = members_.back();
  if (members_.size() == 1) {
    return Wait::ForFd(last.polled.fd, last.polled.events);
  }
  const bool all_in =
      std::all_of(members_.begin(), members_.end(),
                  [](const Member& member) { return member.in_epoll; });
  if (all_in) return Wait::ForFd(epoll_.get(), POLLIN);
  Wait wait = Wait::ForFd(last.polled.fd, last.polled.events);
  wait.until = sys_->Now() + kLook;
  return wait;
}

std::vector<int> FdGroup::Ready() const {
  std::vector<pollfd> fds;
  for (const Member& member : members_) fds.push_back(member.polled);
  std::vector<int> ready;
  if (fds.empty()) return ready;
  const bool told = sys_->Poll(fds.data(), fds.size(), 0) >= 0;
  for (const pollfd& each : fds) {
    if (!told || each.revents != 0) ready.push_back(each.fd);
  }
  return ready;
}

}  // namespace internal
}  // namespace flow
