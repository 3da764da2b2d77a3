// Bytes from the peer, whatever they are: a libFuzzer target.
//
//   tools/fuzz --seconds=60 tls_fuzz
//
// The first byte of an input says to whom the rest is sent: a client or a
// server at the begin of its handshake, or a client whose handshake is done.
// However it ends, it ends with a status, at once, with nothing left in
// OpenSSL's queue, and no byte comes out that the peer did not seal.
// (fuzz_corpus_test replays the corpus in every test run.)

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/memory_pair.h"
#include "flow/tls/context.h"
#include "flow/tls/handshake.h"
#include "flow/tls/openssl_ptr.h"
#include "flow/tls/start.h"
#include "flow/tls/tls.h"
#include "flow/tls/tls_test_support.h"
#include "flow/transport.h"

namespace {

using flow::Flow;
using flow::internal::UniqueSsl;

constexpr size_t kRoom = size_t{1} << 20;
// Nothing waits for long: the peer has ended.
const absl::Duration kSoon = absl::Seconds(20);

void Check(bool holds) {
  if (!holds) std::abort();
}

const flow::TlsClient& Client() {
  static const flow::TlsClient* const client = [] {
    flow::TlsClientOptions options = flow_testing::GoodClient();
    options.max_sessions = 4;
    options.alpn = {"h2"};
    return new flow::TlsClient(*flow::TlsClient::Create(options));
  }();
  return *client;
}

const flow::TlsServer& Server() {
  static const flow::TlsServer* const server = [] {
    flow::TlsServerOptions options = flow_testing::GoodServer();
    options.session_tickets = 1;
    options.client_certificate = flow::TlsClientCertificate::kOptional;
    options.client_roots.text = flow_testing::SharedCa().pem();
    return new flow::TlsServer(*flow::TlsServer::Create(options));
  }();
  return *server;
}

// Sends `bytes` from a peer that then ends.
Flow Below(absl::string_view bytes) {
  auto [ours, theirs] = flow_testing::MemoryPair(kRoom);
  if (!bytes.empty()) Check(theirs.Write(bytes).ok());
  Check(theirs.Shutdown(flow::ShutdownMode::kWrite).ok());
  // Its other half goes with it: writes fail, or not.
  return std::move(ours);
}

// A raw server's end of a handshake on `below`, until it waits.
void Step(SSL* ssl, flow::Transport& below) {
  char block[16384];
  const iovec into = {block, sizeof(block)};
  for (;;) {
    const flow::Attempt got = below.TryRead(absl::MakeConstSpan(&into, 1));
    if (!got.transferred()) break;
    BIO_write(SSL_get_rbio(ssl), block, static_cast<int>(got.n()));
  }
  SSL_do_handshake(ssl);
  for (;;) {
    const int n = BIO_read(SSL_get_wbio(ssl), block, sizeof(block));
    if (n <= 0) break;
    const iovec from = {block, static_cast<size_t>(n)};
    Check(below.TryWrite(absl::MakeConstSpan(&from, 1)).transferred());
  }
}

UniqueSsl RawServer() {
  static SSL_CTX* const context = [] {
    SSL_CTX* const made = SSL_CTX_new(TLS_method());
    auto identity = flow::internal::LoadIdentity(
        flow_testing::SharedIdentity().AsOption(), "raw");
    Check(flow::internal::UseIdentity(made, *identity).ok());
    return made;
  }();
  UniqueSsl ssl(SSL_new(context));
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_accept_state(ssl.get());
  return ssl;
}

// A client that has shaken hands, then gets `bytes`.
void FuzzStream(absl::string_view bytes) {
  auto [ours, theirs] = flow_testing::MemoryTransportPair(kRoom);
  auto engine = Client().context()->Connect(std::move(ours), "localhost");
  Check(engine.ok());
  auto handshake = std::make_unique<flow::internal::HandshakeTransport>(
      *std::move(engine), flow::Syscalls::Real());
  const UniqueSsl raw = RawServer();
  char byte = 0;
  const iovec into = {&byte, 1};
  for (int i = 0; i < 10; ++i) {
    const flow::Attempt done =
        handshake->TryRead(absl::MakeConstSpan(&into, 1));
    if (done.transferred()) break;
    Check(done.would_block());
    Step(raw.get(), *theirs);
  }
  auto tls = flow::internal::FinishHandshake(
      Flow(std::move(handshake), flow::Syscalls::Real()));
  Check(tls.ok());
  const iovec from = {const_cast<char*>(bytes.data()), bytes.size()};
  if (!bytes.empty()) {
    Check(theirs->TryWrite(absl::MakeConstSpan(&from, 1)).n() == bytes.size());
  }
  static_cast<void>(theirs->TryShutdown(flow::ShutdownMode::kWrite));
  for (int i = 0; i < 3; ++i) {
    const auto got = tls->flow.Read(kSoon);
    Check(!got.ok());  // nothing was sealed, not even an end
    Check(flow::KindOf(got.status()) != flow::ErrorKind::kDeadline);
    Check(!tls->flow.Write("x", kSoon).ok());
  }
  Check(tls->flow.Shutdown(flow::ShutdownMode::kReadWrite, kSoon).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > kRoom) return 0;
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 1,
                                size - 1);
  absl::Status status;
  switch (data[0] % 3) {
    case 0:
      status =
          flow::TlsConnect(Below(bytes), Client(), "localhost", kSoon).status();
      Check(!status.ok());
      break;
    case 1:
      status = flow::TlsAccept(Below(bytes), Server(), kSoon).status();
      Check(!status.ok());
      break;
    default:
      FuzzStream(bytes);
      break;
  }
  Check(flow::KindOf(status) != flow::ErrorKind::kDeadline);
  for (const char c : status.message()) {
    Check(static_cast<unsigned char>(c) >= ' ');
  }
  ERR_clear_error();  // the raw server's own
  return 0;
}
