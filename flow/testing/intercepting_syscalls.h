// File: intercepting_syscalls.h
//
// InterceptingSyscalls: every system call of flow/sys/syscalls.h brought to one
// form and one place, so that a fake decides in a single function what the
// kernel says. ScriptedSyscalls and FaultSyscalls are made of it; so may be a
// fake of your own:
//
//   class NoRoom : public flow_testing::InterceptingSyscalls {
//    protected:
//     int64_t OnCall(const Request& request, Real real) override {
//       if (request.call != Call::kSend) return real(Request::kAllBytes);
//       errno = ENOBUFS;
//       return -1;
//     }
//   };
//
// Calls are carried out by another Syscalls, the *base*: the kernel, or another
// fake (FaultSyscalls over SimSyscalls: faults on simulated time).
//
// Guarantees: as thread-safe as OnCall and the base.

#ifndef FLOW_TESTING_INTERCEPTING_SYSCALLS_H_
#define FLOW_TESTING_INTERCEPTING_SYSCALLS_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <ostream>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/call_set.h"

namespace flow_testing {

// What was asked of the kernel. Points into the caller's memory: valid while
// the call lasts.
struct Request {
  // Of a limit: none.
  static constexpr size_t kAllBytes = std::numeric_limits<size_t>::max();

  Call call = Call::kRead;  // which
  int fd = -1;              // -1 for calls that take none
  int to_fd = -1;           // of a splice or the like: `fd` is the source
  absl::Span<const iovec> memory;  // where bytes go to or come from
  size_t count = 0;                // of a splice or the like
  bool dont_wait = false;          // MSG_DONTWAIT, RWF_NOWAIT
  absl::Span<pollfd> polled;       // of a poll
  int timeout_ms = 0;              // of a poll
  int command = 0;                 // of fcntl, and of epoll_ctl

  // The length of `memory`, or `count`.
  size_t bytes() const;

  // "recv(fd 5, 4096 B)".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Request& request) {
    sink.Append(request.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Request& request) {
    return os << request.ToString();
  }
};

class InterceptingSyscalls : public flow::Syscalls {
 public:
  // `base` carries the calls out and must outlive this; null is the kernel.
  explicit InterceptingSyscalls(flow::Syscalls* base = nullptr);

  flow::MonoTime Now() override;
  flow::MonoTime CoarseNow() override;

  ssize_t Read(int fd, void* buffer, size_t count) override;
  ssize_t Write(int fd, const void* buffer, size_t count) override;
  ssize_t Readv(int fd, const iovec* iov, int count) override;
  ssize_t Writev(int fd, const iovec* iov, int count) override;
  ssize_t Readv2(int fd, const iovec* iov, int count, int flags) override;
  ssize_t Writev2(int fd, const iovec* iov, int count, int flags) override;
  ssize_t Recv(int fd, void* buffer, size_t count, int flags) override;
  ssize_t Send(int fd, const void* buffer, size_t count, int flags) override;
  ssize_t Recvmsg(int fd, msghdr* message, int flags) override;
  ssize_t Sendmsg(int fd, const msghdr* message, int flags) override;

  ssize_t Splice(int in, int out, size_t count) override;
  ssize_t Sendfile(int in, int out, size_t count) override;
  ssize_t CopyFileRange(int in, int out, size_t count) override;

  int Poll(pollfd* fds, nfds_t count, int timeout_ms) override;
  int Eventfd() override;
  int EpollCreate() override;
  int EpollCtl(int epoll, int operation, int fd, epoll_event* event) override;
  int EpollWait(int epoll, epoll_event* events, int count,
                int timeout_ms) override;

  int Open(const char* path, int flags, mode_t mode) override;
  int Pipe(int fds[2], int flags) override;
  int Socket(int domain, int type, int protocol) override;
  int Socketpair(int domain, int type, int protocol, int fds[2]) override;
  int Accept(int fd, sockaddr* address, socklen_t* length, int flags) override;
  int Close(int fd) override;

  int Bind(int fd, const sockaddr* address, socklen_t length) override;
  int Listen(int fd, int backlog) override;
  int Connect(int fd, const sockaddr* address, socklen_t length) override;
  int Shutdown(int fd, int how) override;
  int Getsockname(int fd, sockaddr* address, socklen_t* length) override;
  int Getpeername(int fd, sockaddr* address, socklen_t* length) override;
  int Getsockopt(int fd, int level, int name, void* value,
                 socklen_t* length) override;
  int Setsockopt(int fd, int level, int name, const void* value,
                 socklen_t length) override;

  int Fcntl(int fd, int command, int argument) override;
  int Fstat(int fd, struct stat* out) override;
  int Lstat(const char* path, struct stat* out) override;
  int Isatty(int fd) override;
  int PtyNumber(int fd) override;
  int Tcgetattr(int fd, termios* out) override;
  ssize_t Readlink(const char* path, char* buffer, size_t size) override;
  int Unlink(const char* path) override;
  int Fchmod(int fd, mode_t mode) override;
  int Flock(int fd, int operation) override;

  int SigMask(int how, const sigset_t* set, sigset_t* old) override;
  int SigPending(sigset_t* set) override;
  int SigTake(const sigset_t* set) override;

  int StartThread(pthread_t* thread, void* (*body)(void*),
                  void* argument) override;
  // The child itself makes real calls.
  pid_t StartChild(const flow::ChildPlan& plan,
                   flow::ChildFailure* failure) override;
  int PidfdOpen(pid_t pid) override;
  int Waitid(pid_t pid, int pidfd, siginfo_t* info, int options) override;
  int Kill(pid_t pid, int pidfd, int signal) override;
  int PtyUnlock(int fd) override;
  int PtySlave(int fd) override;
  int GetWindowSize(int fd, winsize* size) override;
  int SetWindowSize(int fd, const winsize* size) override;
  int Tcsetattr(int fd, int actions, const termios* mode) override;

  int GetAddrInfo(const char* node, const char* service, const addrinfo* hints,
                  addrinfo** result) override;
  void FreeAddrInfo(addrinfo* result) override;

 protected:
  // Carries the call out on the base, moving at most so many bytes.
  using Real = absl::FunctionRef<int64_t(size_t max_bytes)>;

  // Decides the call: its result, and errno if that is -1. (Of isatty, -1 is
  // "no"; of getaddrinfo, EAI_SYSTEM; of pthread_create, errno is the answer.)
  virtual int64_t OnCall(const Request& request, Real real) = 0;

  // Who carries the calls out; never null.
  flow::Syscalls* base() const { return base_; }

 private:
  // A call that moves no bytes.
  template <typename Function>
  int Simple(Call call, int fd, Function function);
  // Calls on an array of iovecs.
  template <typename Function>
  ssize_t Vectored(Call call, int fd, absl::Span<const iovec> memory,
                   bool dont_wait, Function function);
  // Calls that move bytes from descriptor to descriptor.
  template <typename Function>
  ssize_t Between(Call call, int in, int out, size_t count, Function function);
  // Calls on one piece of memory.
  template <typename Function>
  ssize_t Flat(Call call, int fd, const void* buffer, size_t count,
               bool dont_wait, Function function);

  flow::Syscalls* const base_;
};

}  // namespace flow_testing

#endif  // FLOW_TESTING_INTERCEPTING_SYSCALLS_H_
