#include "tools/flowcat/stop_signals.h"

#include <pthread.h>

#include <utility>

namespace flow_tools {
namespace {

// Ends our thread. Nobody is harmed should it go astray: its default is to be
// ignored.
constexpr int kWakeUp = SIGURG;

bool IsIgnored(int signal) {
  struct sigaction action = {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

}  // namespace

StopSignals::StopSignals(absl::Duration grace, std::function<void()> on_usr1)
    : grace_(grace), on_usr1_(std::move(on_usr1)) {
  sigemptyset(&stops_);
  for (const int signal : {SIGINT, SIGTERM}) {
    if (!IsIgnored(signal)) sigaddset(&stops_, signal);
  }
  sigset_t awaited = stops_;
  if (!IsIgnored(SIGUSR1)) sigaddset(&awaited, SIGUSR1);
  sigaddset(&awaited, kWakeUp);
  pthread_sigmask(SIG_BLOCK, &awaited, &before_);
  thread_ = std::thread([this, awaited] { Run(awaited); });
}

StopSignals::~StopSignals() {
  ending_ = true;
  pthread_kill(thread_.native_handle(), kWakeUp);
  thread_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool StopSignals::Stop(int signal) {
  if (caught_ != 0) {
    hurried_ = true;
    cut_.Cancel();
    return true;
  }
  caught_ = signal;
  if (grace_ <= absl::ZeroDuration()) {
    cut_.Cancel();
  } else {
    cut_.SetDeadline(grace_);
  }
  stopping_.Cancel();
  return grace_ <= absl::ZeroDuration();
}

void StopSignals::Run(sigset_t awaited) {
  while (!ending_) {
    int signal = 0;
    sigwait(&awaited, &signal);
    if (ending_ || signal == kWakeUp) continue;
    if (signal == SIGUSR1) {
      on_usr1_();
    } else if (Stop(signal)) {
      // From here on this thread takes them as they come, and they kill.
      sigdelset(&awaited, SIGINT);
      sigdelset(&awaited, SIGTERM);
      pthread_sigmask(SIG_UNBLOCK, &stops_, nullptr);
    }
  }
}

}  // namespace flow_tools
