// The fork generation: 0 in the first process, one more in each child.

#include "flow/sys/fork_generation.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>

#include "gtest/gtest.h"

namespace flow {
namespace {

// The exit code of a child that runs `function`.
template <typename Function>
int InChild(Function function) {
  const pid_t pid = fork();
  if (pid == 0) _exit(function());
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

TEST(ForkGenerationTest, AChildIsOneFurtherThanItsParent) {
  const uint32_t here = ForkGeneration();
  EXPECT_EQ(ForkGeneration(), here) << "stands still without fork";
  EXPECT_EQ(InChild([&] { return ForkGeneration() == here + 1 ? 0 : 1; }), 0);
  EXPECT_EQ(
      InChild([&] {
        return InChild([&] { return ForkGeneration() == here + 2 ? 0 : 1; });
      }),
      0);
  EXPECT_EQ(ForkGeneration(), here) << "the parent stays";
}

}  // namespace
}  // namespace flow
