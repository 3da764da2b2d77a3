// shown: things for gdb to show. It stops in Look(), which flow_py_test.sh
// breaks at; what main has by then is what the test expects to read.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
// For the debug information of what the handles point to.
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/async_op.h"
#include "flow/buffer.h"
#include "flow/cancel.h"
#include "flow/core.h"
#include "flow/endpoint.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/or_eof.h"
#include "flow/sys/mono_time.h"
#include "flow/transport.h"

namespace {

// Nothing may be optimized away before this: the addresses are known here.
[[gnu::noinline]] void Look(const void* first) {
  asm volatile("" : : "r"(first) : "memory");
}

flow::Endpoint Tcp4() {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(80);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return flow::Endpoint::FromSockaddr(
      reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

}  // namespace

int main() {
  const flow::Flow none;
  auto pair = flow::SocketPair();
  auto second = flow::SocketPair();
  auto third = flow::SocketPair();
  if (!pair.ok() || !second.ok() || !third.ok()) return 1;
  auto& [left, right] = *pair;
  if (!left.Write("hello").ok()) return 1;
  auto got = right.Read();
  if (!got.ok()) return 1;
  const flow::Buffer buffer = std::move(got->data());
  if (!left.Shutdown(flow::ShutdownMode::kWrite).ok()) return 1;
  auto end = right.Read();
  if (!end.ok() || !end->is_eof()) return 1;

  flow::Flow& closed = second->first;
  closed.Close().IgnoreError();
  const absl::Status refused = closed.Write("x");

  flow::AsyncContext context;
  absl::StatusOr<flow::AsyncFlow> made =
      flow::AsyncFlow::From(std::move(third->first), context);
  if (!made.ok()) return 1;
  const flow::AsyncFlow future = *std::move(made);

  const absl::Status fine;
  const absl::Status plain = absl::NotFoundError("nothing of flow's");
  const flow::Endpoint tcp = Tcp4();
  flow::CancelSource source;
  flow::Limits limits = flow::MonoTime::FromNanos(1500000000);
  limits.stall_timeout = absl::Milliseconds(1500);
  limits.cancel = source.token();
  source.Cancel();
  Look(&none);
  return 0;
}
