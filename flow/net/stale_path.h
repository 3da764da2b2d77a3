// File: stale_path.h (internal)
//
// StalePath: the file of a unix socket whose server is gone, taken away for the
// next one. It alone knows how to tell a dead socket from a live one, and how
// not to take a live one's path in a race.
//
// A path is stale if a socket is there that twice, 20 ms apart, refuses a
// connection. (A live one accepts it, or has a full queue; its clients see a
// connection that goes at once. One that is just between bind and listen is
// live by the second time.) Whatever else is there, or can't be asked, is left
// alone.
//
// Two servers that do this at the same time don't take each other's path: each
// holds a lock (flock(2)) on the folder from before its bind until it listens.
// A server that comes without asking to reclaim anything takes no lock; it
// can be missed only if it removes the stale file itself, binds and listens
// between our last look at the file and the unlink that follows at once. The
// kernel has no call that does both.
//
// Guarantees: nothing is ever removed that is no socket. Belongs to one thread.

#ifndef FLOW_NET_STALE_PATH_H_
#define FLOW_NET_STALE_PATH_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "flow/net/resolver.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"

namespace flow {
namespace internal {

class StalePath {
 public:
  // `at` is the address of `path`. Both outlive this.
  StalePath(Syscalls* sys, const SocketAddress& at, const std::string& path)
      : sys_(sys), at_(at), path_(path) {}
  StalePath(const StalePath&) = delete;
  StalePath& operator=(const StalePath&) = delete;
  // Lets go of the folder.
  ~StalePath();

  // Takes the folder, before who reclaims binds. Blocks up to 2 s while another
  // holds it, which is FAILED_PRECONDITION (EADDRINUSE) then. A folder that may
  // not be opened, or that is on a file system without locks, is gone without.
  absl::Status Lock();

  // OK: the path is free. FAILED_PRECONDITION (EADDRINUSE): somebody listens
  // there, or it is not to be touched; the message says which. Blocks for 20
  // ms. After Lock.
  absl::Status Remove();

 private:
  enum class Look : uint8_t { kGone, kStale, kLive };

  absl::StatusOr<Look> Ask() const;
  absl::Status InUse(const std::string& why) const;

  Syscalls* const sys_;
  const SocketAddress& at_;
  const std::string& path_;
  UniqueFd folder_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_STALE_PATH_H_
