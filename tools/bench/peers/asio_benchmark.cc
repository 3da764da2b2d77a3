// Standalone Asio in the cases of peer_cases.h:
//
// - AsioSync: its blocking calls, which know neither deadline nor cancellation.
// - Asio: asynchronous operations, and io_context::run until each is done.
// - AsioTimeout: the same with run_for, as Asio's own examples do timeouts.
// - AsioFutures: use_future at both ends, the io_context on a thread of its own
//   (PingPong only means something: for F9).

#define ASIO_STANDALONE
#define ASIO_NO_DEPRECATED

#include <asio.hpp>
#include <chrono>
#include <cstddef>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/functional/function_ref.h"
#include "benchmark/benchmark.h"
#include "flow/bench/rig.h"
#include "tools/bench/peers/peer_cases.h"

namespace flow_bench {
namespace {

using Socket = asio::generic::stream_protocol::socket;
using Error = asio::error_code;

Socket SocketOn(asio::io_context& io, End end) {
  sockaddr_storage address = {};
  socklen_t length = sizeof(address);
  getsockname(end.in(), reinterpret_cast<sockaddr*>(&address), &length);
  const int protocol = address.ss_family == AF_UNIX ? 0 : IPPROTO_TCP;
  return Socket(io, asio::generic::stream_protocol(address.ss_family, protocol),
                end.in_owned.release());
}

// A way to do one read or write; true if all (or, of a read of some, any) of
// the bytes moved.
class AsioPeer : public Peer {
 public:
  void PingPong(End end, absl::FunctionRef<bool()> go) override {
    Socket socket = SocketOn(io_, std::move(end));
    char bytes[kPing] = {};
    while (go()) {
      Must(WriteAll(socket, bytes, kPing), "write");
      Must(ReadAll(socket, bytes, kPing), "read");
    }
  }
  void Echo(End end) override {
    Socket socket = SocketOn(io_, std::move(end));
    char bytes[kPing];
    while (ReadAll(socket, bytes, kPing) && WriteAll(socket, bytes, kPing)) {
    }
  }
  void Feed(End end, size_t chunk) override {
    Socket socket = SocketOn(io_, std::move(end));
    const std::string bytes(chunk, 'x');
    while (WriteAll(socket, bytes.data(), chunk)) {
    }
  }
  void Eat(End end, size_t chunk,
           absl::FunctionRef<bool(size_t)> got) override {
    Socket socket = SocketOn(io_, std::move(end));
    std::string buffer(chunk, '\0');
    size_t n = 0;
    do {
      n = ReadSome(socket, buffer.data(), chunk);
      Must(n > 0, "read");
    } while (got(n));
  }

 protected:
  virtual bool WriteAll(Socket& socket, const char* from, size_t size) = 0;
  virtual bool ReadAll(Socket& socket, char* to, size_t size) = 0;
  virtual size_t ReadSome(Socket& socket, char* to, size_t size) = 0;

  asio::io_context io_{1};
};

class SyncPeer final : public AsioPeer {
 protected:
  bool WriteAll(Socket& socket, const char* from, size_t size) override {
    Error error;
    return asio::write(socket, asio::buffer(from, size), error) == size;
  }
  bool ReadAll(Socket& socket, char* to, size_t size) override {
    Error error;
    return asio::read(socket, asio::buffer(to, size), error) == size;
  }
  size_t ReadSome(Socket& socket, char* to, size_t size) override {
    Error error;
    return socket.read_some(asio::buffer(to, size), error);
  }
};

class AsyncPeer final : public AsioPeer {
 public:
  explicit AsyncPeer(bool with_timeout) : with_timeout_(with_timeout) {}

 private:
  auto Done() {
    moved_ = 0;
    return [this](const Error&, size_t n) { moved_ = n; };
  }

 protected:
  bool WriteAll(Socket& socket, const char* from, size_t size) override {
    asio::async_write(socket, asio::buffer(from, size), Done());
    return Run() == size;
  }
  bool ReadAll(Socket& socket, char* to, size_t size) override {
    asio::async_read(socket, asio::buffer(to, size), Done());
    return Run() == size;
  }
  size_t ReadSome(Socket& socket, char* to, size_t size) override {
    socket.async_read_some(asio::buffer(to, size), Done());
    return Run();
  }

 private:
  size_t Run() {
    io_.restart();
    if (with_timeout_) {
      io_.run_for(std::chrono::hours(1));
    } else {
      io_.run();
    }
    return moved_;
  }

  const bool with_timeout_;
  size_t moved_ = 0;
};

class FuturesPeer final : public AsioPeer {
 public:
  FuturesPeer() : thread_([this] { io_.run(); }) {}
  ~FuturesPeer() override {
    work_.reset();
    thread_.join();
  }

 protected:
  bool WriteAll(Socket& socket, const char* from, size_t size) override {
    return Get(asio::async_write(socket, asio::buffer(from, size),
                                 asio::use_future)) == size;
  }
  bool ReadAll(Socket& socket, char* to, size_t size) override {
    return Get(asio::async_read(socket, asio::buffer(to, size),
                                asio::use_future)) == size;
  }
  size_t ReadSome(Socket& socket, char* to, size_t size) override {
    return Get(
        socket.async_read_some(asio::buffer(to, size), asio::use_future));
  }

 private:
  // The future throws what the operation failed with; here the end is enough.
  static size_t Get(std::future<size_t> future) {
    try {
      return future.get();
    } catch (const std::system_error&) {
      return 0;
    }
  }

  asio::executor_work_guard<asio::io_context::executor_type> work_ =
      asio::make_work_guard(io_);
  std::thread thread_;
};

const bool kRegistered = [] {
  RegisterRaw();
  RegisterPeer("AsioSync", [] { return std::make_unique<SyncPeer>(); });
  RegisterPeer("Asio", [] { return std::make_unique<AsyncPeer>(false); });
  RegisterPeer("AsioTimeout", [] { return std::make_unique<AsyncPeer>(true); });
  RegisterPeer("AsioFutures", [] { return std::make_unique<FuturesPeer>(); });
  return true;
}();

}  // namespace
}  // namespace flow_bench
