// File: poll_set.h (internal)
//
// PollSet: many descriptors, each watched once for events. It alone knows
// epoll, and what stands in for it.
//
// Every registration but the waker's is one-shot: after it has fired, it is
// asleep until it is armed again. `data` comes back with the event; it is a
// number, never a pointer, since events for a descriptor that is gone may still
// be under way.
//
// Guarantees: Add, Arm and Remove may be called from any thread while another
// is in Wait; one thread at a time is in Wait.

#ifndef FLOW_POLL_SET_H_
#define FLOW_POLL_SET_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {

class PollSet {
 public:
  struct Event {
    uint64_t data = 0;
    short events = 0;  // POLLIN, POLLOUT, POLLERR, ... as poll(2) has them
  };

  // epoll where there is one; else, and if the system gives none (EMFILE), one
  // poll(2) over all.
  static std::unique_ptr<PollSet> Make(Syscalls* sys);
  // epoll, or null.
  static std::unique_ptr<PollSet> TryEpoll(Syscalls* sys);

  virtual ~PollSet() = default;

  // Watches `fd` for `events` and for errors. 0, or an errno: EEXIST if it is
  // in the set, EPERM if it is of a kind that is always ready.
  virtual int Add(int fd, short events, uint64_t data) = 0;
  // The same for one that is in the set, whether asleep or not.
  virtual int Arm(int fd, short events, uint64_t data) = 0;
  virtual void Remove(int fd) = 0;
  // Watches the poller's own eventfd for reading, always. 0, or an errno.
  virtual int AddWaker(int fd, uint64_t data) = 0;
  // Whether it stands in for epoll only because the system was short of
  // something.
  virtual bool is_makeshift() const = 0;
  // Whether a Wait that is under way sees what Add and Arm change.
  virtual bool sees_changes() const = 0;

  // Waits at most `timeout_ms` (-1: without end) for events, and appends them.
  virtual void Wait(int timeout_ms, std::vector<Event>& events) = 0;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_POLL_SET_H_
