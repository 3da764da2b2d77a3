// libuv in the cases of peer_cases.h: a loop in each thread.

#include <uv.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "benchmark/benchmark.h"
#include "flow/bench/rig.h"
#include "tools/bench/peers/peer_cases.h"

namespace flow_bench {
namespace {

// A stream on its own loop, which tells `on_read` of what comes (0: the end).
class Stream {
 public:
  Stream(End end, size_t chunk, std::function<void(size_t)> on_read)
      : buffer_(chunk, '\0'), on_read_(std::move(on_read)) {
    Must(uv_loop_init(&loop_) == 0, "uv_loop_init");
    Must(uv_pipe_init(&loop_, &pipe_, 0) == 0, "uv_pipe_init");
    Must(uv_pipe_open(&pipe_, end.in_owned.release()) == 0, "uv_pipe_open");
    pipe_.data = this;
  }
  ~Stream() { Must(uv_loop_close(&loop_) == 0, "uv_loop_close"); }

  void Read() {
    uv_read_start(
        handle(),
        [](uv_handle_t* handle, size_t, uv_buf_t* into) {
          auto* const self = static_cast<Stream*>(handle->data);
          *into = uv_buf_init(self->buffer_.data(),
                              static_cast<unsigned>(self->buffer_.size()));
        },
        [](uv_stream_t* stream, ssize_t n, const uv_buf_t*) {
          if (n == 0) return;  // nothing, after all
          static_cast<Stream*>(stream->data)
              ->on_read_(n > 0 ? static_cast<size_t>(n) : 0);
        });
  }

  // At once as far as the kernel takes it, the rest by the loop, which then
  // calls `done` with the outcome.
  void Write(const char* from, size_t size, std::function<void(bool)> done) {
    uv_buf_t piece =
        uv_buf_init(const_cast<char*>(from), static_cast<unsigned>(size));
    // One for each write: the loop tells of a read before it tells that the
    // write which the read answers is done.
    auto* const pending = new Pending{{}, std::move(done)};
    pending->request.data = pending;
    const int started =
        uv_write(&pending->request, handle(), &piece, 1, Written);
    if (started != 0) Written(&pending->request, started);
  }

  void Run() { uv_run(&loop_, UV_RUN_DEFAULT); }
  // Run returns after this.
  void Stop() {
    auto* const handle = reinterpret_cast<uv_handle_t*>(&pipe_);
    if (uv_is_closing(handle) == 0) uv_close(handle, nullptr);
  }
  const char* data() const { return buffer_.data(); }

 private:
  struct Pending {
    uv_write_t request;
    std::function<void(bool)> done;
  };
  static void Written(uv_write_t* request, int status) {
    const std::unique_ptr<Pending> pending(
        static_cast<Pending*>(request->data));
    pending->done(status == 0);
  }
  uv_stream_t* handle() { return reinterpret_cast<uv_stream_t*>(&pipe_); }

  uv_loop_t loop_;
  uv_pipe_t pipe_;
  std::string buffer_;
  const std::function<void(size_t)> on_read_;
};

class UvPeer final : public Peer {
 public:
  void PingPong(End end, absl::FunctionRef<bool()> go) override {
    const std::string message(kPing, 'x');
    size_t got = 0;
    Stream* self = nullptr;
    const auto send = [&] {
      if (!go()) {
        self->Stop();
        return;
      }
      self->Write(message.data(), kPing, [](bool ok) { Must(ok, "write"); });
    };
    Stream stream(std::move(end), kPing, [&](size_t n) {
      Must(n > 0, "read");
      got += n;
      if (got < kPing) return;
      got = 0;
      send();
    });
    self = &stream;
    stream.Read();
    send();
    stream.Run();
  }

  void Echo(End end) override {
    Stream* self = nullptr;
    Stream stream(std::move(end), kPing, [&](size_t n) {
      if (n == 0) {
        self->Stop();
        return;
      }
      self->Write(self->data(), n, [](bool) {});
    });
    self = &stream;
    stream.Read();
    stream.Run();
  }

  void Feed(End end, size_t chunk) override {
    const std::string bytes(chunk, 'x');
    Stream stream(std::move(end), chunk, [](size_t) {});
    std::function<void(bool)> next = [&](bool ok) {
      if (!ok) {
        stream.Stop();
        return;
      }
      stream.Write(bytes.data(), chunk, next);
    };
    next(true);
    stream.Run();
  }

  void Eat(End end, size_t chunk,
           absl::FunctionRef<bool(size_t)> got) override {
    Stream* self = nullptr;
    Stream stream(std::move(end), chunk, [&](size_t n) {
      Must(n > 0, "read");
      if (!got(n)) self->Stop();
    });
    self = &stream;
    stream.Read();
    stream.Run();
  }
};

const bool kRegistered = [] {
  RegisterRaw();
  RegisterPeer("Uv", [] { return std::make_unique<UvPeer>(); });
  return true;
}();

}  // namespace
}  // namespace flow_bench
