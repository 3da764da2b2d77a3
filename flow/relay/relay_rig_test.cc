#include "flow/relay/relay_rig_test.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "flow/async_flow.h"
#include "flow/fd/fd.h"
#include "flow/net/dial.h"
#include "flow/net/listener.h"
#include "flow/or_eof.h"
#include "flow/relay/async_relay.h"
#include "flow/testing/memory_pair.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

// The value, or a test failure that says why there is none.
template <typename T>
T ValueOf(absl::StatusOr<T> value) {
  EXPECT_TRUE(value.ok()) << value.status();
  return value.ok() ? *std::move(value) : T();
}

std::pair<flow::Flow, flow::Flow> TcpPair() {
  flow::Listener listener = ValueOf(flow::Listen("tcp:127.0.0.1:0"));
  flow::Flow near = ValueOf(flow::Dial(listener.address()));
  flow::Flow far = ValueOf(listener.Accept());
  return {std::move(near), std::move(far)};
}

}  // namespace

PairKind MemoryKind() {
  return {"memory", [] { return MemoryPair(); }};
}
PairKind TcpKind() { return {"tcp", TcpPair}; }
PairKind UnixKind() {
  return {"unix", [] { return ValueOf(flow::SocketPair()); }};
}

PairKind StdioKind() {
  return {"stdio", [] {
            std::pair<flow::Flow, flow::Flow> in = ValueOf(flow::Pipe());
            std::pair<flow::Flow, flow::Flow> out = ValueOf(flow::Pipe());
            return std::make_pair(
                ValueOf(flow::Adopt(ValueOf(in.first.ReleaseFd()),
                                    ValueOf(out.second.ReleaseFd()))),
                ValueOf(flow::Adopt(ValueOf(out.first.ReleaseFd()),
                                    ValueOf(in.second.ReleaseFd()))));
          }};
}

std::vector<PairKind> AllRelays() {
  const flow::CopyMethod splice = flow::CopyMethod::kSplice;
  const PairKind tcp = TcpKind();
  const PairKind unix_kind = UnixKind();
  return {MemoryKind(),
          MemoryKind().WithFutures(),
          tcp,
          tcp.WithFutures(),
          tcp.By(splice),
          tcp.By(splice).WithFutures(),
          unix_kind,
          unix_kind.WithFutures(),
          unix_kind.By(splice)};
}

std::vector<PairKind> TcpRelays() {
  std::vector<PairKind> kinds;
  for (const PairKind& kind : AllRelays()) {
    if (kind.name.rfind("tcp", 0) == 0) kinds.push_back(kind);
  }
  return kinds;
}

std::vector<PairKind> BlockingRelays() {
  std::vector<PairKind> kinds;
  for (const PairKind& kind : AllRelays()) {
    if (!kind.futures) kinds.push_back(kind);
  }
  return kinds;
}

void Pause(absl::Duration d) {
  auto [silent, other] = ValueOf(flow::Pipe());
  EXPECT_FALSE(silent.Read(d).ok());
}

std::string Pattern(size_t size, uint64_t seed) {
  // A prime, so that no loss of whole pages or buffers goes unseen.
  constexpr size_t kPeriod = 1048583;
  std::string bytes;
  bytes.reserve(size);
  uint64_t state = seed * 0x9e3779b97f4a7c15u;
  while (bytes.size() < std::min(size, kPeriod)) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    bytes.push_back(static_cast<char>(state >> 56));
  }
  while (bytes.size() < size) {
    bytes.append(bytes, 0, std::min(kPeriod, size - bytes.size()));
  }
  return bytes;
}

std::string ReadToEof(flow::Flow& f) {
  std::string all;
  for (;;) {
    absl::StatusOr<flow::OrEof<flow::Buffer>> got = f.Read();
    if (!got.ok()) return all + " then " + got.status().ToString();
    if (got->is_eof()) return all;
    all.append(got->data().data(), got->data().size());
  }
}

absl::Status WriteAndEnd(flow::Flow& f, absl::string_view bytes) {
  const absl::Status written = f.Write(bytes);
  return written.ok() ? f.Shutdown(flow::ShutdownMode::kWrite) : written;
}

PairKind PairKind::By(flow::CopyMethod by) const {
  PairKind kind = *this;
  kind.method = by;
  kind.name += absl::StrCat("_", flow::CopyMethodName(by));
  return kind;
}

PairKind PairKind::WithFutures() const {
  PairKind kind = *this;
  kind.futures = true;
  kind.name += "_futures";
  return kind;
}

RelayRig::RelayRig(const PairKind& kind, flow::RelayOptions options) {
  std::tie(client, a_) = kind.make();
  std::tie(b_, server) = kind.make();
  if (options.method == flow::CopyMethod::kAuto) options.method = kind.method;
  if (kind.futures) {
    context_.emplace();
    future_ = flow::AsyncRelay(
        ValueOf(flow::AsyncFlow::From(std::move(a_), *context_)),
        ValueOf(flow::AsyncFlow::From(std::move(b_), *context_)), options);
    return;
  }
  relay_ = std::thread([this, options] {
    result_ = flow::Relay(a_, b_, options);
    a_ = flow::Flow();
    b_ = flow::Flow();
  });
}

RelayRig::~RelayRig() {
  client.Abort().IgnoreError();
  server.Abort().IgnoreError();
  Join();
}

flow::RelayResult RelayRig::Join() {
  if (relay_.joinable()) relay_.join();
  if (future_.valid()) result_ = future_.get();
  return result_;
}

}  // namespace flow_testing
