// Figures of TLS against plain OpenSSL loops on the same kind of sockets (F13:
// stream >= 0.97 of the loop's rate, ping-pong <= 1.05 of its time).
//
//   tools/bazelw run -c opt //flow/tls:tls_benchmark
//   ... -- --benchmark_repetitions=9
//   --benchmark_enable_random_interleaving=true
//       --benchmark_report_aggregates_only=true
//
// Pinned to one CPU (taskset -c 0) and with one thread on each of two.

#include <fcntl.h>
#include <openssl/ssl.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "benchmark/benchmark.h"
#include "flow/bench/rig.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "flow/tls/openssl_ptr.h"
#include "flow/tls/pem.h"
#include "flow/tls/tls.h"
#include "flow/tls/tls_test_support.h"

namespace flow {
namespace {

using ::flow_bench::OnOurThread;
using ::flow_bench::PinTo;
using ::flow_testing::GoodClient;
using ::flow_testing::GoodServer;
using ::flow_testing::SharedIdentity;
using ::flow_testing::TlsPair;

constexpr size_t kBlock = 64 << 10;
constexpr size_t kPing = 64;

// What a run checks: it measures nothing if something failed.
template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::fprintf(stderr, "%s\n", value.status().ToString().c_str());
    std::abort();
  }
  return *std::move(value);
}
void Must(const absl::Status& status) {
  if (!status.ok()) Must(absl::StatusOr<int>(status));
}
void Must(bool good) {
  if (!good) Must(absl::InternalError("OpenSSL failed"));
}

// ------------------------------------------------------------- plain OpenSSL

// SSL_set_fd on a blocking socket: the loop of OpenSSL's own manual.
class RawEnd {
 public:
  // Ends the peer's loop.
  void Close() {
    ssl_.reset();
    fd_.reset();
  }

  RawEnd(UniqueFd fd, SSL_CTX* context, bool server)
      : fd_(std::move(fd)), ssl_(SSL_new(context)) {
    SSL_set_fd(ssl_.get(), fd_.get());
    server ? SSL_set_accept_state(ssl_.get())
           : SSL_set_connect_state(ssl_.get());
  }
  void Handshake() { Must(SSL_do_handshake(ssl_.get()) == 1); }
  void Write(const char* from, size_t size) {
    size_t done = 0;
    Must(SSL_write_ex(ssl_.get(), from, size, &done) == 1 && done == size);
  }
  size_t Read(char* to, size_t size) {
    size_t done = 0;
    Must(SSL_read_ex(ssl_.get(), to, size, &done) == 1);
    return done;
  }
  SSL* ssl() { return ssl_.get(); }

 private:
  UniqueFd fd_;
  internal::UniqueSsl ssl_;
};

