// File: raw_fds_for_test.h (testonly)
//
// Descriptors as a program has them before flow comes: made with plain calls,
// and blocking unless said otherwise.

#ifndef FLOW_FD_RAW_FDS_FOR_TEST_H_
#define FLOW_FD_RAW_FDS_FOR_TEST_H_

#include <cstddef>
#include <string>
#include <utility>

#include "flow/sys/unique_fd.h"

namespace flow_testing {

using RawPair = std::pair<flow::UniqueFd, flow::UniqueFd>;

// A pipe: the read end, the write end.
RawPair RawPipe(int flags = 0);
// A unix socketpair of `type`.
RawPair RawSocketPair(int type);
RawPair RawSocketPair();
// Two ends of a TCP connection over loopback: client, server. `buffer`, if not
// 0, is SO_RCVBUF and SO_SNDBUF of both, which the kernel then leaves alone.
RawPair RawTcpPair(int buffer = 0);

// As many of them as are wanted, all from one listener: one port is taken for
// each of them instead of two, and the kernel gives it out again after a second
// instead of a minute. Not thread-safe.
class RawTcpPairs {
 public:
  explicit RawTcpPairs(int buffer = 0);
  RawPair Make() const;

 private:
  const int buffer_;
  const flow::UniqueFd listener_;
};
// A pseudo-terminal in raw mode, which nobody's session is attached to: master,
// slave, opened with these modes.
RawPair RawPty(int master_mode, int slave_mode);
RawPair RawPty();

// A folder in /tmp with a short name, removed with what is in it.
class ShortTempDir {
 public:
  ShortTempDir();
  ~ShortTempDir();
  std::string Path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// fcntl(F_GETFL), fcntl(F_GETFD); -1 if `fd` is not open.
int StatusFlags(int fd);
int FdFlags(int fd);
bool IsOpen(int fd);

// How many descriptors this process has open.
int CountOpenFds();

// Everything that can be read from `fd` up to the end, with plain blocking
// reads.
std::string DrainRaw(int fd);
// All of `bytes` into `fd` with plain blocking writes.
void WriteRaw(int fd, const std::string& bytes);

// `size` bytes without a short period, so that a lost or repeated one shows.
std::string Pattern(size_t size);

}  // namespace flow_testing

#endif  // FLOW_FD_RAW_FDS_FOR_TEST_H_
