#include "flow/net/activation.h"

#include <unistd.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "flow/changed_fields.h"
#include "flow/net/activation_environment.h"
#include "flow/net/listening.h"
#include "flow/status.h"
#include "flow/sys/unique_fd.h"

namespace flow {
namespace {

using internal::Activated;

// Which numbers have been handed out. Process-wide, as descriptors are.
struct Taken {
  absl::Mutex mu;
  absl::flat_hash_set<int> fds ABSL_GUARDED_BY(mu);
};
Taken& TakenHere() {
  static auto* const taken = new Taken;  // never destroyed
  return *taken;
}

absl::StatusOr<std::vector<Activated>> Environment(
    const ActivationOptions& options) {
  internal::ActivationVariables variables;
  variables.pid = std::getenv("LISTEN_PID");
  variables.fds = std::getenv("LISTEN_FDS");
  variables.names = std::getenv("LISTEN_FDNAMES");
  absl::StatusOr<std::vector<Activated>> all =
      internal::ParseActivation(variables, getpid());
  if (options.unset_environment) {
    for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) {
      unsetenv(name);
    }
  }
  return all;
}

absl::Status WithName(const absl::Status& status, const Activated& one) {
  return MakeStatus(
      status.code(),
      absl::StrCat("socket activation, \"", one.name, "\": ", status.message()),
      DetailOf(status).value_or(ErrorDetail()));
}

// Whether it can be adopted, without owning it.
absl::Status Check(Syscalls* sys, const Activated& one) {
  absl::Status status = internal::KindOfListener(sys, one.fd).status();
  return status.ok() ? status : WithName(status, one);
}

absl::StatusOr<Listener> Take(Syscalls* sys, Taken& taken, const Activated& one)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(taken.mu) {
  absl::StatusOr<Listener> listener = AdoptListener(UniqueFd(one.fd, sys), sys);
  taken.fds.insert(one.fd);
  if (!listener.ok()) return WithName(listener.status(), one);
  return listener;
}

Syscalls* SysOf(const ActivationOptions& options) {
  return options.sys != nullptr ? options.sys : Syscalls::Real();
}

}  // namespace

absl::StatusOr<std::vector<ActivatedListener>> ListenersFromEnvironment(
    const ActivationOptions& options) {
  Syscalls* const sys = SysOf(options);
  const absl::StatusOr<std::vector<Activated>> all = Environment(options);
  if (!all.ok()) return all.status();
  std::vector<ActivatedListener> listeners;
  if (all->empty()) return listeners;
  Taken& taken = TakenHere();
  absl::MutexLock lock(&taken.mu);
  for (const Activated& one : *all) {
    if (taken.fds.contains(one.fd)) continue;
    if (absl::Status s = Check(sys, one); !s.ok()) return s;
  }
  for (const Activated& one : *all) {
    if (taken.fds.contains(one.fd)) continue;
    absl::StatusOr<Listener> listener = Take(sys, taken, one);
    if (!listener.ok()) return listener.status();
    listeners.push_back({one.name, *std::move(listener)});
  }
  return listeners;
}

absl::StatusOr<Listener> ListenerFromEnvironment(
    absl::string_view name, const ActivationOptions& options) {
  Syscalls* const sys = SysOf(options);
  const absl::StatusOr<std::vector<Activated>> all = Environment(options);
  if (!all.ok()) return all.status();
  Taken& taken = TakenHere();
  absl::MutexLock lock(&taken.mu);
  std::vector<UniqueFd> fds;
  for (const Activated& one : *all) {
    if (one.name != name || taken.fds.contains(one.fd)) continue;
    if (absl::Status s = Check(sys, one); !s.ok()) return s;
  }
  for (const Activated& one : *all) {
    if (one.name != name || !taken.fds.insert(one.fd).second) continue;
    fds.emplace_back(one.fd, sys);
  }
  if (!fds.empty()) return AdoptListeners(std::move(fds), sys);
  return MakeStatus(
      absl::StatusCode::kNotFound,
      all->empty()
          ? "this process was not started with any socket"
          : absl::StrCat("no socket called \"", name, "\" is left of the ",
                         all->size(), " that this process was started with"),
      {});
}

std::string ActivatedListener::ToString() const {
  return absl::StrCat(name, ": ", listener.address());
}

std::string ActivationOptions::ToString() const {
  const ActivationOptions usual;
  return internal::ChangedFields()
      .Given("sys", sys != nullptr)
      .Add("unset_environment", unset_environment, usual.unset_environment)
      .Text();
}

}  // namespace flow
