// File: fault_options.h
//
// FaultOptions: what goes wrong on a FaultSyscalls, and how often. How to use
// them is said in fault_syscalls.h.
//
// Guarantees: plain values; SeedOr reads the environment.

#ifndef FLOW_TESTING_FAULT_OPTIONS_H_
#define FLOW_TESTING_FAULT_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "flow/testing/call_set.h"
#include "flow/testing/call_trace.h"

namespace flow_testing {

// A fault that strikes by number, not by chance: the `k`-th call of `calls`
// (counted from 1) and the `times - 1` that follow it fail with `error`.
struct NthFault {
  // Of `times`: all that follow.
  static constexpr int kForever = std::numeric_limits<int>::max();

  int k = 1;      // which call is the first to fail, from 1
  int error = 0;  // the errno
  int times = 1;  // how many fail in a row
  CallSet calls = CallSet::AllButEventfd();  // which calls count

  // "12 EPIPE x1 send|sendmsg": number, error, how often, calls.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const NthFault& fault) {
    sink.Append(fault.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const NthFault& fault) {
    return os << fault.ToString();
  }
};

// What goes wrong. Everything is off by default; the numbers from 0 to 1 are
// probabilities, for each call anew.
struct FaultOptions {
  // The k-th call fails with `error`: once, or from then on.
  static FaultOptions FailNth(int k, int error, int times = 1,
                              CallSet calls = CallSet::AllButEventfd());

  // Of all that is left to chance: the same seed and calls, the same faults.
  uint64_t seed = 1;

  // If not 0, a transfer is cut to a length between 1 and this.
  size_t max_transfer = 0;
  // How many of the transfers are cut.
  double cut = 1;

  // EINTR: transfers, accept, connect, and polls that may wait.
  double interrupted = 0;
  // EAGAIN: transfers and accepts that may not block (by flag or O_NONBLOCK).
  double not_yet = 0;
  // ENOBUFS or ENOMEM: send and sendmsg.
  double no_buffers = 0;
  // accept: ECONNABORTED, EPROTO, ENETDOWN or EHOSTUNREACH.
  double accept_fails = 0;
  // EIO from close, which closes all the same.
  double close_fails = 0;

  // The connection is reset once so many bytes have been read from a descriptor
  // (or written to it). As on Linux, one call, whichever comes first, then gets
  // ECONNRESET; reads after that give 0, writes EPIPE, shutdown ENOTCONN, and
  // polls report ERR and HUP. For each descriptor that moves bytes.
  std::optional<uint64_t> reset_after_read;
  std::optional<uint64_t> reset_after_written;

  // Faults by number. Each rule counts its own calls.
  std::vector<NthFault> nth;

  // To which calls all but `nth` applies. The others, if no rule names them
  // either, go straight to the kernel, neither counted nor traced.
  CallSet calls = CallSet::AllButEventfd();

  // How many lines of trace are kept.
  size_t trace_capacity = CallTrace::kDefaultCapacity;

  // "seed=7 max_transfer=7 interrupted=0.1": what is not as by default.
  std::string ToString() const;
  friend std::ostream& operator<<(std::ostream& os, const FaultOptions& o) {
    return os << o.ToString();
  }
};

// The seed in the environment variable FLOW_TEST_SEED, else `fallback`.
uint64_t SeedOr(uint64_t fallback);

}  // namespace flow_testing

#endif  // FLOW_TESTING_FAULT_OPTIONS_H_
