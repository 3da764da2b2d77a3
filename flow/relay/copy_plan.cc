#include "flow/relay/copy_plan.h"

#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "flow/state.h"
#include "flow/status.h"
#include "flow/transport.h"
#include "flow/turn.h"

namespace flow {
namespace internal {
namespace {

using Kind = RawEnd::Kind;

// One end of a flow; nothing in `raw` if it can't be looked at now.
struct Looked {
  bool open = false;
  RawEnd raw;
};

// With the direction held, since only so is the fd sure to stay.
Looked LookAt(Core& core, Role role) {
  Turn turn(core, role, "copy", 0);
  Looked looked;
  looked.open = turn.Enter() == Answer::kTry;
  if (looked.open) {
    looked.raw = role == Role::kRead ? core.transport().raw_read()
                                     : core.transport().raw_write();
  }
  return looked;
}

absl::Status Impossible(CopyMethod wanted, const Core& src, const Core& dst,
                        absl::string_view why) {
  return MakeStatus(
      absl::StatusCode::kUnimplemented,
      absl::StrCat("copy by ", CopyMethodName(wanted), " refused: ", why,
                   "; from ", src.Describe(), " to ", dst.Describe()),
      {});
}

}  // namespace

bool IsRefusal(int error) {
  switch (error) {
    case EINVAL:
    case ENOSYS:
    case EOPNOTSUPP:
    case EXDEV:
    case EPERM:
    case EACCES:
    case EBADF:  // an append-only sink
    case ESPIPE:
    case ETXTBSY:
    case EOVERFLOW:
    case ENOMEM:
    case ENOBUFS:
    case EIO:
    case EFBIG:
      return true;
    default:
      return false;
  }
}

absl::StatusOr<CopyPlan> PlanCopy(Core& src, Core& dst, CopyMethod wanted) {
  CopyPlan plan;
  if (wanted == CopyMethod::kBuffered) return plan;
  const Looked in = LookAt(src, Role::kRead);
  const Looked out = LookAt(dst, Role::kWrite);
  if (!in.open || !out.open) return plan;  // the calls will say why
  const bool plain = in.raw && out.raw;
  const bool from_file = in.raw.kind == Kind::kFile;
  const bool to_file = out.raw.kind == Kind::kFile;
  plan.may_signal = plain && !to_file;
  switch (wanted) {
    case CopyMethod::kSplice:
      if (!plain) {
        return Impossible(wanted, src, dst,
                          "it needs plain descriptors that never block");
      }
      plan.may_splice = plan.splice_now = true;
      return plan;
    case CopyMethod::kSendfile:
      if (!from_file || !out.raw.is_socket()) {
        return Impossible(wanted, src, dst, "it needs a file and a socket");
      }
      plan.direct = wanted;
      return plan;
    case CopyMethod::kCopyFileRange:
      if (!from_file || !to_file) {
        return Impossible(wanted, src, dst, "it needs two files");
      }
      plan.direct = wanted;
      return plan;
    case CopyMethod::kAuto:
    case CopyMethod::kBuffered:
      break;
  }
  if (from_file && out.raw.is_socket()) plan.direct = CopyMethod::kSendfile;
  if (from_file && to_file) plan.direct = CopyMethod::kCopyFileRange;
  plan.may_splice =
      plain && (in.raw.kind == Kind::kTcp || in.raw.kind == Kind::kPipe);
  plan.may_signal = plan.may_signal &&
                    (plan.may_splice || plan.direct != CopyMethod::kBuffered);
  return plan;
}

}  // namespace internal
}  // namespace flow
