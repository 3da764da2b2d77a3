#include "flow/async_context.h"

#include "flow/poller.h"

namespace flow {
namespace {

std::shared_ptr<internal::Poller> MakePoller(Syscalls* sys) {
  auto poller = std::make_shared<internal::Poller>(
      sys == nullptr ? Syscalls::Real() : sys);
  // Without a thread it refuses everything: AsyncFlow::From says so.
  if (!internal::Poller::Start(poller)) poller->Stop();
  return poller;
}

}  // namespace

AsyncContext::AsyncContext(Executor& executor, Syscalls* sys)
    : executor_(&executor), poller_(MakePoller(sys)) {}

AsyncContext::AsyncContext()
    : executor_(&inline_), poller_(MakePoller(nullptr)) {}

AsyncContext::~AsyncContext() { poller_->Stop(); }

}  // namespace flow
