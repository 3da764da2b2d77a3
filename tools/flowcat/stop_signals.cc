#include "tools/flowcat/stop_signals.h"

#include <pthread.h>
#include <time.h>

#include <utility>

namespace flow_tools {
namespace {

// Ends our thread. Nobody is harmed should it go astray: its default is to be
// ignored.
constexpr int kWakeUp = SIGURG;

// In which nothing moves: nothing is under way any more.
constexpr absl::Duration kQuiet = absl::Milliseconds(500);

bool IsIgnored(int signal) {
  struct sigaction action = {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

}  // namespace

StopSignals::StopSignals(Grace grace, std::function<void()> on_usr1)
    : grace_(std::move(grace)), on_usr1_(std::move(on_usr1)) {
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
  const bool at_once = grace_.most <= absl::ZeroDuration();
  if (at_once) {
    cut_.Cancel();
  } else {
    cut_.SetDeadline(grace_.most);
  }
  stopping_.Cancel();
  return at_once;
}

int StopSignals::Next(const sigset_t& awaited) {
  int signal = 0;
  const bool draining =
      caught_ != 0 && grace_.moved && !cut_.token().cancelled();
  if (!draining) {
    sigwait(&awaited, &signal);
    return signal;
  }
  const uint64_t before = grace_.moved();
  const timespec pause = absl::ToTimespec(kQuiet);
  signal = sigtimedwait(&awaited, nullptr, &pause);
  if (signal > 0) return signal;
  if (grace_.moved() == before) cut_.Cancel();
  return 0;
}

void StopSignals::Run(sigset_t awaited) {
  while (!ending_) {
    const int signal = Next(awaited);
    if (ending_ || signal == kWakeUp || signal <= 0) continue;
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