class RawPair {
 public:
  explicit RawPair(bool tickets = false)
      : client_context_(SSL_CTX_new(TLS_method())),
        server_context_(SSL_CTX_new(TLS_method())) {
    // SSL_set_fd writes with write(2), also when the peer has gone.
    std::signal(SIGPIPE, SIG_IGN);
    auto identity =
        Must(internal::LoadIdentity(SharedIdentity().AsOption(), "raw"));
    Must(internal::UseIdentity(server_context_.get(), identity));
    TlsPem roots;
    roots.text = flow_testing::SharedCa().pem();
    Must(internal::TrustOnly(client_context_.get(), roots, "raw"));
    SSL_CTX_set_verify(client_context_.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_num_tickets(server_context_.get(), tickets ? 1 : 0);
  }

  std::pair<RawEnd, RawEnd> Connect(SSL_SESSION* session = nullptr) {
    auto [a, b] = Must(SocketPair());
    RawEnd client(Blocking(std::move(a)), client_context_.get(), false);
    RawEnd server(Blocking(std::move(b)), server_context_.get(), true);
    X509_VERIFY_PARAM_set1_host(SSL_get0_param(client.ssl()), "localhost", 0);
    if (session != nullptr) SSL_set_session(client.ssl(), session);
    std::thread accepting([&server = server] { server.Handshake(); });
    client.Handshake();
    accepting.join();
    return {std::move(client), std::move(server)};
  }

 private:
  static UniqueFd Blocking(Flow flow) {
    UniqueFd fd = Must(flow.ReleaseFd());
    Must(Syscalls::Real()->Fcntl(fd.get(), F_SETFL, 0) == 0);
    return fd;
  }

  internal::UniqueSslCtx client_context_;
  internal::UniqueSslCtx server_context_;
};

std::pair<Flow, Flow> TlsFlows() {
  return Must(flow_testing::UnderTls(Must(SocketPair())));
}

Limits Armed() { return absl::Hours(1); }

// Runs a benchmark with one thread on each of two processors, where this
// process may use two; left to the scheduler, both are on one now, on two then.
// This side has the first, on a thread of its own: a process whose first thread
// is pinned has one processor, for all that flow can see.
template <void (*kBody)(benchmark::State&)>
void OneEach(benchmark::State& state) {
  OnOurThread([&state] {
    PinTo(0);
    kBody(state);
  });
}

// --------------------------------------------------------------------- stream

void BM_StreamRaw(benchmark::State& state) {
  RawPair pair;
  auto [a, b] = pair.Connect();
  const std::string block(kBlock, 'b');
  std::thread writer([&, &a = a] {
    PinTo(1);
    for (;;) {
      size_t done = 0;
      if (SSL_write_ex(a.ssl(), block.data(), block.size(), &done) != 1) return;
    }
  });
  auto into = std::make_unique<char[]>(kBlock);
  size_t total = 0;
  for (auto _ : state) {
    for (size_t got = 0; got < kBlock;) got += b.Read(into.get(), kBlock - got);
    total += kBlock;
  }
  state.SetBytesProcessed(static_cast<int64_t>(total));
  b.Close();
  writer.join();
}

void BM_StreamFlow(benchmark::State& state) {
  auto [a, b] = TlsFlows();
  const std::string block(kBlock, 'b');
  std::thread writer([&, &a = a] {
    PinTo(1);
    const Limits limits = Armed();
    while (a.Write(block, limits).ok()) {
    }
  });
  auto into = std::make_unique<char[]>(kBlock);
  const Limits limits = Armed();
  size_t total = 0;
  for (auto _ : state) {
    for (size_t got = 0; got < kBlock;) {
      got += Must(b.ReadInto({into.get(), kBlock - got}, limits)).data();
    }
    total += kBlock;
  }
  state.SetBytesProcessed(static_cast<int64_t>(total));
  b.Close().IgnoreError();
  writer.join();
}

// ------------------------------------------------------------------ ping-pong

void BM_PingPongRaw(benchmark::State& state) {
  RawPair pair;
  auto [a, b] = pair.Connect();
  std::thread echo([&b = b] {
    PinTo(1);
    char ping[kPing];
    size_t n = 0;
    while (SSL_read_ex(b.ssl(), ping, kPing, &n) == 1) b.Write(ping, n);
  });
  char ping[kPing] = {};
  for (auto _ : state) {
    a.Write(ping, kPing);
    a.Read(ping, kPing);
  }
  a.Close();
  echo.join();
}

void BM_PingPongFlow(benchmark::State& state) {
  auto [a, b] = TlsFlows();
  std::thread echo([&b = b] {
    PinTo(1);
    const Limits limits = Armed();
    char ping[kPing];
    for (;;) {
      auto got = b.ReadInto({ping, kPing}, limits);
      if (!got.ok() || got->is_eof()) return;
      Must(b.Write({ping, got->data()}, limits));
    }
  });
  const Limits limits = Armed();
  char ping[kPing] = {};
  for (auto _ : state) {
    Must(a.Write({ping, kPing}, limits));
    Must(a.ReadInto({ping, kPing}, limits).status());
  }
  a.Close().IgnoreError();
  echo.join();
}

// ----------------------------------------------------------------- handshakes

void BM_HandshakeRaw(benchmark::State& state) {
  RawPair pair;
  for (auto _ : state) pair.Connect();
}

void BM_HandshakeFlow(benchmark::State& state) {
  const TlsClient client = Must(TlsClient::Create(GoodClient()));
  const TlsServer server = Must(TlsServer::Create(GoodServer()));
  for (auto _ : state) {
    TlsPair tls =
        flow_testing::HandshakeOver(Must(SocketPair()), client, server);
    Must(tls.first.status());
  }
}

// Each connection resumes the one before it, whose ticket comes with a word.
void BM_ResumptionRaw(benchmark::State& state) {
  RawPair pair(/*tickets=*/true);
  internal::UniqueSslSession session;
  for (auto _ : state) {
    auto [a, b] = pair.Connect(session.get());
    Must(session == nullptr || SSL_session_reused(a.ssl()) == 1);
    char word = 'w';
    b.Write(&word, 1);
    a.Read(&word, 1);
    session.reset(SSL_get1_session(a.ssl()));
    SSL_set_shutdown(a.ssl(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }
}

void BM_ResumptionFlow(benchmark::State& state) {
  TlsClientOptions client_options = GoodClient();
  client_options.max_sessions = 10;
  TlsServerOptions server_options = GoodServer();
  server_options.session_tickets = 1;
  const TlsClient client = Must(TlsClient::Create(client_options));
  const TlsServer server = Must(TlsServer::Create(server_options));
  bool first = true;
  for (auto _ : state) {
    TlsPair tls =
        flow_testing::HandshakeOver(Must(SocketPair()), client, server);
    Must(tls.first.status());
    Must(first || tls.first->facts.resumed);
    first = false;
    char word = 'w';
    Must(tls.second->flow.Write({&word, 1}));
    Must(tls.first->flow.ReadInto({&word, 1}).status());
  }
}

BENCHMARK(OneEach<BM_StreamRaw>)->Name("BM_StreamRaw")->UseRealTime();
BENCHMARK(OneEach<BM_StreamFlow>)->Name("BM_StreamFlow")->UseRealTime();
BENCHMARK(OneEach<BM_PingPongRaw>)->Name("BM_PingPongRaw")->UseRealTime();
BENCHMARK(OneEach<BM_PingPongFlow>)->Name("BM_PingPongFlow")->UseRealTime();
BENCHMARK(BM_HandshakeRaw)->UseRealTime();
BENCHMARK(BM_HandshakeFlow)->UseRealTime();
BENCHMARK(BM_ResumptionRaw)->UseRealTime();
BENCHMARK(BM_ResumptionFlow)->UseRealTime();

}  // namespace
}  // namespace flow
