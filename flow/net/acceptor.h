// File: acceptor.h (internal)
//
// Acceptor: a listening socket as a transport. What it carries is not bytes but
// connections, each as one record; so that waiting, limits, cancellation, Close
// and the order of several acceptors come from the one driver of all flows, and
// not from a second one for listeners.
//
// It alone knows what accept's errors mean for a listener (P7, P11): a client
// that is gone already is passed over; a shortage of fds or memory is waited
// out.
//
// Guarantees: as of a Transport. A record that was handed over is the caller's;
// nothing accepted stays behind.

#ifndef FLOW_NET_ACCEPTOR_H_
#define FLOW_NET_ACCEPTOR_H_

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "flow/endpoint.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

// What one read of an Acceptor gives. Who has it owns `fd`.
struct AcceptedRecord {
  int fd = -1;
  socklen_t length = 0;
  sockaddr_storage peer = {};
};

// Written by the one who is accepting, read by anybody.
struct AcceptCounters {
  std::atomic<uint64_t> accepted{0};
  std::atomic<uint64_t> transient_errors{0};
  std::atomic<uint64_t> shortages{0};
};

// The file that bind has made for a unix socket, if there is one: what is there
// when the listener closes is removed only if it is still that.
struct BoundPath {
  std::string path;
  dev_t device = 0;
  ino_t inode = 0;
};

class Acceptor final : public Transport {
 public:
  // `fd` listens and is non-blocking.
  Acceptor(Syscalls* sys, UniqueFd fd, BoundPath bound, Endpoint local,
           std::shared_ptr<AcceptCounters> counters);
  // Frees as Close does.
  ~Acceptor() override;

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
  int native_handle() const override { return fd_.get(); }
  absl::string_view read_name() const override { return "accept"; }
  Endpoint local() const override { return local_; }

 private:
  void RemovePath();

  Syscalls* const sys_;
  UniqueFd fd_;
  BoundPath bound_;
  const Endpoint local_;
  const std::shared_ptr<AcceptCounters> counters_;
  int shortages_in_a_row_ = 0;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_ACCEPTOR_H_
