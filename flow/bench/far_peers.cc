#include "flow/bench/far_peers.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "absl/time/time.h"
#include "flow/bench/rig.h"
#include "flow/sys/mono_time.h"

namespace flow_bench {
namespace {

// Told instead of an index.
constexpr uint32_t kEcho = ~uint32_t{0};

void Send(int via, int fd) {
  char byte = 0;
  iovec iov = {&byte, 1};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof(space);
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof(int));
  std::copy_n(reinterpret_cast<const unsigned char*>(&fd), sizeof(fd),
              CMSG_DATA(head));
  Must(sendmsg(via, &message, 0) >= 0, "sendmsg");
}

int Receive(int via) {
  char byte = 0;
  iovec iov = {&byte, 1};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof(space);
  Must(recvmsg(via, &message, MSG_CMSG_CLOEXEC) > 0, "recvmsg");
  int fd = -1;
  std::copy_n(CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd),
              reinterpret_cast<unsigned char*>(&fd));
  return fd;
}

// Until the parent is gone: each of `fds`, then `command`, is at its end.
[[noreturn]] void EchoAll(const std::vector<int>& fds, int command) {
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  const auto add = [epoll](int fd) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.fd = fd;
    Must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
  };
  for (const int fd : fds) add(fd);
  add(command);
  for (;;) {
    epoll_event events[64];
    const int n = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < n; ++i) {
      if (events[i].data.fd == command) _exit(0);
      char bytes[4096];
      const ssize_t got = recv(events[i].data.fd, bytes, sizeof(bytes), 0);
      if (got <= 0 || send(events[i].data.fd, bytes, static_cast<size_t>(got),
                           MSG_NOSIGNAL) != got) {
        close(events[i].data.fd);
      }
    }
  }
}

}  // namespace

FarPeers::FarPeers(size_t count) {
  RaiseFdLimit();
  int hand_over[2];
  Must(pipe(command_) == 0 && pipe(answer_) == 0 &&
           socketpair(AF_UNIX, SOCK_STREAM, 0, hand_over) == 0,
       "pipe");
  child_ = fork();
  Must(child_ >= 0, "fork");
  if (child_ == 0) Serve(hand_over[1], count);
  close(hand_over[1]);
  close(command_[0]);
  close(answer_[1]);
  for (size_t i = 0; i < count; ++i) {
    int fds[2];
    Must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0,
         "socketpair");
    Send(hand_over[0], fds[1]);
    close(fds[1]);
    ours_.push_back(fds[0]);
  }
  close(hand_over[0]);
}

FarPeers::~FarPeers() {
  close(command_[1]);
  close(answer_[0]);
  waitpid(child_, nullptr, 0);
}

double FarPeers::ProbeSeconds(uint32_t index) const {
  double seconds = 0;
  Must(write(command_[1], &index, sizeof(index)) == sizeof(index) &&
           read(answer_[0], &seconds, sizeof(seconds)) == sizeof(seconds),
       "probe");
  return seconds;
}

void FarPeers::Echo() const {
  Must(write(command_[1], &kEcho, sizeof(kEcho)) == sizeof(kEcho), "echo");
}

void FarPeers::Serve(int via, size_t count) const {
  close(command_[1]);
  close(answer_[0]);
  std::vector<int> fds;
  for (size_t i = 0; i < count; ++i) fds.push_back(Receive(via));
  uint32_t index = 0;
  while (read(command_[0], &index, sizeof(index)) == sizeof(index)) {
    if (index == kEcho) EchoAll(fds, command_[0]);
    char byte = 'x';
    const flow::MonoTime begin = flow::MonoTime::Now();
    if (write(fds[index], &byte, 1) != 1 || read(fds[index], &byte, 1) != 1) {
      break;
    }
    const double seconds = absl::ToDoubleSeconds(flow::MonoTime::Now() - begin);
    if (write(answer_[1], &seconds, sizeof(seconds)) != sizeof(seconds)) break;
  }
  _exit(0);
}

}  // namespace flow_bench
