// File: spawning.h (internal)
//
// Spawning: what Spawn and SpawnOnPty have in common. It alone knows how
// options become a ChildPlan, and how descriptors become the ends of pipes.

#ifndef FLOW_NET_SPAWNING_H_
#define FLOW_NET_SPAWNING_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "flow/flow.h"
#include "flow/net/subprocess.h"
#include "flow/sys/unique_fd.h"

namespace flow {
namespace internal {

// The two sides of a terminal that a program is to have for its session: the
// slave becomes all three of its standard streams.
struct Terminal {
  UniqueFd slave;
  Flow master;  // becomes stdio_flow()
};

// With a terminal, the three streams in `options` are not looked at.
absl::StatusOr<Subprocess> SpawnWith(const std::vector<std::string>& argv,
                                     const SpawnOptions& options,
                                     Terminal* terminal);

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_SPAWNING_H_
