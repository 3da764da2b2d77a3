#include "flow/testing/memory_pair.h"

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "flow/changed_fields.h"
#include "flow/endpoint.h"
#include "flow/signal.h"

namespace flow_testing {
namespace {

using ::flow::Attempt;
using ::flow::PeerEnd;
using ::flow::ShutdownMode;
using ::flow::Signal;
using ::flow::Wait;

// A queue of bytes in a ring that grows as it is needed.
class ByteRing {
 public:
  size_t size() const { return size_; }

  // Appends `from`.
  void Push(absl::Span<const char> from) {
    Reserve(size_ + from.size());
    const size_t at = (head_ + size_) % bytes_.size();
    const size_t first = std::min(from.size(), bytes_.size() - at);
    std::memcpy(&bytes_[at], from.data(), first);
    std::memcpy(&bytes_[0], from.data() + first, from.size() - first);
    size_ += from.size();
  }

  // Moves the first `into.size()` bytes, which are there, to `into`.
  void Pop(absl::Span<char> into) {
    const size_t first = std::min(into.size(), bytes_.size() - head_);
    std::memcpy(into.data(), &bytes_[head_], first);
    std::memcpy(into.data() + first, &bytes_[0], into.size() - first);
    head_ = (head_ + into.size()) % bytes_.size();
    size_ -= into.size();
  }

  void Clear() {
    bytes_ = {};
    head_ = size_ = 0;
  }

 private:
  void Reserve(size_t wanted) {
    if (wanted <= bytes_.size()) return;
    std::vector<char> bigger(std::max(wanted, 2 * bytes_.size()));
    const size_t count = size_;
    if (count > 0) Pop(absl::MakeSpan(bigger.data(), count));
    bytes_ = std::move(bigger);
    head_ = 0;
    size_ = count;
  }

  std::vector<char> bytes_;
  size_t head_ = 0;
  size_t size_ = 0;
};

// What one end has done, and the bytes on their way to it.
struct End {
  ByteRing incoming;
  bool write_done = false;  // Shutdown(kWrite) or Close
  bool read_done = false;   // Shutdown(kRead) or Close
  bool reset = false;       // Abort, or Close with bytes unread
  bool closed = false;

  // What this end sleeps on, by reason.
  Signal readable;
  Signal writable;
  Signal peer_ended;

  // The other end has changed for good: everything must be looked at anew.
  void NotifyAll() {
    readable.Notify();
    writable.Notify();
    peer_ended.Notify();
  }
};

// What the two ends share.
class Link {
 public:
  explicit Link(size_t capacity) : capacity_(std::max<size_t>(capacity, 1)) {}

  Attempt Read(int me, absl::Span<const iovec> into);
  Attempt Write(int me, absl::Span<const iovec> from);
  void ShutRead(int me);
  void ShutWrite(int me);
  Attempt LookAtPeer(int me, PeerEnd at_least);
  void Reset(int me);
  void Close(int me);

