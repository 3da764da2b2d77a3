#include "flow/fd/peer_end.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <cerrno>

namespace flow {
namespace internal {
namespace {

// The state in TCP_INFO; -1 if the kernel doesn't say.
int TcpState(Syscalls* sys, int fd) {
  tcp_info info = {};
  socklen_t length = sizeof(info);
  if (sys->Getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) {
    return -1;
  }
  return info.tcpi_state;
}

bool TcpPeerSentFin(int state) {
  return state == TCP_CLOSE_WAIT || state == TCP_LAST_ACK ||
         state == TCP_CLOSING || state == TCP_TIME_WAIT || state == TCP_CLOSE;
}

// Reads what poll said of a socket into `look`.
void JudgeSocket(Syscalls* sys, const FdFacts& facts, short shown,
                 bool shut_read, bool shut_write, PeerLook& look) {
  const bool rdhup = (shown & POLLRDHUP) != 0;
  const bool hup = (shown & POLLHUP) != 0;
  look.gone = (shown & POLLERR) != 0;
  look.finished = rdhup && !shut_read;
  if (facts.kind == FdKind::kTcp) {
    // The state is asked for only where poll can't tell.
    if (!look.gone && (hup || (rdhup && shut_read))) {
      const int state = TcpState(sys, facts.fd);
      look.gone = state == TCP_CLOSE;
      look.finished = look.finished || TcpPeerSentFin(state);
    }
  } else if (hup && !shut_read && !shut_write) {
    look.gone = true;  // both halves are down, and none of it was our doing
  }
}

Wait WaitForSocket(Syscalls* sys, const FdFacts& facts, short shown,
                   PeerEnd at_least, bool shut_read) {
  // HUP and ERR can't be masked: an fd that shows one would never let us sleep.
  // After our own SHUT_RD the peer's FIN changes nothing that poll shows.
  const bool blind = shut_read && at_least == PeerEnd::kFinished;
  if ((shown & (POLLHUP | POLLERR)) != 0 || blind) {
    return Wait::Until(sys->Now() + kLookAgain);
  }
  const bool rdhup = (shown & POLLRDHUP) != 0;
  return Wait::ForFd(facts.fd, rdhup ? short{0} : short{POLLRDHUP});
}

}  // namespace

bool HasPeer(FdKind kind) {
  switch (kind) {
    case FdKind::kTcp:
    case FdKind::kUnix:
    case FdKind::kSocket:
    case FdKind::kPipe:
    case FdKind::kTty:
    case FdKind::kPtyMaster:
      return true;
    case FdKind::kFile:
    case FdKind::kOther:
      return false;
  }
  return false;
}

PeerLook LookAtPeer(Syscalls* sys, const FdFacts& facts, PeerEnd at_least,
                    bool shut_read, bool shut_write) {
  const bool socket = IsSocket(facts.kind);
  PeerLook look;
  pollfd ask = {facts.fd, socket ? short{POLLRDHUP} : short{0}, 0};
  if (sys->Poll(&ask, 1, 0) < 0) {
    // EINTR, ENOMEM: nothing was learnt.
    look.wait = Wait::Until(sys->Now() + kLookAgain);
    return look;
  }
  if ((ask.revents & POLLNVAL) != 0) {
    look.error = EBADF;
    return look;
  }
  if (socket) {
    JudgeSocket(sys, facts, ask.revents, shut_read, shut_write, look);
    look.wait = WaitForSocket(sys, facts, ask.revents, at_least, shut_read);
    return look;
  }
  look.gone = look.finished = (ask.revents & (POLLHUP | POLLERR)) != 0;
  look.wait = Wait::ForFd(facts.fd, 0);
  return look;
}

}  // namespace internal
}  // namespace flow
