// File: subprocess_access.h (internal)
//
// SubprocessAccess: for those who make Subprocesses, and take them apart.

#ifndef FLOW_NET_SUBPROCESS_ACCESS_H_
#define FLOW_NET_SUBPROCESS_ACCESS_H_

#include <memory>
#include <utility>

#include "flow/flow.h"
#include "flow/net/child_process.h"
#include "flow/net/subprocess.h"

namespace flow {
namespace internal {

struct SubprocessParts {
  Flow in;
  Flow out;
  Flow err;
  Flow both;
  std::shared_ptr<ChildProcess> child;
  bool kill_on_close = false;
};

struct SubprocessAccess {
  static Subprocess Make(SubprocessParts parts) {
    Subprocess process;
    process.in_ = std::move(parts.in);
    process.out_ = std::move(parts.out);
    process.err_ = std::move(parts.err);
    process.both_ = std::move(parts.both);
    process.child_ = std::move(parts.child);
    process.kill_on_close_ = parts.kill_on_close;
    return process;
  }
  // The program, which is the caller's to abandon from now on.
  static std::shared_ptr<ChildProcess> TakeChild(Subprocess& process) {
    return std::move(process.child_);
  }
  static bool KillsOnClose(const Subprocess& process) {
    return process.kill_on_close_;
  }
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_NET_SUBPROCESS_ACCESS_H_
