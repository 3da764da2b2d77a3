#include "flow/bench/raw.h"

#include <sys/socket.h>
#include <unistd.h>

#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"

namespace flow_bench {

ssize_t RawReadSome(const End& end, char* to, size_t size) {
  return end.is_socket() ? recv(end.in(), to, size, 0)
                         : read(end.in(), to, size);
}

ssize_t RawWriteSome(const End& end, const char* from, size_t size) {
  return end.is_socket() ? send(end.out(), from, size, MSG_NOSIGNAL)
                         : write(end.out(), from, size);
}

bool RawRead(const End& end, char* to, size_t size) {
  for (size_t got = 0; got < size;) {
    const ssize_t n = RawReadSome(end, to + got, size - got);
    if (n <= 0) return false;
    got += static_cast<size_t>(n);
  }
  return true;
}

bool RawWrite(const End& end, const char* from, size_t size) {
  for (size_t done = 0; done < size;) {
    const ssize_t n = RawWriteSome(end, from + done, size - done);
    if (n < 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

bool RawWritev(const End& end, iovec* pieces, int count) {
  while (count > 0) {
    msghdr message = {};
    message.msg_iov = pieces;
    message.msg_iovlen = static_cast<size_t>(count);
    ssize_t n = end.is_socket() ? sendmsg(end.out(), &message, MSG_NOSIGNAL)
                                : writev(end.out(), pieces, count);
    if (n < 0) return false;
    for (; count > 0 && static_cast<size_t>(n) >= pieces->iov_len; --count) {
      n -= static_cast<ssize_t>(pieces->iov_len);
      ++pieces;
    }
    if (count > 0) {
      pieces->iov_base = static_cast<char*>(pieces->iov_base) + n;
      pieces->iov_len -= static_cast<size_t>(n);
    }
  }
  return true;
}

void RawEcho(const End& end, size_t size) {
  std::vector<char> bytes(size);
  while (RawRead(end, bytes.data(), size)) {
    if (!RawWrite(end, bytes.data(), size)) return;
  }
}

size_t RawFeed(const End& end, size_t size) {
  const std::vector<char> chunk(size, 'x');
  size_t total = 0;
  while (RawWrite(end, chunk.data(), size)) total += size;
  return total;
}

size_t RawFeedPieces(const End& end, size_t size, int count) {
  std::vector<char> bytes(size, 'x');
  std::vector<iovec> pieces(static_cast<size_t>(count));
  size_t total = 0;
  for (;;) {
    for (iovec& piece : pieces) piece = {bytes.data(), size};
    if (!RawWritev(end, pieces.data(), count)) return total;
    total += size * pieces.size();
  }
}

void RawServe(int listener, absl::FunctionRef<void(const End&)> serve) {
  absl::Mutex mu;
  int active = 0;
  for (;;) {
    End client;
    client.in_owned =
        flow::UniqueFd(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (client.in() < 0) break;
    {
      absl::MutexLock lock(&mu);
      ++active;
    }
    std::thread([&, client = std::move(client)]() mutable {
      serve(client);
      client = End();
      absl::MutexLock lock(&mu);
      --active;
    }).detach();
  }
  absl::MutexLock lock(&mu);
  mu.Await(absl::Condition(
      +[](int* left) { return *left == 0; }, &active));
}

}  // namespace flow_bench
