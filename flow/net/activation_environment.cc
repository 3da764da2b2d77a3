#include "flow/net/activation_environment.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "flow/status.h"

namespace flow {
namespace internal {
namespace {

// What sd_listen_fds_with_names(3) calls those without a name.
constexpr absl::string_view kUnnamed = "unknown";
// More descriptors than any process has.
constexpr int kMost = 1 << 20;

}  // namespace

absl::StatusOr<std::vector<Activated>> ParseActivation(
    const ActivationVariables& variables, pid_t self) {
  std::vector<Activated> all;
  if (variables.pid == nullptr || variables.fds == nullptr) return all;
  pid_t pid = 0;
  if (!absl::SimpleAtoi(variables.pid, &pid) || pid <= 0) {
    return InvalidArgument("LISTEN_PID is no number of a process");
  }
  if (pid != self) return all;
  int count = 0;
  if (!absl::SimpleAtoi(variables.fds, &count) || count < 0 || count > kMost) {
    return InvalidArgument("LISTEN_FDS is no number of descriptors");
  }
  std::vector<absl::string_view> names;
  if (variables.names != nullptr && count > 0) {
    names = absl::StrSplit(variables.names, ':');
    if (names.size() != static_cast<size_t>(count)) {
      return InvalidArgument(absl::StrCat("LISTEN_FDNAMES has ", names.size(),
                                          " names, LISTEN_FDS says ", count));
    }
  }
  for (int i = 0; i < count; ++i) {
    all.push_back({kFirstActivated + i,
                   std::string(names.empty() ? kUnnamed
                                             : names[static_cast<size_t>(i)])});
  }
  return all;
}

}  // namespace internal
}  // namespace flow
