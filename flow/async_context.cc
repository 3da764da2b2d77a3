#include "flow/async_context.h"

#include "absl/strings/str_cat.h"
#include "flow/async_home.h"
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
    : way_(std::make_shared<internal::ExecutorWay>(executor)),
      poller_(MakePoller(sys)) {}

AsyncContext::AsyncContext() : poller_(MakePoller(nullptr)) {
  InlineExecutor executor;  // its door is all that is needed
  way_ = std::make_shared<internal::ExecutorWay>(executor);
}

AsyncContext::~AsyncContext() { poller_->Stop(); }

std::string AsyncContext::ToString() const {
  if (poller_->in_forked_child()) return "context of the parent process";
  return absl::StrCat("context, ", poller_->under_way(),
                      " operations under way",
                      poller_->stopping() ? ", stopping" : "");
}

}  // namespace flow
