// What the tests of dialling and listening share: addresses where nobody
// listens, or where nothing ever comes of it, names that resolve as told, and
// kernels that are short of something.

#ifndef FLOW_NET_NET_TEST_SUPPORT_H_
#define FLOW_NET_NET_TEST_SUPPORT_H_

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "gtest/gtest.h"

namespace flow_testing {

// A port on which nobody listens, for as long as the result lives.
inline std::pair<flow::UniqueFd, std::string> DeadAddress() {
  flow::UniqueFd bound(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof(address);
  EXPECT_EQ(bind(bound.get(), generic, length), 0);
  EXPECT_EQ(getsockname(bound.get(), generic, &length), 0);
  return {std::move(bound),
          absl::StrCat("tcp:127.0.0.1:", ntohs(address.sin_port))};
}

// Names resolve to what the test says.
class FakeNames : public flow::Syscalls {
 public:
  int GetAddrInfo(const char* node, const char* service, const addrinfo* hints,
                  addrinfo** result) override {
    if (!at_once && (hints->ai_flags & AI_NUMERICHOST) != 0) return EAI_NONAME;
    asked = absl::StrCat(node, "/", service);
    const size_t count = addresses.size();
    auto* const list = new addrinfo[count]();
    for (size_t i = 0; i < count; ++i) {
      list[i].ai_addr = reinterpret_cast<sockaddr*>(&addresses[i]);
      list[i].ai_addrlen = sizeof(sockaddr_in);
      list[i].ai_next = i + 1 < count ? &list[i + 1] : nullptr;
    }
    *result = list;
    return 0;
  }
  void FreeAddrInfo(addrinfo* result) override { delete[] result; }

  // `host` is one of this machine, in host order.
  void Add(const std::string& tcp_address, uint32_t host = INADDR_LOOPBACK) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(host);
    address.sin_port = htons(static_cast<uint16_t>(
        std::stoi(tcp_address.substr(tcp_address.rfind(':') + 1))));
    addresses.push_back(address);
  }

  std::vector<sockaddr_in> addresses;
  std::string asked;
  // As a number is: without a helper thread, whose time is not simulated, and
  // which this would have to outlive if a limit cuts the look-up.
  bool at_once = false;
};

// Whose resolver answers when it is let go on.
class StuckNames : public FakeNames {
 public:
  int GetAddrInfo(const char* node, const char* service, const addrinfo* hints,
                  addrinfo** result) override {
    if ((hints->ai_flags & AI_NUMERICHOST) != 0) return EAI_NONAME;
    asked_now.Notify();
    go_on.WaitForNotification();
    return FakeNames::GetAddrInfo(node, service, hints, result);
  }
  void FreeAddrInfo(addrinfo* result) override {
    FakeNames::FreeAddrInfo(result);
    freed.Notify();
  }
  absl::Notification asked_now, go_on, freed;
};

// A full backlog is a black hole that needs no network: Linux drops the SYN,
// and a unix connect says EAGAIN.
class BlackHole {
 public:
  explicit BlackHole(int family, const std::string& path = "") {
    fd_ = flow::UniqueFd(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage storage = {};
    storage.ss_family = static_cast<sa_family_t>(family);
    socklen_t length = sizeof(sockaddr_in);
    if (family == AF_UNIX) {
      std::memcpy(reinterpret_cast<sockaddr_un*>(&storage)->sun_path,
                  path.c_str(), path.size() + 1);
      length = sizeof(sockaddr_un);
      address_ = "unix:" + path;
    } else {
      reinterpret_cast<sockaddr_in*>(&storage)->sin_addr.s_addr =
          htonl(INADDR_LOOPBACK);
    }
    auto* const generic = reinterpret_cast<sockaddr*>(&storage);
    EXPECT_EQ(bind(fd_.get(), generic, length), 0);
    EXPECT_EQ(listen(fd_.get(), 0), 0);
    length = sizeof(storage);
    EXPECT_EQ(getsockname(fd_.get(), generic, &length), 0);
    if (family == AF_INET) {
      address_ = absl::StrCat(
          "tcp:127.0.0.1:",
          ntohs(reinterpret_cast<sockaddr_in*>(&storage)->sin_port));
    }
    for (int i = 0; i < 3; ++i) {
      queued_.emplace_back(socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));
      connect(queued_.back().get(), generic, length);
    }
  }
  const std::string& address() const { return address_; }
  int fd() const { return fd_.get(); }

 private:
  flow::UniqueFd fd_;
  std::string address_;
  std::vector<flow::UniqueFd> queued_;
};

// Makes room in the black hole at `fd` once three connects have been turned
// away.
class Draining : public flow::Syscalls {
 public:
  explicit Draining(int fd) : fd_(fd) {}
  int Connect(int fd, const sockaddr* address, socklen_t length) override {
    const int result = Syscalls::Connect(fd, address, length);
    const int error = errno;
    if (result != 0 && ++refused == 3) {
      flow::UniqueFd(accept(fd_, nullptr, nullptr)).reset();
    }
    errno = error;
    return result;
  }
  std::atomic<int> refused{0};

 private:
  const int fd_;
};

// Nothing left to be made.
class NoSockets : public flow::Syscalls {
 public:
  int Socket(int, int, int) override {
    errno = EMFILE;
    return -1;
  }
};

// accept fails as told, then as the kernel does.
class FailingAccept : public flow::Syscalls {
 public:
  int Accept(int fd, sockaddr* address, socklen_t* length, int flags) override {
    ++calls;
    absl::MutexLock lock(&mu);
    if (!errors.empty()) {
      errno = errors.front();
      errors.pop_front();
      return -1;
    }
    return Syscalls::Accept(fd, address, length, flags);
  }
  std::atomic<int> calls{0};
  absl::Mutex mu;
  std::deque<int> errors;
};

}  // namespace flow_testing

#endif  // FLOW_NET_NET_TEST_SUPPORT_H_
