#include "flow/sys/own_thread.h"

#include <csignal>
#include <memory>

#include "flow/sys/syscalls.h"

namespace flow {
namespace {

thread_local bool blocked_for_good = false;

struct Start {
  std::string name;
  absl::AnyInvocable<void() &&> body;
};

void* RunBody(void* argument) {
  const std::unique_ptr<Start> start(static_cast<Start*>(argument));
#ifdef __linux__
  // For ps, top and debuggers; its failure is of no interest.
  static_cast<void>(
      pthread_setname_np(pthread_self(), start->name.substr(0, 15).c_str()));
#endif
  BlockSigpipeForGood();
  std::move(start->body)();
  return nullptr;
}

}  // namespace

bool SigpipeIsBlockedForGood() { return blocked_for_good; }

bool BlockSigpipeForGood() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  blocked_for_good = Syscalls::Real()->SigMask(SIG_BLOCK, &set, nullptr) == 0;
  return blocked_for_good;
}

bool OwnThread::Start(absl::string_view name,
                      absl::AnyInvocable<void() &&> body) {
  auto start = std::make_unique<flow::Start>(
      flow::Start{std::string(name), std::move(body)});
  running_ = pthread_create(&thread_, nullptr, &RunBody, start.get()) == 0;
  if (running_) static_cast<void>(start.release());
  return running_;
}

void OwnThread::JoinUnlessSelf() {
  if (!running_) return;
  running_ = false;
  if (pthread_equal(thread_, pthread_self()) != 0) {
    pthread_detach(thread_);
  } else {
    pthread_join(thread_, nullptr);
  }
}

}  // namespace flow
