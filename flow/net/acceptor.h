// File: acceptor.h (internal)
//
// Acceptor: listening sockets as a transport. What it carries is not bytes but
// connections, each as one record; so that waiting, limits, cancellation, Close
// and the order of several acceptors come from the one driver of all flows, and
// not from a second one for listeners.
//
// It alone knows what accept's errors mean for a listener (P7, P11): a client
// that is gone already is passed over; a shortage of fds or memory is waited
// out. Several sockets are asked by turns, so that none that is busy keeps
// another's clients waiting; who waits is given one descriptor (FdGroup).
//
// Guarantees: as of a Transport. A record that was handed over is the caller's;
// nothing accepted stays behind.

#ifndef FLOW_NET_ACCEPTOR_H_
#define FLOW_NET_ACCEPTOR_H_

#include <sys/socket.h>
#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/endpoint.h"
#include "flow/net/fd_group.h"
#include "flow/net/listening.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

// What one read of an Acceptor gives. Who has it owns `fd`.
struct AcceptedRecord {
  int fd = -1;
  uint32_t socket = 0;  // which of the acceptor's
  socklen_t length = 0;
  sockaddr_storage peer = {};
};

// Written by the one who is accepting, read by anybody.
struct AcceptCounters {
  std::atomic<uint64_t> accepted{0};
  std::atomic<uint64_t> transient_errors{0};
  std::atomic<uint64_t> shortages{0};
};

class Acceptor final : public Transport {
 public:
  // At least one socket. `local` is the name of the first.
  Acceptor(Syscalls* sys, std::vector<ListeningSocket> sockets, Endpoint local,
           std::shared_ptr<AcceptCounters> counters);
  // Frees as Close does.
  ~Acceptor() override = default;

  // Writes an AcceptedRecord into `into`, which has room for one in its first
  // piece.
  Attempt TryRead(absl::Span<const iovec> into) override;
  // There is nothing to be written, or to be told to a peer.
  Attempt TryWrite(absl::Span<const iovec> from) override;
  Attempt TryShutdown(ShutdownMode half) override;
  absl::Status Close() override;
  void CloseAfterFork() override;

  bool can_write() const override { return false; }
  bool ends_are_visible() const override { return false; }
  bool PollIsTruth() const override { return true; }
  int native_handle() const override {
    return sockets_.size() == 1 ? sockets_[0].fd().get() : -1;
  }
  absl::string_view read_name() const override { return "accept"; }
  Endpoint local() const override { return local_; }

 private:
  std::optional<Attempt> AcceptAt(size_t index, const iovec& into);

  Syscalls* const sys_;
  std::vector<ListeningSocket> sockets_;
  const Endpoint local_;
  const std::shared_ptr<AcceptCounters> counters_;
  FdGroup group_;    // of the sockets
  size_t next_ = 0;  // whose turn it is
  int shortages_in_a_row_ = 0;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_ACCEPTOR_H_
