#include "flow/fd/socket_flow.h"

#include <memory>
#include <utility>

#include "flow/fd/fd_transport.h"

namespace flow {
namespace internal {

Flow FlowOnSocket(Syscalls* sys, UniqueFd fd, FdKind kind, FdNames names,
                  AdaptiveReads adaptive) {
  FdFacts facts;
  facts.fd = fd.get();
  facts.kind = kind;
  facts.can_read = true;
  facts.can_write = true;
  auto transport = std::make_unique<FdTransport>(
      sys, FdPart{facts, std::move(fd)}, std::move(names));
  transport->set_adaptive_reads(adaptive);
  return Flow(std::move(transport), sys);
}

}  // namespace internal
}  // namespace flow
