// File: activation_environment.h (internal)
//
// What LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES say. It alone knows their
// form (sd_listen_fds(3)).
//
// Guarantees: pure functions of plain values.

#ifndef FLOW_NET_ACTIVATION_ENVIRONMENT_H_
#define FLOW_NET_ACTIVATION_ENVIRONMENT_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace flow {
namespace internal {

// The number of the first (SD_LISTEN_FDS_START).
inline constexpr int kFirstActivated = 3;

// A descriptor that this process was started with.
struct Activated {
  int fd = -1;
  std::string name;
};

// The variables as getenv(3) gives them: null if there is none.
struct ActivationVariables {
  const char* pid = nullptr;
  const char* fds = nullptr;
  const char* names = nullptr;
};

// What they say to the process `self`: nothing, if they are another's (or a
// parent's, that was started with them). INVALID_ARGUMENT: they make no sense.
absl::StatusOr<std::vector<Activated>> ParseActivation(
    const ActivationVariables& variables, pid_t self);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_ACTIVATION_ENVIRONMENT_H_
