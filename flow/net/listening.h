// File: listening.h (internal)
//
// ListeningSocket: a socket that listens, and the file that it may have made.
// It alone knows how a socket comes to listen: what is set before bind, whose
// path may be taken over, and that what is there when it closes is removed only
// if it is still the file that bind made.
//
// Guarantees: belongs to one thread at a time.

#ifndef FLOW_NET_LISTENING_H_
#define FLOW_NET_LISTENING_H_

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/endpoint.h"
#include "flow/fd/fd_kind.h"
#include "flow/net/address.h"
#include "flow/net/resolver.h"
#include "flow/net/socket_options.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"

namespace flow {
namespace internal {

// The file that bind makes for a unix socket, if it makes one. Until then it
// has no inode, and nothing that is there is taken for it.
struct BoundPath {
  std::string path;
  dev_t device = 0;
  ino_t inode = 0;
};

class ListeningSocket {
 public:
  // Listens at `at`, which `path` is the file of if it has one.
  static absl::StatusOr<ListeningSocket> Make(Syscalls* sys,
                                              const SocketAddress& at,
                                              absl::string_view path,
                                              const SocketOptions& options,
                                              int backlog);

  // One that listens already; its file, if there is one, is somebody else's.
  static ListeningSocket Adopt(Syscalls* sys, UniqueFd fd, Endpoint local) {
    ListeningSocket adopted(sys, std::move(fd));
    adopted.local_ = std::move(local);
    return adopted;
  }

  ListeningSocket(ListeningSocket&& other) noexcept
      : sys_(other.sys_),
        fd_(std::move(other.fd_)),
        bound_(std::exchange(other.bound_, BoundPath())),
        local_(std::move(other.local_)) {}
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  // Closes.
  ~ListeningSocket();

  const UniqueFd& fd() const { return fd_; }
  const Endpoint& local() const { return local_; }
  const std::string& path() const { return bound_.path; }

  // Removes the file, if it is still the same, and closes. Once.
  absl::Status Close();
  // The file is the parent's.
  void CloseAfterFork();

 private:
  ListeningSocket(Syscalls* sys, UniqueFd fd) : sys_(sys), fd_(std::move(fd)) {}

  // Binds and listens, in the place of a server that is gone if need be.
  absl::Status Reclaim(const SocketAddress& at, int backlog,
                       absl::string_view where);
  absl::Status Bind(const SocketAddress& at, absl::string_view where);
  absl::Status Listen(int backlog, absl::string_view where);
  void RemovePath();

  Syscalls* sys_;
  UniqueFd fd_;
  BoundPath bound_;
  Endpoint local_;
};

// Listens at everything that `address` stands for, on one port if it has
// several and port 0. Addresses of a family that this machine doesn't have are
// passed over as long as there is another.
absl::StatusOr<std::vector<ListeningSocket>> ListenAtAll(
    Syscalls* sys, const Address& address, const Addresses& all,
    const SocketOptions& options, int backlog);

// What is accepted from `fd`. INVALID_ARGUMENT if it is no stream socket that
// listens.
absl::StatusOr<FdKind> KindOfListener(Syscalls* sys, int fd);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_LISTENING_H_
