// File: fd_group.h (internal)
//
// FdGroup: several descriptors of which whoever waits is given one to wait for.
// It alone knows that an epoll descriptor can itself be polled: it is readable
// while one of its members is ready, for a sleeping poll as well as for a
// poller's own set. (Level-triggered, and never asked for its events: which
// member it was, a poll without waiting tells.)
//
// One member is waited for directly; the epoll descriptor is made when there
// are two. Where there is none to be had (EMFILE), one member is waited for,
// and the others are looked at every 300 ms.
//
// Guarantees: belongs to one thread at a time; owns no member. A member leaves
// the group before it is closed, or the group goes first.

#ifndef FLOW_NET_FD_GROUP_H_
#define FLOW_NET_FD_GROUP_H_

#include <poll.h>

#include <cstddef>
#include <vector>

#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

class FdGroup {
 public:
  explicit FdGroup(Syscalls* sys) : sys_(sys) {}
  FdGroup(const FdGroup&) = delete;
  FdGroup& operator=(const FdGroup&) = delete;

  // Watches `fd`, which is no member, for `events` too.
  void Add(int fd, short events);
  // Forgets `fd`, if it is a member.
  void Remove(int fd);
  // Forgets all, by close(2) alone: also for a forked child, whose
  // epoll_ctl(EPOLL_CTL_DEL) would reach into its parent's set.
  void Clear();

  size_t size() const { return members_.size(); }

  // Over once a member may be ready; never, if there is none.
  Wait wait() const;

  // The members that are ready now; all of them if that can't be told.
  std::vector<int> Ready() const;

 private:
  struct Member {
    pollfd polled = {-1, 0, 0};
    bool in_epoll = false;
  };

  void Join(Member& member);

  Syscalls* const sys_;
  std::vector<Member> members_;
  UniqueFd epoll_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_FD_GROUP_H_
