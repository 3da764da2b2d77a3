#include "flow/handle_use.h"

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "flow/core.h"
#include "flow/flow_access.h"
#include "flow/state.h"
#include "flow/status.h"

namespace flow {
namespace internal {
namespace {

absl::Status UseInside(Core& core, absl::string_view operation,
                       absl::FunctionRef<int(Syscalls*, int)> call) {
  const int fd = core.transport().native_handle();
  if (fd < 0) {
    return MakeStatus(
        absl::StatusCode::kUnimplemented,
        absl::StrCat(operation, " refused: not a flow on one descriptor; ",
                     core.Describe()),
        core.Detail(operation));
  }
  if (call(core.sys(), fd) >= 0) return absl::OkStatus();
  return ErrnoStatus(errno, operation, core.Describe());
}

}  // namespace

absl::Status UseHandle(const Flow& flow, absl::string_view operation,
                       absl::FunctionRef<int(Syscalls*, int)> call) {
  Core* const core = FlowAccess::CoreOf(flow);
  if (core == nullptr) return NoFlowStatus(operation);
  if (core->EnterUnheld() != Answer::kTry) {
    const absl::Status closed = ClosedLocallyStatus(
        core->Detail(operation), core->Describe(), /*pending=*/false);
    core->Unpin();
    return closed;
  }
  const absl::Status used = UseInside(*core, operation, call);
  core->LeaveUnheld();
  return used;
}

}  // namespace internal
}  // namespace flow
