// File: syscalls.h
//
// Syscalls: the seam between flow and the kernel. It alone spells the names of
// system calls; everything else calls these virtuals through a pointer that it
// was given. Tests override the one call that they want to bend
// (flow/testing/scripted_syscalls.h, fault_syscalls.h, sim_syscalls.h).
//
// Every method does what the call of the same name does (see its man page):
// the result is the kernel's, -1 with `errno` set on failure; nothing is
// retried, nothing is interpreted. Differences are named at the method.
//
// Guarantees: the real implementation has no state and may be called from any
// thread. An object handed to a flow must outlive that flow.

#ifndef FLOW_SYS_SYSCALLS_H_
#define FLOW_SYS_SYSCALLS_H_

#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <termios.h>

#include <cstddef>

#include "flow/sys/mono_time.h"

struct epoll_event;
struct winsize;

namespace flow {

struct ChildFailure;
struct ChildPlan;

class Syscalls {
 public:
  virtual ~Syscalls() = default;

  // The kernel itself. Never null, lives for ever.
  static Syscalls* Real();

  // --- Clocks. Now() is exact (30 ns); CoarseNow() is the instant of the last
  // timer tick, at most 10 ms behind Now() and never ahead of it (5 ns).
  virtual MonoTime Now();
  virtual MonoTime CoarseNow();

  // --- Moving bytes.
  virtual ssize_t Read(int fd, void* buffer, size_t count);
  virtual ssize_t Write(int fd, const void* buffer, size_t count);
  virtual ssize_t Readv(int fd, const iovec* iov, int count);
  virtual ssize_t Writev(int fd, const iovec* iov, int count);
  // preadv2/pwritev2 at the file's own position (offset -1). ENOSYS where the
  // C library lacks them.
  virtual ssize_t Readv2(int fd, const iovec* iov, int count, int flags);
  virtual ssize_t Writev2(int fd, const iovec* iov, int count, int flags);
  virtual ssize_t Recv(int fd, void* buffer, size_t count, int flags);
  virtual ssize_t Send(int fd, const void* buffer, size_t count, int flags);
  virtual ssize_t Recvmsg(int fd, msghdr* message, int flags);
  virtual ssize_t Sendmsg(int fd, const msghdr* message, int flags);

  // --- Moving bytes inside the kernel (flow/relay/). At the files' own
  // positions; ENOSYS where there is no such call. Splice: one of the two is a
  // pipe; it never waits for that one (SPLICE_F_NONBLOCK), the other decides
  // for itself (O_NONBLOCK). Sendfile: from what can be mapped to anything.
  virtual ssize_t Splice(int in, int out, size_t count);
  virtual ssize_t Sendfile(int in, int out, size_t count);
  virtual ssize_t CopyFileRange(int in, int out, size_t count);

  // --- Waiting. Only flow/sleeper.cc calls Poll with a timeout other than 0.
  virtual int Poll(pollfd* fds, nfds_t count, int timeout_ms);
  // eventfd(2), close-on-exec and non-blocking.
  virtual int Eventfd();
  // epoll(7), close-on-exec; ENOSYS where there is none. Only flow/poll_set.cc
  // and flow/net/fd_group.cc call these.
  virtual int EpollCreate();
  virtual int EpollCtl(int epoll, int operation, int fd, epoll_event* event);
  virtual int EpollWait(int epoll, epoll_event* events, int count,
                        int timeout_ms);

  // Whether a short wait may be spun for instead (flow/adaptive_reads.h): on
  // the real kernel, where there are several processors. What stands in for it
  // need not have its time nor its processors, so it says no unless it is told
  // to say otherwise.
  virtual bool SpinningHelps() const;

  // --- Making and ending descriptors. All are born close-on-exec.
  virtual int Open(const char* path, int flags, mode_t mode);
  virtual int Pipe(int fds[2], int flags);
  virtual int Socket(int domain, int type, int protocol);
  virtual int Socketpair(int domain, int type, int protocol, int fds[2]);
  virtual int Accept(int fd, sockaddr* address, socklen_t* length, int flags);
  virtual int Close(int fd);

  // --- Sockets.
  virtual int Bind(int fd, const sockaddr* address, socklen_t length);
  virtual int Listen(int fd, int backlog);
  virtual int Connect(int fd, const sockaddr* address, socklen_t length);
  virtual int Shutdown(int fd, int how);
  virtual int Getsockname(int fd, sockaddr* address, socklen_t* length);
  virtual int Getpeername(int fd, sockaddr* address, socklen_t* length);
  virtual int Getsockopt(int fd, int level, int name, void* value,
                         socklen_t* length);
  virtual int Setsockopt(int fd, int level, int name, const void* value,
                         socklen_t length);

  // --- Asking about descriptors and files.
  virtual int Fcntl(int fd, int command, int argument);
  virtual int Fstat(int fd, struct stat* out);
  virtual int Lstat(const char* path, struct stat* out);
  virtual int Isatty(int fd);
  // ioctl(TIOCGPTN): succeeds on the master side of a pty alone.
  virtual int PtyNumber(int fd);
  virtual int Tcgetattr(int fd, termios* out);
  virtual ssize_t Readlink(const char* path, char* buffer, size_t size);
  virtual int Unlink(const char* path);
  // On a unix socket that is not yet bound: the mode of the file that bind
  // makes (Linux; no window in which it has another).
  virtual int Fchmod(int fd, mode_t mode);
  virtual int Flock(int fd, int operation);

  // --- The SIGPIPE guard (flow/fd/sigpipe.h). The mask is the thread's own.
  virtual int SigMask(int how, const sigset_t* set, sigset_t* old);
  virtual int SigPending(sigset_t* set);
  // sigtimedwait(2) with a zero timeout: takes one pending signal of `set`.
  virtual int SigTake(const sigset_t* set);

  // --- Threads. pthread_create(3) with default attributes: 0, or the error's
  // number. Only flow/sys/own_thread.cc calls it.
  virtual int StartThread(pthread_t* thread, void* (*body)(void*),
                          void* argument);

  // --- Processes (flow/net/child_process.h). StartChild is fork and exec in
  // one (flow/sys/child.h): the new process, or -1 with `failure` filled in.
  virtual pid_t StartChild(const ChildPlan& plan, ChildFailure* failure);
  // pidfd_open(2), close-on-exec; ENOSYS where there is none.
  virtual int PidfdOpen(pid_t pid);
  // waitid(2) and a signal for the process behind `pidfd` or, if that is -1,
  // for `pid`; a negative `pid` is a process group, for Kill alone.
  virtual int Waitid(pid_t pid, int pidfd, siginfo_t* info, int options);
  virtual int Kill(pid_t pid, int pidfd, int signal);

  // --- Terminals (flow/net/pty.h). PtyUnlock lets the slave side of the pty
  // master `fd` be opened (TIOCSPTLCK); PtySlave opens it, without making it
  // anybody's terminal (TIOCGPTPEER, else its path).
  virtual int PtyUnlock(int fd);
  virtual int PtySlave(int fd);
  virtual int GetWindowSize(int fd, winsize* size);
  virtual int SetWindowSize(int fd, const winsize* size);
  virtual int Tcsetattr(int fd, int actions, const termios* mode);

  // --- Names. getaddrinfo(3): blocks for as long as the resolver likes; the
  // result is freed with FreeAddrInfo.
  virtual int GetAddrInfo(const char* node, const char* service,
                          const addrinfo* hints, addrinfo** result);
  virtual void FreeAddrInfo(addrinfo* result);
};

}  // namespace flow

#endif  // FLOW_SYS_SYSCALLS_H_
