#include "tools/stop_signals.h"

#include <pthread.h>

namespace flow_tools {
namespace {

// Ends our thread. Nobody is harmed should it go astray: its default is to be
// ignored.
constexpr int kWakeUp = SIGURG;

}  // namespace

StopSignals::StopSignals() {
  sigemptyset(&stopping_);
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction action = {};
    sigaction(signal, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&stopping_, signal);
  }
  sigset_t blocked = stopping_;
  sigaddset(&blocked, kWakeUp);
  pthread_sigmask(SIG_BLOCK, &blocked, &before_);
  thread_ = std::thread([this, blocked] { Wait(blocked); });
}

StopSignals::~StopSignals() {
  ending_ = true;
  pthread_kill(thread_.native_handle(), kWakeUp);
  thread_.join();
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void StopSignals::Wait(const sigset_t& awaited) {
  int signal = 0;
  sigwait(&awaited, &signal);
  if (!ending_ && signal != kWakeUp) {
    caught_ = signal;
    stop_.Cancel();
    // From here on this thread takes signals as they come, and they kill.
    pthread_sigmask(SIG_UNBLOCK, &stopping_, nullptr);
  }
  sigset_t wake_up;
  sigemptyset(&wake_up);
  sigaddset(&wake_up, kWakeUp);
  while (!ending_) sigwait(&wake_up, &signal);
}

}  // namespace flow_tools
