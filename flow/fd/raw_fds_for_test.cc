#include "flow/fd/raw_fds_for_test.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>

#include "gtest/gtest.h"

namespace flow_testing {

using flow::UniqueFd;

RawPair RawPipe(int flags) {
  int fds[2] = {-1, -1};
  EXPECT_EQ(pipe2(fds, flags), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

RawPair RawSocketPair(int type) {
  int fds[2] = {-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, type, 0, fds), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

RawPair RawSocketPair() { return RawSocketPair(SOCK_STREAM); }

RawPair RawTcpPair(int buffer) { return RawTcpPairs(buffer).Make(); }

namespace {

void SetBuffers(const UniqueFd& fd, int buffer) {
  if (buffer == 0) return;
  for (const int option : {SO_RCVBUF, SO_SNDBUF}) {
    EXPECT_EQ(setsockopt(fd.get(), SOL_SOCKET, option, &buffer, sizeof(buffer)),
              0);
  }
}

}  // namespace

RawTcpPairs::RawTcpPairs(int buffer)
    : buffer_(buffer), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
  // Accepted sockets inherit them.
  SetBuffers(listener_, buffer);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address),
                 sizeof(address)),
            0);
  EXPECT_EQ(listen(listener_.get(), 1), 0);
}

RawPair RawTcpPairs::Make() const {
  UniqueFd client(socket(AF_INET, SOCK_STREAM, 0));
  SetBuffers(client, buffer_);
  sockaddr_in address = {};
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof(address);
  EXPECT_EQ(getsockname(listener_.get(), generic, &length), 0);
  EXPECT_EQ(connect(client.get(), generic, length), 0);
  UniqueFd server(accept(listener_.get(), nullptr, nullptr));
  EXPECT_TRUE(server.valid());
  return {std::move(client), std::move(server)};
}

RawPair RawPty() { return RawPty(O_RDWR, O_RDWR); }

RawPair RawPty(int master_mode, int slave_mode) {
  UniqueFd master(posix_openpt(master_mode | O_NOCTTY));
  EXPECT_EQ(grantpt(master.get()), 0);
  EXPECT_EQ(unlockpt(master.get()), 0);
  UniqueFd slave(open(ptsname(master.get()), slave_mode | O_NOCTTY));
  EXPECT_TRUE(slave.valid());
  termios mode;
  EXPECT_EQ(tcgetattr(slave.get(), &mode), 0);
  cfmakeraw(&mode);
  EXPECT_EQ(tcsetattr(slave.get(), TCSANOW, &mode), 0);
  return {std::move(master), std::move(slave)};
}

ShortTempDir::ShortTempDir() {
  // TEST_TMPDIR is longer than a unix socket's path may be.
  char path[] = "/tmp/flow.XXXXXX";
  EXPECT_NE(mkdtemp(path), nullptr);
  path_ = path;
}

ShortTempDir::~ShortTempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

int StatusFlags(int fd) { return fcntl(fd, F_GETFL); }
int FdFlags(int fd) { return fcntl(fd, F_GETFD); }
bool IsOpen(int fd) { return FdFlags(fd) >= 0; }

int CountOpenFds() {
  int count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/self/fd")) {
    static_cast<void>(entry);
    ++count;
  }
  return count;
}

std::string DrainRaw(int fd) {
  std::string all;
  char buffer[65536];
  for (;;) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n <= 0) return all;
    all.append(buffer, static_cast<size_t>(n));
  }
}

void WriteRaw(int fd, const std::string& bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = write(fd, bytes.data() + done, bytes.size() - done);
    ASSERT_GT(n, 0);
    done += static_cast<size_t>(n);
  }
}

std::string Pattern(size_t size) {
  std::string bytes(size, '\0');
  uint32_t state = 12345;
  for (char& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

}  // namespace flow_testing