 private:
  const size_t capacity_;
  absl::Mutex mu_;
  // The signals in it are safe without the mutex, the rest is not.
  End ends_[2];
};

Attempt Link::Read(int me, absl::Span<const iovec> into) {
  End& mine = ends_[me];
  End& peer = ends_[1 - me];
  const uint64_t seq = mine.readable.seq();  // before the look
  size_t done = 0;
  {
    absl::MutexLock lock(&mu_);
    for (const iovec& part : into) {
      const size_t n = std::min(part.iov_len, mine.incoming.size());
      if (n == 0) break;
      mine.incoming.Pop(absl::MakeSpan(static_cast<char*>(part.iov_base), n));
      done += n;
    }
    if (done == 0) {
      if (peer.reset) return Attempt::Failed(ECONNRESET);
      if (peer.write_done || mine.read_done) return Attempt::Eof();
      return Attempt::WouldBlock(Wait::For(&mine.readable, seq));
    }
  }
  peer.writable.Notify();
  return Attempt::Transferred(done);
}

Attempt Link::Write(int me, absl::Span<const iovec> from) {
  End& mine = ends_[me];
  End& peer = ends_[1 - me];
  const uint64_t seq = mine.writable.seq();  // before the look
  size_t done = 0;
  {
    absl::MutexLock lock(&mu_);
    if (peer.reset) return Attempt::Failed(ECONNRESET);
    if (peer.read_done || mine.write_done) return Attempt::Failed(EPIPE);
    for (const iovec& part : from) {
      const size_t room = capacity_ - peer.incoming.size();
      const size_t n = std::min(part.iov_len, room);
      if (n == 0) break;
      peer.incoming.Push(
          absl::MakeConstSpan(static_cast<const char*>(part.iov_base), n));
      done += n;
    }
    if (done == 0) {
      return Attempt::WouldBlock(Wait::For(&mine.writable, seq));
    }
  }
  peer.readable.Notify();
  return Attempt::Transferred(done);
}

void Link::ShutRead(int me) {
  {
    absl::MutexLock lock(&mu_);
    ends_[me].read_done = true;
    ends_[me].incoming.Clear();
  }
  ends_[1 - me].writable.Notify();
}

void Link::ShutWrite(int me) {
  {
    absl::MutexLock lock(&mu_);
    ends_[me].write_done = true;
  }
  ends_[1 - me].readable.Notify();
  ends_[1 - me].peer_ended.Notify();
}

Attempt Link::LookAtPeer(int me, PeerEnd at_least) {
  End& mine = ends_[me];
  const End& peer = ends_[1 - me];
  const uint64_t seq = mine.peer_ended.seq();  // before the look
  absl::MutexLock lock(&mu_);
  if (peer.closed || peer.reset) return Attempt::Peer(PeerEnd::kGone);
  if (peer.write_done && at_least == PeerEnd::kFinished) {
    return Attempt::Peer(PeerEnd::kFinished);
  }
  return Attempt::WouldBlock(Wait::For(&mine.peer_ended, seq));
}

void Link::Reset(int me) {
  {
    absl::MutexLock lock(&mu_);
    ends_[me].reset = true;
  }
  ends_[1 - me].NotifyAll();
}

void Link::Close(int me) {
  {
    absl::MutexLock lock(&mu_);
    End& mine = ends_[me];
    if (mine.incoming.size() > 0) mine.reset = true;
    mine.incoming.Clear();
    mine.closed = mine.read_done = mine.write_done = true;
  }
  ends_[1 - me].NotifyAll();
}

class MemoryTransport : public flow::Transport {
 public:
  MemoryTransport(std::shared_ptr<Link> link, int me,
                  const MemoryPairOptions& options)
      : link_(std::move(link)), me_(me) {
    local_ = flow::Endpoint::Named(me == 0 ? options.first_name
                                           : options.second_name);
    peer_ = flow::Endpoint::Named(me == 0 ? options.second_name
                                          : options.first_name);
  }
  ~MemoryTransport() override {
    if (!closed_) link_->Close(me_);
  }

  Attempt TryRead(absl::Span<const iovec> into) override {
    return link_->Read(me_, into);
  }
  Attempt TryWrite(absl::Span<const iovec> from) override {
    return link_->Write(me_, from);
  }
  Attempt TryShutdown(ShutdownMode half) override {
    if (half != ShutdownMode::kWrite) link_->ShutRead(me_);
    if (half != ShutdownMode::kRead) link_->ShutWrite(me_);
    return Attempt::Transferred(0);
  }
  Attempt TryPeerEnd(PeerEnd at_least) override {
    return link_->LookAtPeer(me_, at_least);
  }
  void Abort() override { link_->Reset(me_); }
  absl::Status Close() override {
    closed_ = true;
    link_->Close(me_);
    return absl::OkStatus();
  }
  // The child has a copy of its own, whose mutex some thread of the parent may
  // have held.
  void CloseAfterFork() override { closed_ = true; }

  bool abort_is_visible() const override { return true; }
  flow::Endpoint local() const override { return local_; }
  flow::Endpoint peer() const override { return peer_; }

 private:
  const std::shared_ptr<Link> link_;
  const int me_;
  flow::Endpoint local_;
  flow::Endpoint peer_;
  bool closed_ = false;  // nobody is inside any more when it is set
};

}  // namespace

std::pair<flow::Flow, flow::Flow> MemoryPair(size_t capacity,
                                             const MemoryPairOptions& options) {
  auto [first, second] = MemoryTransportPair(capacity, options);
  // The analyzer does not see that a Flow owns its transport.
  // NOLINTBEGIN(clang-analyzer-cplusplus.NewDeleteLeaks)
  return {flow::Flow(std::move(first), options.sys),
          flow::Flow(std::move(second), options.sys)};
  // NOLINTEND(clang-analyzer-cplusplus.NewDeleteLeaks)
}

std::pair<std::unique_ptr<flow::Transport>, std::unique_ptr<flow::Transport>>
MemoryTransportPair(size_t capacity, const MemoryPairOptions& options) {
  auto link = std::make_shared<Link>(capacity);
  return {std::make_unique<MemoryTransport>(link, 0, options),
          std::make_unique<MemoryTransport>(link, 1, options)};
}

std::string MemoryPairOptions::ToString() const {
  const MemoryPairOptions usual;
  return flow::internal::ChangedFields()
      .Given("sys", sys != nullptr)
      .Add("first_name", first_name, usual.first_name)
      .Add("second_name", second_name, usual.second_name)
      .Text();
}

}  // namespace flow_testing
