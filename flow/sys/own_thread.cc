#include "flow/sys/own_thread.h"

#include <csignal>
#include <memory>

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
  return Make(name, std::move(body), Syscalls::Real());
}

bool OwnThread::StartWithoutSignals(absl::string_view name,
                                    absl::AnyInvocable<void() &&> body,
                                    Syscalls* sys) {
  // A thread inherits its maker's mask, so that there is no moment in which it
  // takes one. Blocked, the signals of a fault would end the process without
  // its handlers having been called.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  for (const int fault :
       {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF}) {
    sigdelset(&all, fault);
  }
  sys->SigMask(SIG_BLOCK, &all, &before);
  const bool started = Make(name, std::move(body), sys);
  sys->SigMask(SIG_SETMASK, &before, nullptr);
  return started;
}

bool OwnThread::Make(absl::string_view name, absl::AnyInvocable<void() &&> body,
                     Syscalls* sys) {
  auto start = std::make_unique<flow::Start>(
      flow::Start{std::string(name), std::move(body)});
  running_ = sys->StartThread(&thread_, &RunBody, start.get()) == 0;
  if (running_) static_cast<void>(start.release());
  return running_;
}

void OwnThread::Detach() {
  if (running_) pthread_detach(thread_);
  running_ = false;
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
