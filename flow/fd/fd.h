// File: fd.h
//
// Flows on file descriptors: sockets, pipes and FIFOs, terminals, files.
//
//   absl::StatusOr<flow::Flow> f = flow::Adopt(flow::UniqueFd(fd));
//   absl::StatusOr<flow::Flow> std_streams = flow::Stdio();
//   absl::StatusOr<std::pair<flow::Flow, flow::Flow>> ends =
//       flow::SocketPair();
//
// An *adopted* fd belongs to the flow, which closes it once. A *borrowed* one
// stays the caller's, who keeps it open for as long as the flow lives and finds
// it as it was: neither its flags nor its connection are changed. (Also known
// as owned and unowned, or close-on-destroy and not.) What an fd is, is found
// out once, when the flow is made:
//
// | kind            | adopted                       | borrowed               |
// |-----------------|-------------------------------|------------------------|
// | stream socket   | O_NONBLOCK set for good, and  | MSG_DONTWAIT in every  |
// | (TCP, unix, ...)| MSG_DONTWAIT in every call;   | call                   |
// |                 | SO_LINGER off                 |                        |
// | pipe, FIFO      | O_NONBLOCK set for good       | RWF_NOWAIT in every    |
// |                 |                               | call; where that is    |
// |                 |                               | refused (FIFOs, Linux  |
// |                 |                               | < 6.4), an own descrip-|
// |                 |                               | tion: the same pipe    |
// |                 |                               | opened anew through    |
// |                 |                               | /proc/self/fd          |
// | terminal (slave | own description               | own description        |
// | side of a pty)  |                               |                        |
// | pty master, what| asks poll, then reads, or     | the same               |
// | can't be opened | writes at most 4096 B (pipe)  |                        |
// | anew            | or 256 B (others)             |                        |
// | regular file,   | plain calls, which limits and | the same               |
// | block device,   | Close can't interrupt         |                        |
// | /dev/null       |                               |                        |
// | datagram, seq-  | INVALID_ARGUMENT              | INVALID_ARGUMENT       |
// | packet, listen- |                               |                        |
// | ing socket      |                               |                        |
//
// Besides, adopted fds above 2 get FD_CLOEXEC. Nothing else is changed: no
// socket option, no file position but by reading and writing, no signal.
//
// - Where poll is asked first, another process that reads the same terminal or
//   writes to the same pipe can be faster, and the call then blocks. That risk
//   is left; no way around it is known that leaves a foreign description alone.
// - Whoever else holds an adopted pipe's description could clear O_NONBLOCK on
//   it; for sockets that does no harm.
// - A pipe whose writer is in packet mode (pipe2(2), O_DIRECT) drops what a
//   short read leaves of a packet, which its read end can't tell: that is no
//   byte stream.
// - While a flow borrows a FIFO by an own description, the FIFO has one more
//   reader or writer.
//
// What Shutdown, Abort and errors mean:
// - kWrite: an adopted socket sends its end (SHUT_WR), an adopted pipe (the
//   write fd of a pair) is closed; for anything borrowed, terminals and files
//   it is only this side that stops writing, and ends_are_visible() is false.
// - kRead: an adopted socket does SHUT_RD, an adopted pipe is closed.
// - Abort can be seen by the peer of an adopted TCP socket only (a reset).
// - An error met on one socket ends the directions it concerns (a reset: both);
//   on a pair of fds, a pipe, a terminal or a file, only the direction that met
//   it: no space left on stdout does not end stdin.
// - WaitPeerEnd: sockets, pipes and terminals; UNIMPLEMENTED for files. On a
//   unix socket whose own half was shut, kGone is seen only if the peer reset.
// - A direction for which the fd was not opened (O_RDONLY, O_WRONLY) does not
//   exist: reads give Eof, writes *closed locally*.
//
// Guarantees: the functions here never block (but may open /proc/self/fd), may
// be called from any thread, and either make a flow or leave no trace: whatever
// they fail with, an adopted fd has been closed, a borrowed one is untouched.

#ifndef FLOW_FD_FD_H_
#define FLOW_FD_FD_H_

#include <optional>
#include <ostream>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "flow/adaptive_reads.h"
#include "flow/endpoint.h"
#include "flow/flow.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"

namespace flow {

// How a flow is made of descriptors.
struct FdOptions {
  // Makes the flow's system calls; null is the real kernel. Must outlive it.
  Syscalls* sys = nullptr;
  // What reads that keep having to wait may do about it. Nothing on
  // what has no peer: a file.
  AdaptiveReads adaptive;
  // What both ends are called, if the kernel's names (getsockname(2),
  // getpeername(2), "pipe fd 5") won't do.
  std::optional<Endpoint> local;
  std::optional<Endpoint> peer;

  // "adaptive=(spins=no)": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const FdOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const FdOptions& options) {
    return os << options.ToString();
  }
};

// A flow that owns `fd`.
// FAILED_PRECONDITION: `fd` is not open (EBADF), or a socket that is not
// connected (ENOTCONN). INVALID_ARGUMENT: it is negative, or no byte stream.
// Another failure of fcntl(2) or setsockopt(2) is passed on. `fd` is closed on
// every error.
[[nodiscard]] absl::StatusOr<Flow> Adopt(UniqueFd fd,
                                         const FdOptions& options = {});

// A flow that owns both, reads from `in` and writes to `out`, which may be of
// any two kinds. Errors as above; both are closed on every error.
[[nodiscard]] absl::StatusOr<Flow> Adopt(UniqueFd in, UniqueFd out,
                                         const FdOptions& options = {});

// A flow on the caller's `fd`. Errors as of Adopt; nothing is changed or
// closed, neither now nor later.
[[nodiscard]] absl::StatusOr<Flow> Borrow(int fd,
                                          const FdOptions& options = {});

// The same with `in` to read from and `out` to write to; equal numbers are one
// fd.
[[nodiscard]] absl::StatusOr<Flow> Borrow(int in, int out,
                                          const FdOptions& options = {});

// Standard input and output, borrowed.
[[nodiscard]] absl::StatusOr<Flow> Stdio(const FdOptions& options = {});

// Two flows, each other's peer, over socketpair(2) (unix, stream).
// RESOURCE_EXHAUSTED: no fds left.
[[nodiscard]] absl::StatusOr<std::pair<Flow, Flow>> SocketPair(
    const FdOptions& options = {});

// A flow that can only be read, and one that can only be written, over pipe(2).
// RESOURCE_EXHAUSTED: no fds left.
[[nodiscard]] absl::StatusOr<std::pair<Flow, Flow>> Pipe(
    const FdOptions& options = {});

}  // namespace flow

#endif  // FLOW_FD_FD_H_
