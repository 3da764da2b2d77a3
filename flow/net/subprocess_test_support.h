// File: subprocess_test_support.h (testonly)
//
// What tests of programs have in common.

#ifndef FLOW_NET_SUBPROCESS_TEST_SUPPORT_H_
#define FLOW_NET_SUBPROCESS_TEST_SUPPORT_H_

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/net/subprocess.h"
#include "flow/sys/child.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/matchers.h"
#include "gtest/gtest.h"

namespace flow_testing {

inline constexpr absl::Duration kLong = absl::Seconds(30);

// All that comes up to the end.
inline std::string ReadAll(flow::Flow& from) {
  std::string all;
  for (;;) {
    auto got = from.Read(kLong);
    if (!got.ok()) {
      ADD_FAILURE() << got.status();
      return all;
    }
    if (got->is_eof()) return all;
    all += std::string(got->data().view());
  }
}

// Until `pid` is neither alive nor a zombie.
inline void WaitUntilReaped(pid_t pid) {
  while (kill(pid, 0) == 0) std::this_thread::yield();
}

// Whether the thread is there that reaps those who were dropped.
inline bool ReaperRuns() {
  for (const auto& thread :
       std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(thread.path() / "comm"), name);
    if (name == "flow-reaper") return true;
  }
  return false;
}

// The signals that this process's thread of that name blocks, the first in the
// lowest bit; 0 if there is no such thread.
inline uint64_t BlockedSignalsOf(const std::string& name) {
  for (const auto& thread :
       std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(thread.path() / "status");
    std::string line;
    std::getline(status, line);
    if (line != "Name:\t" + name) continue;
    while (std::getline(status, line)) {
      if (line.rfind("SigBlk:", 0) == 0) {
        return std::stoull(line.substr(7), nullptr, 16);
      }
    }
  }
  return 0;
}

// Until no child is left, and the reaper has gone with its descriptors.
inline void WaitUntilAllIsQuiet() {
  siginfo_t info;
  while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ||
         ReaperRuns()) {
    std::this_thread::yield();
  }
}

// What a shell command prints; it has to succeed.
inline std::string Output(const std::string& command,
                          flow::SpawnOptions options = {}) {
  absl::StatusOr<flow::Subprocess> sh =
      flow::Spawn({"/bin/sh", "-c", command}, options);
  EXPECT_THAT(sh, IsOk());
  if (!sh.ok()) return "";
  const std::string all = ReadAll(sh->stdout_flow());
  EXPECT_THAT(sh->Wait(kLong), IsOkAndHolds(flow::ExitStatus::Exited(0)));
  return all;
}

// P5: as kernels without close_range(2) do it.
class OldKernel : public flow::Syscalls {
 public:
  pid_t StartChild(const flow::ChildPlan& plan,
                   flow::ChildFailure* failure) override {
    flow::ChildPlan old = plan;
    old.without_close_range = true;
    return Syscalls::StartChild(old, failure);
  }
  int PidfdOpen(pid_t) override {
    errno = ENOSYS;
    return -1;
  }
};

}  // namespace flow_testing

#endif  // FLOW_NET_SUBPROCESS_TEST_SUPPORT_H_
