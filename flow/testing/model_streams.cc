#include "flow/testing/model_streams.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <tuple>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/testing/memory_pair.h"

namespace flow_testing {
namespace {

using End = StreamModel::End;

// What is more may stay in the sender's buffer until some of it is read.
constexpr size_t kSurelyHere = 8192;

// Of sockets, so that a write which fills them is not long.
constexpr int kSmallBuffer = 16384;

flow::Flow Must(absl::StatusOr<flow::Flow> made) {
  if (!made.ok()) {
    std::cerr << "no flow: " << made.status() << std::endl;
    std::abort();
  }
  return *std::move(made);
}

// Whether all that is on its way to a TCP socket has come.
bool HasCome(int fd, const End& me, const End& peer) {
  const size_t sure = std::min(me.queued, kSurelyHere);
  int there = 0;
  if (ioctl(fd, FIONREAD, &there) != 0) return true;
  if (!me.read_shut && static_cast<size_t>(there) < sure) return false;
  pollfd look = {fd, POLLRDHUP, 0};
  poll(&look, 1, 0);
  if (peer.reset) return (look.revents & (POLLERR | POLLHUP)) != 0;
  // The end mark comes behind the bytes.
  return !peer.told_end || me.queued > kSurelyHere ||
         (look.revents & POLLRDHUP) != 0;
}

// The loopback's packets are mostly there when send(2) returns, but on a busy
// machine some later.
void AwaitPackets(const StreamModel& model, int fd, int end) {
  if (fd < 0) return;
  const flow::MonoTime give_up = flow::MonoTime::In(absl::Seconds(10));
  while (!HasCome(fd, model.end(end), model.end(1 - end)) &&
         flow::MonoTime::Now() < give_up) {
    sched_yield();
  }
}

// ------------------------------------------------- What is not the same.

// Bit n: the kind of stream of that number.
constexpr int Only(Stream stream) { return 1 << static_cast<int>(stream); }
constexpr int kUnix = Only(Stream::kSocketpair);
constexpr int kTcp = Only(Stream::kTcp);
constexpr int kPipes = Only(Stream::kPipes);

struct Difference {
  int streams;
  const char* reason;
  bool (*concerns)(const End& me, const End& peer, const ModelAsk& ask);
};

bool Writes(ModelOp op) {
  return op >= ModelOp::kWrite && op <= ModelOp::kWriteSome;
}
bool Waits(ModelOp op) { return op >= ModelOp::kWaitFinished; }
// An end that is none in order.
bool Resets(const End& me, const ModelAsk& ask) {
  return !me.closed && (ask.op == ModelOp::kAbort ||
                        (ask.op == ModelOp::kClose && me.queued > 0));
}

constexpr Difference kDifferences[] = {
    {kUnix, "no abort can be seen there, but bytes that were not read",
     [](const End& me, const End&, const ModelAsk& ask) {
       return Resets(me, ask) && me.queued == 0;
     }},
    {kUnix, "only a reader is told of a reset there, a writer sees an end",
     [](const End& me, const End& peer, const ModelAsk& ask) {
       return Writes(ask.op) && ask.n > 0 && peer.reset &&
              me.write == StreamModel::Over::kNo;
     }},
    {kPipes, "neither an abort can be seen there, nor what was not read",
     [](const End& me, const End&, const ModelAsk& ask) {
       return Resets(me, ask);
     }},
    {kTcp, "a peer that takes no more is seen only by what it answers",
     [](const End&, const End& peer, const ModelAsk& ask) {
       return Writes(ask.op) && ask.n > 0 && peer.takes_none && !peer.reset;
     }},
    {kTcp, "once both end marks are out, the connection is over",
     [](const End& me, const End& peer, const ModelAsk& ask) {
       return Waits(ask.op) && me.told_end && peer.told_end;
     }},
    {kTcp, "a reset behind an end mark is none to who has seen the mark",
     [](const End& me, const End&, const ModelAsk& ask) {
       return Resets(me, ask) && me.told_end;
     }},
    {kTcp, "a peer's Close and its Shutdown(kWrite) look the same",
     [](const End&, const End& peer, const ModelAsk& ask) {
       return Waits(ask.op) && peer.closed && !peer.reset;
     }},
    {kUnix | kPipes, "a peer that has shut both sides looks closed",
     [](const End&, const End& peer, const ModelAsk& ask) {
       return Waits(ask.op) && !peer.closed && peer.told_end && peer.takes_none;
     }},
    {kUnix | kPipes, "the own Shutdown takes from the sight of the peer's end",
     [](const End& me, const End&, const ModelAsk& ask) {
       return Waits(ask.op) && (me.read_shut || me.write_shut);
     }},
    {kTcp, "an end mark comes behind the bytes, which may be with the sender",
     [](const End& me, const End&, const ModelAsk& ask) {
       return ask.op == ModelOp::kWaitFinished && me.queued > kSurelyHere;
     }},
    {kTcp, "a reset destroys what is still with the sender",
     [](const End& me, const End& peer, const ModelAsk& ask) {
       return Resets(me, ask) && peer.queued > kSurelyHere;
     }},
    {kUnix | kTcp, "what is unread at Shutdown(kRead) stays in the kernel",
     [](const End& me, const End&, const ModelAsk& ask) {
       return (ask.op == ModelOp::kShutRead || ask.op == ModelOp::kShutBoth) &&
              !me.closed && me.queued > 0;
     }},
};

}  // namespace

const char* StreamName(Stream stream) {
  const char* const names[kStreams] = {"memory", "socketpair", "tcp", "pipes"};
  return names[static_cast<int>(stream)];
}

int LoneClock::Poll(pollfd* fds, nfds_t count, int timeout_ms) {
  const int ready = flow::Syscalls::Poll(fds, count, 0);
  if (ready != 0 || timeout_ms == 0) return ready;
  if (timeout_ms < 0) {
    std::cerr << "a call waits for ever" << std::endl;
    std::abort();
  }
  now_ = now_ + absl::Milliseconds(timeout_ms);
  return 0;
}

ModelEnds MakeEnds(Stream stream, flow::Syscalls* sys) {
  ModelEnds ends;
  ends.clock = sys;
  ends.kernel = stream != Stream::kMemory;
  flow::FdOptions options;
  options.sys = sys;
  switch (stream) {
    case Stream::kMemory: {
      MemoryPairOptions memory;
      memory.sys = sys;
      std::tie(ends.flows[0], ends.flows[1]) =
          MemoryPair(kModelCapacity, memory);
      break;
    }
    case Stream::kSocketpair:
    case Stream::kTcp: {
      static const RawTcpPairs* const tcp = new RawTcpPairs(kSmallBuffer);
      RawPair raw = stream == Stream::kTcp ? tcp->Make() : RawSocketPair();
      // (A unix socket's sender has the one buffer there is.)
      for (const int fd : {raw.first.get(), raw.second.get()}) {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSmallBuffer, sizeof(int));
        // Or a small write waits with the sender for the last one's ACK.
        constexpr int kOn = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &kOn, sizeof(kOn));
      }
      const int fds[] = {raw.first.get(), raw.second.get()};
      ends.flows[0] = Must(flow::Adopt(std::move(raw.first), options));
      ends.flows[1] = Must(flow::Adopt(std::move(raw.second), options));
      if (stream == Stream::kSocketpair) break;
      ends.settle = [fds = std::make_pair(fds[0], fds[1])](
                        const StreamModel& model, int end) {
        if (model.end(end).closed) return;
        AwaitPackets(model, end == 0 ? fds.first : fds.second, end);
      };
      break;
    }
    case Stream::kPipes: {
      RawPair there = RawPipe();
      RawPair back = RawPipe();
      ends.flows[0] = Must(
          flow::Adopt(std::move(back.first), std::move(there.second), options));
      ends.flows[1] = Must(
          flow::Adopt(std::move(there.first), std::move(back.second), options));
      break;
    }
  }
  return ends;
}

const char* WhyApart(Stream stream, const StreamModel& model,
                     const ModelAsk& ask) {
  const End& me = model.end(ask.end);
  const End& peer = model.end(1 - ask.end);
  for (const Difference& difference : kDifferences) {
    if ((difference.streams & Only(stream)) != 0 &&
        difference.concerns(me, peer, ask)) {
      return difference.reason;
    }
  }
  return nullptr;
}

}  // namespace flow_testing
