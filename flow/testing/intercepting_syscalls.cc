#include "flow/testing/intercepting_syscalls.h"

#include <algorithm>
#include <cerrno>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "flow/sys/child.h"

namespace flow_testing {
namespace {

using Iovecs = absl::InlinedVector<iovec, 8>;

// The first `max_bytes` of `memory`. Empty pieces before that are kept, so that
// an unlimited call goes to the kernel as it came.
Iovecs Front(absl::Span<const iovec> memory, size_t max_bytes) {
  Iovecs front;
  for (iovec piece : memory) {
    if (max_bytes == 0 && !front.empty()) break;
    piece.iov_len = std::min(piece.iov_len, max_bytes);
    max_bytes -= piece.iov_len;
    front.push_back(piece);
  }
  return front;
}

// The kernel takes `count` as it is and answers a bad one with EINVAL.
absl::Span<const iovec> SpanOf(const iovec* iov, int count) {
  return absl::MakeConstSpan(iov, count < 0 ? 0 : static_cast<size_t>(count));
}

bool DontWait(Call call, int flags) {
#ifdef RWF_NOWAIT
  if (call == Call::kReadv2 || call == Call::kWritev2) {
    return (flags & RWF_NOWAIT) != 0;
  }
#else
  static_cast<void>(call);
#endif
  return (flags & MSG_DONTWAIT) != 0;
}

}  // namespace

size_t Request::bytes() const {
  size_t sum = count;
  for (const iovec& piece : memory) sum += piece.iov_len;
  return sum;
}

InterceptingSyscalls::InterceptingSyscalls(flow::Syscalls* base)
    : base_(base != nullptr ? base : flow::Syscalls::Real()) {}

template <typename Function>
int InterceptingSyscalls::Simple(Call call, int fd, Function function) {
  Request request;
  request.call = call;
  request.fd = fd;
  return static_cast<int>(
      OnCall(request, [&](size_t) -> int64_t { return function(); }));
}

template <typename Function>
ssize_t InterceptingSyscalls::Vectored(Call call, int fd,
                                       absl::Span<const iovec> memory,
                                       bool dont_wait, Function function) {
  Request request;
  request.call = call;
  request.fd = fd;
  request.memory = memory;
  request.dont_wait = dont_wait;
  return static_cast<ssize_t>(OnCall(request, [&](size_t max_bytes) -> int64_t {
    Iovecs front = Front(memory, max_bytes);
    return function(front.data(), front.size());
  }));
}

template <typename Function>
ssize_t InterceptingSyscalls::Flat(Call call, int fd, const void* buffer,
                                   size_t count, bool dont_wait,
                                   Function function) {
  // An iovec has no const form; what is only read stays only read.
  const iovec piece = {const_cast<void*>(buffer), count};
  Request request;
  request.call = call;
  request.fd = fd;
  request.memory = absl::MakeConstSpan(&piece, 1);
  request.dont_wait = dont_wait;
  return static_cast<ssize_t>(OnCall(request, [&](size_t max_bytes) -> int64_t {
    return function(std::min(count, max_bytes));
  }));
}

flow::MonoTime InterceptingSyscalls::Now() { return base_->Now(); }
flow::MonoTime InterceptingSyscalls::CoarseNow() { return base_->CoarseNow(); }

ssize_t InterceptingSyscalls::Read(int fd, void* buffer, size_t count) {
  return Flat(Call::kRead, fd, buffer, count, false,
              [&](size_t n) { return base_->Read(fd, buffer, n); });
}
ssize_t InterceptingSyscalls::Write(int fd, const void* buffer, size_t count) {
  return Flat(Call::kWrite, fd, buffer, count, false,
              [&](size_t n) { return base_->Write(fd, buffer, n); });
}
ssize_t InterceptingSyscalls::Recv(int fd, void* buffer, size_t count,
                                   int flags) {
  return Flat(Call::kRecv, fd, buffer, count, DontWait(Call::kRecv, flags),
              [&](size_t n) { return base_->Recv(fd, buffer, n, flags); });
}
ssize_t InterceptingSyscalls::Send(int fd, const void* buffer, size_t count,
                                   int flags) {
  return Flat(Call::kSend, fd, buffer, count, DontWait(Call::kSend, flags),
              [&](size_t n) { return base_->Send(fd, buffer, n, flags); });
}

ssize_t InterceptingSyscalls::Readv(int fd, const iovec* iov, int count) {
  return Vectored(Call::kReadv, fd, SpanOf(iov, count), false,
                  [&](const iovec* front, size_t n) {
                    return base_->Readv(fd, front, static_cast<int>(n));
                  });
}
ssize_t InterceptingSyscalls::Writev(int fd, const iovec* iov, int count) {
  return Vectored(Call::kWritev, fd, SpanOf(iov, count), false,
                  [&](const iovec* front, size_t n) {
                    return base_->Writev(fd, front, static_cast<int>(n));
                  });
}
ssize_t InterceptingSyscalls::Readv2(int fd, const iovec* iov, int count,
                                     int flags) {
  return Vectored(Call::kReadv2, fd, SpanOf(iov, count),
                  DontWait(Call::kReadv2, flags),
                  [&](const iovec* front, size_t n) {
                    return base_->Readv2(fd, front, static_cast<int>(n), flags);
                  });
}
ssize_t InterceptingSyscalls::Writev2(int fd, const iovec* iov, int count,
                                      int flags) {
  return Vectored(
      Call::kWritev2, fd, SpanOf(iov, count), DontWait(Call::kWritev2, flags),
      [&](const iovec* front, size_t n) {
        return base_->Writev2(fd, front, static_cast<int>(n), flags);
      });
}

ssize_t InterceptingSyscalls::Recvmsg(int fd, msghdr* message, int flags) {
  const absl::Span<const iovec> memory(message->msg_iov, message->msg_iovlen);
  return Vectored(Call::kRecvmsg, fd, memory, DontWait(Call::kRecvmsg, flags),
                  [&](iovec* front, size_t n) {
                    // The kernel fills in the rest of the header: names,
                    // control data and flags.
                    iovec* const all = message->msg_iov;
                    const auto all_count = message->msg_iovlen;
                    message->msg_iov = front;
                    message->msg_iovlen = n;
                    const ssize_t result = base_->Recvmsg(fd, message, flags);
                    message->msg_iov = all;
                    message->msg_iovlen = all_count;
                    return result;
                  });
}
ssize_t InterceptingSyscalls::Sendmsg(int fd, const msghdr* message,
                                      int flags) {
  const absl::Span<const iovec> memory(message->msg_iov, message->msg_iovlen);
  return Vectored(Call::kSendmsg, fd, memory, DontWait(Call::kSendmsg, flags),
                  [&](iovec* front, size_t n) {
                    msghdr shorter = *message;
                    shorter.msg_iov = front;
                    shorter.msg_iovlen = n;
                    return base_->Sendmsg(fd, &shorter, flags);
                  });
}

template <typename Function>
ssize_t InterceptingSyscalls::Between(Call call, int in, int out, size_t count,
                                      Function function) {
  Request request;
  request.call = call;
  request.fd = in;
  request.to_fd = out;
  request.count = count;
  return static_cast<ssize_t>(OnCall(request, [&](size_t max_bytes) -> int64_t {
    return function(std::min(count, max_bytes));
  }));
}

ssize_t InterceptingSyscalls::Splice(int in, int out, size_t count) {
  return Between(Call::kSplice, in, out, count,
                 [&](size_t n) { return base_->Splice(in, out, n); });
}
ssize_t InterceptingSyscalls::Sendfile(int in, int out, size_t count) {
  return Between(Call::kSendfile, in, out, count,
                 [&](size_t n) { return base_->Sendfile(in, out, n); });
}
ssize_t InterceptingSyscalls::CopyFileRange(int in, int out, size_t count) {
  return Between(Call::kCopyFileRange, in, out, count,
                 [&](size_t n) { return base_->CopyFileRange(in, out, n); });
}

int InterceptingSyscalls::Poll(pollfd* fds, nfds_t count, int timeout_ms) {
  Request request;
  request.call = Call::kPoll;
  request.polled = absl::MakeSpan(fds, count);
  request.timeout_ms = timeout_ms;
  return static_cast<int>(OnCall(request, [&](size_t) -> int64_t {
    return base_->Poll(fds, count, timeout_ms);
  }));
}
int InterceptingSyscalls::Eventfd() {
  return Simple(Call::kEventfd, -1, [&] { return base_->Eventfd(); });
}
int InterceptingSyscalls::EpollCreate() {
  return Simple(Call::kEpollCreate, -1, [&] { return base_->EpollCreate(); });
}
int InterceptingSyscalls::EpollCtl(int epoll, int operation, int fd,
                                   epoll_event* event) {
  Request request;
  request.call = Call::kEpollCtl;
  request.fd = fd;
  request.command = operation;
  return static_cast<int>(OnCall(request, [&](size_t) -> int64_t {
    return base_->EpollCtl(epoll, operation, fd, event);
  }));
}
int InterceptingSyscalls::EpollWait(int epoll, epoll_event* events, int count,
                                    int timeout_ms) {
  Request request;
  request.call = Call::kEpollWait;
  request.fd = epoll;
  request.timeout_ms = timeout_ms;
  return static_cast<int>(OnCall(request, [&](size_t) -> int64_t {
    return base_->EpollWait(epoll, events, count, timeout_ms);
  }));
}

int InterceptingSyscalls::Open(const char* path, int flags, mode_t mode) {
  return Simple(Call::kOpen, -1,
                [&] { return base_->Open(path, flags, mode); });
}
int InterceptingSyscalls::Pipe(int fds[2], int flags) {
  return Simple(Call::kPipe, -1, [&] { return base_->Pipe(fds, flags); });
}
int InterceptingSyscalls::Socket(int domain, int type, int protocol) {
  return Simple(Call::kSocket, -1,
                [&] { return base_->Socket(domain, type, protocol); });
}
int InterceptingSyscalls::Socketpair(int domain, int type, int protocol,
                                     int fds[2]) {
  return Simple(Call::kSocketpair, -1,
                [&] { return base_->Socketpair(domain, type, protocol, fds); });
}
int InterceptingSyscalls::Accept(int fd, sockaddr* address, socklen_t* length,
                                 int flags) {
  return Simple(Call::kAccept, fd,
                [&] { return base_->Accept(fd, address, length, flags); });
}
int InterceptingSyscalls::Close(int fd) {
  return Simple(Call::kClose, fd, [&] { return base_->Close(fd); });
}

int InterceptingSyscalls::Bind(int fd, const sockaddr* address,
                               socklen_t length) {
  return Simple(Call::kBind, fd,
                [&] { return base_->Bind(fd, address, length); });
}
int InterceptingSyscalls::Listen(int fd, int backlog) {
  return Simple(Call::kListen, fd, [&] { return base_->Listen(fd, backlog); });
}
int InterceptingSyscalls::Connect(int fd, const sockaddr* address,
                                  socklen_t length) {
  return Simple(Call::kConnect, fd,
                [&] { return base_->Connect(fd, address, length); });
}
int InterceptingSyscalls::Shutdown(int fd, int how) {
  return Simple(Call::kShutdown, fd, [&] { return base_->Shutdown(fd, how); });
}
int InterceptingSyscalls::Getsockname(int fd, sockaddr* address,
                                      socklen_t* length) {
  return Simple(Call::kGetsockname, fd,
                [&] { return base_->Getsockname(fd, address, length); });
}
int InterceptingSyscalls::Getpeername(int fd, sockaddr* address,
                                      socklen_t* length) {
  return Simple(Call::kGetpeername, fd,
                [&] { return base_->Getpeername(fd, address, length); });
}
int InterceptingSyscalls::Getsockopt(int fd, int level, int name, void* value,
                                     socklen_t* length) {
  return Simple(Call::kGetsockopt, fd, [&] {
    return base_->Getsockopt(fd, level, name, value, length);
  });
}
int InterceptingSyscalls::Setsockopt(int fd, int level, int name,
                                     const void* value, socklen_t length) {
  return Simple(Call::kSetsockopt, fd, [&] {
    return base_->Setsockopt(fd, level, name, value, length);
  });
}

int InterceptingSyscalls::Fcntl(int fd, int command, int argument) {
  Request request;
  request.call = Call::kFcntl;
  request.fd = fd;
  request.command = command;
  return static_cast<int>(OnCall(request, [&](size_t) -> int64_t {
    return base_->Fcntl(fd, command, argument);
  }));
}
int InterceptingSyscalls::Fstat(int fd, struct stat* out) {
  return Simple(Call::kFstat, fd, [&] { return base_->Fstat(fd, out); });
}
int InterceptingSyscalls::Lstat(const char* path, struct stat* out) {
  return Simple(Call::kLstat, -1, [&] { return base_->Lstat(path, out); });
}
int InterceptingSyscalls::Isatty(int fd) {
  // 0 is isatty's failure.
  const int result = Simple(Call::kIsatty, fd,
                            [&] { return base_->Isatty(fd) == 0 ? -1 : 1; });
  return result == 1 ? 1 : 0;
}
int InterceptingSyscalls::PtyNumber(int fd) {
  return Simple(Call::kPtyNumber, fd, [&] { return base_->PtyNumber(fd); });
}
int InterceptingSyscalls::Tcgetattr(int fd, termios* out) {
  return Simple(Call::kTcgetattr, fd,
                [&] { return base_->Tcgetattr(fd, out); });
}
ssize_t InterceptingSyscalls::Readlink(const char* path, char* buffer,
                                       size_t size) {
  return Simple(Call::kReadlink, -1, [&] {
    return static_cast<int>(base_->Readlink(path, buffer, size));
  });
}
int InterceptingSyscalls::Fchmod(int fd, mode_t mode) {
  return Simple(Call::kFchmod, fd, [&] { return base_->Fchmod(fd, mode); });
}
int InterceptingSyscalls::Flock(int fd, int operation) {
  return Simple(Call::kFlock, fd, [&] { return base_->Flock(fd, operation); });
}
int InterceptingSyscalls::Unlink(const char* path) {
  return Simple(Call::kUnlink, -1, [&] { return base_->Unlink(path); });
}

int InterceptingSyscalls::SigMask(int how, const sigset_t* set, sigset_t* old) {
  return base_->SigMask(how, set, old);
}
int InterceptingSyscalls::SigPending(sigset_t* set) {
  return base_->SigPending(set);
}
int InterceptingSyscalls::SigTake(const sigset_t* set) {
  return base_->SigTake(set);
}

int InterceptingSyscalls::StartThread(pthread_t* thread, void* (*body)(void*),
                                      void* argument) {
  // It returns the error's number, and leaves errno alone (pthread_create(3)).
  const int before = errno;
  int error = Simple(Call::kStartThread, -1, [&] {
    errno = base_->StartThread(thread, body, argument);
    return errno == 0 ? 0 : -1;
  });
  if (error != 0) error = errno;
  errno = before;
  return error;
}
pid_t InterceptingSyscalls::StartChild(const flow::ChildPlan& plan,
                                       flow::ChildFailure* failure) {
  bool asked = false;
  const pid_t pid = Simple(Call::kStartChild, -1, [&] {
    asked = true;
    return base_->StartChild(plan, failure);
  });
  if (pid < 0 && !asked) *failure = {flow::ChildStep::kFork, errno};
  return pid;
}
int InterceptingSyscalls::PidfdOpen(pid_t pid) {
  return Simple(Call::kPidfdOpen, -1, [&] { return base_->PidfdOpen(pid); });
}
int InterceptingSyscalls::Waitid(pid_t pid, int pidfd, siginfo_t* info,
                                 int options) {
  return Simple(Call::kWaitid, pidfd,
                [&] { return base_->Waitid(pid, pidfd, info, options); });
}
int InterceptingSyscalls::Kill(pid_t pid, int pidfd, int signal) {
  return Simple(Call::kKill, pidfd,
                [&] { return base_->Kill(pid, pidfd, signal); });
}
int InterceptingSyscalls::PtyUnlock(int fd) {
  return Simple(Call::kPtyUnlock, fd, [&] { return base_->PtyUnlock(fd); });
}
int InterceptingSyscalls::PtySlave(int fd) {
  return Simple(Call::kPtySlave, fd, [&] { return base_->PtySlave(fd); });
}
int InterceptingSyscalls::GetWindowSize(int fd, winsize* size) {
  return Simple(Call::kGetWindowSize, fd,
                [&] { return base_->GetWindowSize(fd, size); });
}
int InterceptingSyscalls::SetWindowSize(int fd, const winsize* size) {
  return Simple(Call::kSetWindowSize, fd,
                [&] { return base_->SetWindowSize(fd, size); });
}
int InterceptingSyscalls::Tcsetattr(int fd, int actions, const termios* mode) {
  return Simple(Call::kTcsetattr, fd,
                [&] { return base_->Tcsetattr(fd, actions, mode); });
}

int InterceptingSyscalls::GetAddrInfo(const char* node, const char* service,
                                      const addrinfo* hints,
                                      addrinfo** result) {
  // What stands if the resolver is not asked: "errno says it".
  int code = EAI_SYSTEM;
  const int answer = Simple(Call::kGetAddrInfo, -1, [&] {
    code = base_->GetAddrInfo(node, service, hints, result);
    return code == 0 ? 0 : -1;
  });
  return answer == 0 ? 0 : code;
}
void InterceptingSyscalls::FreeAddrInfo(addrinfo* result) {
  base_->FreeAddrInfo(result);
}

std::string Request::ToString() const {
  std::string words(CallName(call));
  absl::StrAppend(&words, "(");
  if (fd >= 0) absl::StrAppend(&words, "fd ", fd, ", ");
  if (to_fd >= 0) absl::StrAppend(&words, "to fd ", to_fd, ", ");
  if (call == Call::kPoll) {
    absl::StrAppend(&words, polled.size(), " polled, ", timeout_ms, " ms)");
  } else {
    absl::StrAppend(&words, bytes(), " B)");
  }
  return words;
}

}  // namespace flow_testing
