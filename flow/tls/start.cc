#include "flow/tls/start.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/status.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"
#include "flow/tls/context.h"
#include "flow/tls/handshake.h"
#include "flow/tls/tls_transport.h"

namespace flow {
namespace internal {
namespace {

absl::StatusOr<std::unique_ptr<Transport>> TransportOf(Flow& below) {
  absl::StatusOr<std::unique_ptr<Transport>> transport =
      below.ReleaseTransport();
  if (!transport.ok()) return transport.status();
  if (!(*transport)->can_read() || !(*transport)->can_write()) {
    return InvalidArgument(absl::StrCat(
        "TLS needs a flow of both directions; ",
        EndpointPair((*transport)->local(), (*transport)->peer())));
  }
  return transport;
}

TlsHandshake Start(std::unique_ptr<TlsEngine> engine, Syscalls* sys,
                   const TlsContext& context, const Limits& limits) {
  TlsHandshake handshake;
  handshake.flow =
      Flow(std::make_unique<HandshakeTransport>(std::move(engine), sys), sys);
  handshake.limits =
      context.handshake_timeout == absl::InfiniteDuration()
          ? limits
          : limits.Within(sys->Now() + context.handshake_timeout);
  return handshake;
}

}  // namespace

absl::StatusOr<TlsHandshake> StartConnect(Flow below, const TlsClient& client,
                                          absl::string_view server_name,
                                          const Limits& limits) {
  TlsClientContext& context = *client.context();
  if (absl::Status s = context.Check(server_name); !s.ok()) return s;
  Syscalls* const sys = below.syscalls();
  absl::StatusOr<std::unique_ptr<Transport>> transport = TransportOf(below);
  if (!transport.ok()) return transport.status();
  absl::StatusOr<std::unique_ptr<TlsEngine>> engine =
      context.Connect(*std::move(transport), server_name);
  if (!engine.ok()) return engine.status();
  return Start(*std::move(engine), sys, context.common(), limits);
}

absl::StatusOr<TlsHandshake> StartAccept(Flow below, const TlsServer& server,
                                         const Limits& limits) {
  const std::shared_ptr<TlsServerContext> context = server.context();
  Syscalls* const sys = below.syscalls();
  absl::StatusOr<std::unique_ptr<Transport>> transport = TransportOf(below);
  if (!transport.ok()) return transport.status();
  absl::StatusOr<std::unique_ptr<TlsEngine>> engine =
      context->Accept(*std::move(transport));
  if (!engine.ok()) return engine.status();
  return Start(*std::move(engine), sys, context->common(), limits);
}

absl::StatusOr<TlsFlow> FinishHandshake(Flow handshake) {
  Syscalls* const sys = handshake.syscalls();
  absl::StatusOr<std::unique_ptr<Transport>> transport =
      handshake.ReleaseTransport();
  if (!transport.ok()) return transport.status();
  std::unique_ptr<TlsEngine> engine =
      static_cast<HandshakeTransport&>(**transport).TakeEngine();
  TlsFlow tls;
  tls.facts = engine->Facts();
  tls.flow = Flow(std::make_unique<TlsTransport>(std::move(engine), sys), sys);
  return tls;
}

}  // namespace internal
}  // namespace flow
