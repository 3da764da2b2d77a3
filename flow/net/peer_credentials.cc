#include "flow/net/peer_credentials.h"

#include <sys/socket.h>

#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "flow/fd/scm.h"
#include "flow/handle_use.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace {

int Ask(Syscalls* sys, int fd, Credentials& credentials) {
#ifdef SO_PEERCRED
  // [run] A TCP socket answers too: 0, and -1 for both ids.
  if (internal::IsUnixSocket(sys, fd)) {
    ucred kernel = {};
    socklen_t size = sizeof(kernel);
    if (sys->Getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &kernel, &size) != 0) {
      return -1;
    }
    credentials.pid = kernel.pid;
    credentials.uid = kernel.uid;
    credentials.gid = kernel.gid;
    return 0;
  }
#else
  static_cast<void>(sys);
  static_cast<void>(fd);
  static_cast<void>(credentials);
#endif
  errno = EOPNOTSUPP;
  return -1;
}

}  // namespace

absl::StatusOr<Credentials> PeerCredentials(const Flow& flow) {
  Credentials credentials;
  const absl::Status asked = internal::UseHandle(
      flow, "peer_credentials",
      [&](Syscalls* sys, int fd) { return Ask(sys, fd, credentials); });
  if (!asked.ok()) return asked;
  return credentials;
}

std::string Credentials::ToString() const {
  return absl::StrCat("pid ", pid, ", uid ", uid, ", gid ", gid);
}

}  // namespace flow
