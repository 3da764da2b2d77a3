// File: scm.h (internal)
//
// Descriptors through a unix socket. It alone knows the form of control
// messages (SCM_RIGHTS, unix(7)).
//
// Guarantees: a try is one system call and never blocks. A descriptor that was
// received is owned or closed, whatever comes of the try.

#ifndef FLOW_FD_SCM_H_
#define FLOW_FD_SCM_H_

#include <sys/uio.h>

#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

// The kernel's bound for one message (SCM_MAX_FD).
inline constexpr size_t kMaxPassedFds = 253;

// Whether `fd` is a unix socket.
bool IsUnixSocket(Syscalls* sys, int fd);

// Sends the beginning of `data`, which is not empty, and with its first byte
// all of `fds`: at least one, at most kMaxPassedFds. If it is they that the
// kernel refuses, nothing was sent: Transferred(0), and `refused` is the errno.
Attempt TrySendFds(Syscalls* sys, int socket, const iovec& data,
                   absl::Span<const int> fds, int& refused);

// What came with some bytes.
struct PassedFds {
  std::vector<UniqueFd> fds;
  bool lost = false;  // there were more, which are closed
};

// Receives bytes, and at most `max_fds` of the descriptors that came with them.
Attempt TryReceiveFds(Syscalls* sys, int socket, const iovec& into,
                      size_t max_fds, PassedFds& passed);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_FD_SCM_H_
