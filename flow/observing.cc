#include "flow/observing.h"

namespace flow {
namespace internal {

Observing::~Observing() {
  const Node* node = first_.load(std::memory_order_relaxed);
  while (node != nullptr) delete std::exchange(node, node->next);
}

void Observing::Add(std::shared_ptr<FlowObserver> observer) {
  FlowObserver* const told = observer.get();
  auto* const node = new Node{std::move(observer), nullptr};
  {
    MutexLock lock(&mu_);
    node->next = first_.load(std::memory_order_relaxed);
    first_.store(node, std::memory_order_release);
  }
  // The node stays until this is destroyed, and the hook with it.
  WhenOver([told] { told->OnClosed(); });
}

void Observing::WhenOver(Hook hook) {
  {
    MutexLock lock(&mu_);
    if (!over_) return hooks_.push_back(std::move(hook));
  }
  std::move(hook)();
}

void Observing::Over() {
  std::vector<Hook> hooks;
  {
    MutexLock lock(&mu_);
    over_ = true;
    hooks.swap(hooks_);
  }
  for (Hook& hook : hooks) std::move(hook)();
}

}  // namespace internal
}  // namespace flow
