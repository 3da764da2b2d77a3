// The whole contract, over every kind of fd that a flow can be made of (Q.111).

#include <fcntl.h>

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/testing/conformance.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Adopt;
using flow::Flow;

using Pair = std::pair<Flow, Flow>;

absl::StatusOr<Pair> Both(absl::StatusOr<Flow> a, absl::StatusOr<Flow> b) {
  if (!a.ok()) return a.status();
  if (!b.ok()) return b.status();
  return Pair(*std::move(a), *std::move(b));
}

ConformanceTarget UnixSockets() {
  ConformanceTarget target;
  target.name = "SocketPair";
  target.make = [] { return flow::SocketPair(); };
  target.abort_is_visible = false;
  return target;
}

// A TCP peer's kernel goes on taking bytes for a while, a terminal's lets
// single ones through where more don't fit: the way is full once neither goes.
absl::Status Fill(TestedFlow& writer) {
  const std::string block(65536, 'x');
  for (int quiet = 0; quiet < 2; ++quiet) {
    for (const size_t size : {block.size(), size_t{1}}) {
      for (;;) {
        const absl::Status s =
            writer.WriteSome(block.substr(0, size), absl::Milliseconds(150))
                .status();
        if (absl::IsDeadlineExceeded(s)) break;
        if (!s.ok()) return s;
        quiet = 0;
      }
    }
  }
  return absl::OkStatus();
}

ConformanceTarget Tcp() {
  ConformanceTarget target;
  target.name = "Tcp";
  target.clog = Fill;
  target.make = [] {
    RawPair raw = RawTcpPair(/*buffer=*/65536);
    return Both(Adopt(std::move(raw.first)), Adopt(std::move(raw.second)));
  };
  return target;
}

ConformanceTarget OnePipe() {
  ConformanceTarget target;
  target.name = "Pipe";
  target.make = []() -> absl::StatusOr<Pair> {
    absl::StatusOr<Pair> pipe = flow::Pipe();
    if (!pipe.ok()) return pipe.status();
    return Pair(std::move(pipe->second), std::move(pipe->first));
  };
  target.duplex = false;
  target.abort_is_visible = false;
  return target;
}

ConformanceTarget TwoPipes() {
  ConformanceTarget target;
  target.name = "PipePair";
  target.make = [] {
    RawPair there = RawPipe();
    RawPair back = RawPipe();
    return Both(Adopt(std::move(back.first), std::move(there.second)),
                Adopt(std::move(there.first), std::move(back.second)));
  };
  target.abort_is_visible = false;
  return target;
}

// The slave writes, the master reads. Between them is a terminal, whose
// Shutdown nobody sees.
ConformanceTarget Pty() {
  ConformanceTarget target;
  target.name = "Pty";
  target.clog = Fill;
  target.make = [] {
    RawPair raw = RawPty(O_RDONLY, O_WRONLY);
    return Both(Adopt(std::move(raw.second)), Adopt(std::move(raw.first)));
  };
  target.duplex = false;
  target.abort_is_visible = false;
  target.ends_are_visible = false;
  return target;
}

INSTANTIATE_TEST_SUITE_P(Fd, FlowConformance,
                         ::testing::Values(UnixSockets(), Tcp(), OnePipe(),
                                           TwoPipes(), Pty()),
                         ConformanceName);

}  // namespace
}  // namespace flow_testing
