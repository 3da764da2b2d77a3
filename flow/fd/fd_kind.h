// File: fd_kind.h (internal)
//
// What an fd is. It alone knows how the kernel tells a socket from a pipe from
// a terminal, and which of them can carry a flow.
//
// Guarantees: asks only; nothing on the fd is changed and no byte is moved.

#ifndef FLOW_FD_FD_KIND_H_
#define FLOW_FD_FD_KIND_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "flow/endpoint.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace internal {

enum class FdKind : uint8_t {
  kTcp,        // a connected TCP socket
  kUnix,       // a connected unix stream socket
  kSocket,     // a connected stream socket of another family
  kPipe,       // a pipe or a FIFO
  kTty,        // a terminal, the slave side of a pty
  kPtyMaster,  // the master side
  kFile,       // a regular file, a block device, /dev/null and its like
  kOther,      // anything else that can be read or written: poll decides
};

// "pipe", "tty", ...
absl::string_view FdKindName(FdKind kind);

inline bool IsSocket(FdKind kind) {
  return kind == FdKind::kTcp || kind == FdKind::kUnix ||
         kind == FdKind::kSocket;
}

struct FdFacts {
  int fd = -1;
  FdKind kind = FdKind::kOther;
  int status_flags = 0;  // F_GETFL
  bool can_read = false;
  bool can_write = false;
  // To know it again after it was opened anew through /proc.
  dev_t device = 0;
  ino_t inode = 0;
  dev_t rdev = 0;
};

// What `fd` is. FAILED_PRECONDITION if it is not open (EBADF) or is a socket
// that is not connected (ENOTCONN); INVALID_ARGUMENT if it is negative or
// something that is not a byte stream: a datagram or listening socket, a
// folder.
absl::StatusOr<FdFacts> Examine(Syscalls* sys, int fd);

// Both ends of `facts` by name, as far as the kernel tells them.
struct FdNames {
  Endpoint local;
  Endpoint peer;
};
FdNames NamesOf(Syscalls* sys, const FdFacts& facts);

// What this end of the socket `fd` is called; empty if the kernel won't tell.
Endpoint LocalName(Syscalls* sys, int fd);

// What the other end is called; empty if there is none, or it isn't told.
Endpoint PeerName(Syscalls* sys, int fd);

// "pipe fd 5", "tty /dev/pts/3 fd 0": what is not a socket, in words.
std::string DescribeFd(Syscalls* sys, const FdFacts& facts);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_FD_FD_KIND_H_
