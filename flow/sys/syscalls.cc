#include "flow/sys/syscalls.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "flow/sys/processors.h"

#ifdef __linux__
#include <sys/sendfile.h>
#endif

namespace flow {
namespace {

MonoTime ReadClock(clockid_t id) {
  timespec ts;
  // Fails only for an unknown clock id or a bad pointer (clock_gettime(2)).
  ::clock_gettime(id, &ts);
  return MonoTime::FromNanos(static_cast<int64_t>(ts.tv_sec) * 1'000'000'000 +
                             ts.tv_nsec);
}

}  // namespace

Syscalls* Syscalls::Real() {
  // Never destroyed: flows that live in other static objects may still use it
  // while the process ends.
  static Syscalls* const real = new Syscalls;
  return real;
}

bool Syscalls::SpinningHelps() const {
  return this == Real() && Processors() > 1;
}

MonoTime Syscalls::Now() { return ReadClock(CLOCK_MONOTONIC); }

MonoTime Syscalls::CoarseNow() {
#ifdef CLOCK_MONOTONIC_COARSE
  return ReadClock(CLOCK_MONOTONIC_COARSE);
#else
  return Now();
#endif
}

ssize_t Syscalls::Read(int fd, void* buffer, size_t count) {
  return ::read(fd, buffer, count);
}
ssize_t Syscalls::Write(int fd, const void* buffer, size_t count) {
  return ::write(fd, buffer, count);
}
ssize_t Syscalls::Readv(int fd, const iovec* iov, int count) {
  return ::readv(fd, iov, count);
}
ssize_t Syscalls::Writev(int fd, const iovec* iov, int count) {
  return ::writev(fd, iov, count);
}
ssize_t Syscalls::Readv2(int fd, const iovec* iov, int count, int flags) {
#ifdef __linux__
  return ::preadv2(fd, iov, count, -1, flags);
#else
  errno = ENOSYS;
  return -1;
#endif
}
ssize_t Syscalls::Writev2(int fd, const iovec* iov, int count, int flags) {
#ifdef __linux__
  return ::pwritev2(fd, iov, count, -1, flags);
#else
  errno = ENOSYS;
  return -1;
#endif
}
ssize_t Syscalls::Recv(int fd, void* buffer, size_t count, int flags) {
  return ::recv(fd, buffer, count, flags);
}
ssize_t Syscalls::Send(int fd, const void* buffer, size_t count, int flags) {
  return ::send(fd, buffer, count, flags);
}
ssize_t Syscalls::Recvmsg(int fd, msghdr* message, int flags) {
  return ::recvmsg(fd, message, flags);
}
ssize_t Syscalls::Sendmsg(int fd, const msghdr* message, int flags) {
  return ::sendmsg(fd, message, flags);
}

#ifdef __linux__
ssize_t Syscalls::Splice(int in, int out, size_t count) {
  // Never SPLICE_F_MORE: it makes TCP hold the last part back for 200 ms.
  return ::splice(in, nullptr, out, nullptr, count,
                  SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}
ssize_t Syscalls::Sendfile(int in, int out, size_t count) {
  return ::sendfile(out, in, nullptr, count);
}
ssize_t Syscalls::CopyFileRange(int in, int out, size_t count) {
  return ::copy_file_range(in, nullptr, out, nullptr, count, 0);
}
#else
ssize_t Syscalls::Splice(int, int, size_t) {
  errno = ENOSYS;
  return -1;
}
ssize_t Syscalls::Sendfile(int, int, size_t) {
  errno = ENOSYS;
  return -1;
}
ssize_t Syscalls::CopyFileRange(int, int, size_t) {
  errno = ENOSYS;
  return -1;
}
#endif

int Syscalls::Poll(pollfd* fds, nfds_t count, int timeout_ms) {
  return ::poll(fds, count, timeout_ms);
}
int Syscalls::Eventfd() { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

#ifdef __linux__
int Syscalls::EpollCreate() { return ::epoll_create1(EPOLL_CLOEXEC); }
int Syscalls::EpollCtl(int epoll, int operation, int fd, epoll_event* event) {
  return ::epoll_ctl(epoll, operation, fd, event);
}
int Syscalls::EpollWait(int epoll, epoll_event* events, int count,
                        int timeout_ms) {
  return ::epoll_wait(epoll, events, count, timeout_ms);
}
#else
int Syscalls::EpollCreate() {
  errno = ENOSYS;
  return -1;
}
int Syscalls::EpollCtl(int, int, int, epoll_event*) {
  errno = ENOSYS;
  return -1;
}
int Syscalls::EpollWait(int, epoll_event*, int, int) {
  errno = ENOSYS;
  return -1;
}
#endif

int Syscalls::Open(const char* path, int flags, mode_t mode) {
  return ::open(path, flags | O_CLOEXEC, mode);
}
int Syscalls::Pipe(int fds[2], int flags) {
  return ::pipe2(fds, flags | O_CLOEXEC);
}
int Syscalls::Socket(int domain, int type, int protocol) {
  return ::socket(domain, type | SOCK_CLOEXEC, protocol);
}
int Syscalls::Socketpair(int domain, int type, int protocol, int fds[2]) {
  return ::socketpair(domain, type | SOCK_CLOEXEC, protocol, fds);
}
int Syscalls::Accept(int fd, sockaddr* address, socklen_t* length, int flags) {
  return ::accept4(fd, address, length, flags | SOCK_CLOEXEC);
}
int Syscalls::Close(int fd) { return ::close(fd); }

int Syscalls::Bind(int fd, const sockaddr* address, socklen_t length) {
  return ::bind(fd, address, length);
}
int Syscalls::Listen(int fd, int backlog) { return ::listen(fd, backlog); }
int Syscalls::Connect(int fd, const sockaddr* address, socklen_t length) {
  // [run] TSan takes connect(2) for the birth of the fd, and the one that
  // aborts a connection (AF_UNSPEC) for a race with reads that are under way.
  return static_cast<int>(::syscall(SYS_connect, fd, address, length));
}
int Syscalls::Shutdown(int fd, int how) { return ::shutdown(fd, how); }
int Syscalls::Getsockname(int fd, sockaddr* address, socklen_t* length) {
  return ::getsockname(fd, address, length);
}
int Syscalls::Getpeername(int fd, sockaddr* address, socklen_t* length) {
  return ::getpeername(fd, address, length);
}
int Syscalls::Getsockopt(int fd, int level, int name, void* value,
                         socklen_t* length) {
  return ::getsockopt(fd, level, name, value, length);
}
int Syscalls::Setsockopt(int fd, int level, int name, const void* value,
                         socklen_t length) {
  return ::setsockopt(fd, level, name, value, length);
}

int Syscalls::Fcntl(int fd, int command, int argument) {
  return ::fcntl(fd, command, argument);
}
int Syscalls::Fstat(int fd, struct stat* out) { return ::fstat(fd, out); }
int Syscalls::Lstat(const char* path, struct stat* out) {
  return ::lstat(path, out);
}
int Syscalls::Isatty(int fd) { return ::isatty(fd); }
int Syscalls::PtyNumber(int fd) {
#ifdef TIOCGPTN
  unsigned int number = 0;
  return ::ioctl(fd, TIOCGPTN, &number) == 0 ? static_cast<int>(number) : -1;
#else
  errno = ENOTTY;
  return -1;
#endif
}
int Syscalls::Tcgetattr(int fd, termios* out) { return ::tcgetattr(fd, out); }
ssize_t Syscalls::Readlink(const char* path, char* buffer, size_t size) {
  return ::readlink(path, buffer, size);
}
int Syscalls::Unlink(const char* path) { return ::unlink(path); }
int Syscalls::Fchmod(int fd, mode_t mode) { return ::fchmod(fd, mode); }
int Syscalls::Flock(int fd, int operation) { return ::flock(fd, operation); }

int Syscalls::SigMask(int how, const sigset_t* set, sigset_t* old) {
  return ::pthread_sigmask(how, set, old);
}
int Syscalls::SigPending(sigset_t* set) { return ::sigpending(set); }
int Syscalls::SigTake(const sigset_t* set) {
  const timespec none = {0, 0};
  return ::sigtimedwait(set, nullptr, &none);
}

int Syscalls::StartThread(pthread_t* thread, void* (*body)(void*),
                          void* argument) {
  return ::pthread_create(thread, nullptr, body, argument);
}

int Syscalls::PidfdOpen(pid_t pid) {
#ifdef SYS_pidfd_open
  // Not in the C library before glibc 2.36. Close-on-exec by itself.
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0U));
#else
  static_cast<void>(pid);
  errno = ENOSYS;
  return -1;
#endif
}
int Syscalls::Waitid(pid_t pid, int pidfd, siginfo_t* info, int options) {
#ifdef __linux__
  // P_PIDFD, which not every C library names. Linux 5.3 has pidfd_open, but
  // answers this with EINVAL.
  constexpr auto kPidfd = static_cast<idtype_t>(3);
  if (pidfd >= 0) {
    const int result =
        ::waitid(kPidfd, static_cast<id_t>(pidfd), info, options);
    if (result == 0 || errno != EINVAL) return result;
  }
#else
  static_cast<void>(pidfd);
#endif
  return ::waitid(P_PID, static_cast<id_t>(pid), info, options);
}
int Syscalls::Kill(pid_t pid, int pidfd, int signal) {
#ifdef SYS_pidfd_send_signal
  if (pidfd >= 0) {
    const long result =
        ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0U);
    if (result == 0 || errno != ENOSYS) return static_cast<int>(result);
  }
#else
  static_cast<void>(pidfd);
#endif
  return ::kill(pid, signal);
}

int Syscalls::PtyUnlock(int fd) { return ::unlockpt(fd); }
int Syscalls::PtySlave(int fd) {
#ifdef TIOCGPTPEER
  const int slave = ::ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave >= 0) return slave;
#endif
  char path[64];
  const int error = ::ptsname_r(fd, path, sizeof(path));
  if (error != 0) {
    errno = error;
    return -1;
  }
  return ::open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
}
int Syscalls::GetWindowSize(int fd, winsize* size) {
  return ::ioctl(fd, TIOCGWINSZ, size);
}
int Syscalls::SetWindowSize(int fd, const winsize* size) {
  return ::ioctl(fd, TIOCSWINSZ, size);
}
int Syscalls::Tcsetattr(int fd, int actions, const termios* mode) {
  return ::tcsetattr(fd, actions, mode);
}

int Syscalls::GetAddrInfo(const char* node, const char* service,
                          const addrinfo* hints, addrinfo** result) {
  return ::getaddrinfo(node, service, hints, result);
}
void Syscalls::FreeAddrInfo(addrinfo* result) { ::freeaddrinfo(result); }

}  // namespace flow
