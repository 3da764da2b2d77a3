// File: peer_end.h (internal)
//
// What can be known of the peer of an fd without reading from it. It alone
// knows what poll's RDHUP, HUP and ERR prove for each kind of fd, and what they
// don't.
//
// [run] on Linux 6.18:
//   TCP, peer sent FIN (close or SHUT_WR)   RDHUP            CLOSE_WAIT
//   TCP, own SHUT_RD                        RDHUP            ESTABLISHED
//   TCP, reset                              RDHUP|HUP|ERR    CLOSE
//   TCP, reset, ECONNRESET taken by a read  RDHUP|HUP        CLOSE
//   TCP, both sides finished                RDHUP|HUP        LAST_ACK ... CLOSE
//   unix, peer closed or did SHUT_RDWR      RDHUP|HUP
//   unix, both did SHUT_WR                  RDHUP|HUP        (the same!)
//   pipe, no writer / no reader left        HUP / ERR
//   tty, other side closed                  HUP
// SO_ERROR is never asked: it would eat the error that a read must report.
//
// Guarantees: looks only; any thread, also while others read and write.

#ifndef FLOW_FD_PEER_END_H_
#define FLOW_FD_PEER_END_H_

#include "absl/time/time.h"
#include "flow/fd/fd_kind.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

// How soon to look again where nothing can be waited for. Four system calls
// each time, of TCP whose reading was shut here: 16 a second (P4 allows 20).
inline constexpr absl::Duration kLookAgain = absl::Milliseconds(250);

// What one look at an fd has shown.
struct PeerLook {
  int error = 0;          // errno: the fd can't be asked; the rest says nothing
  bool finished = false;  // it sends no more
  bool gone = false;      // it is reset or closed for certain
  // How to wait for more than that: an fd that stays quiet until then, or a
  // time.
  Wait wait;
};

// Whether `kind` has a peer that poll can tell about.
bool HasPeer(FdKind kind);

// Looks at the peer of `facts`, which HasPeer. `shut_read` and `shut_write` say
// which halves of a socket this side has shut down itself, which looks much
// like the peer's doing. The wait is for `at_least`.
PeerLook LookAtPeer(Syscalls* sys, const FdFacts& facts, PeerEnd at_least,
                    bool shut_read, bool shut_write);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_FD_PEER_END_H_
