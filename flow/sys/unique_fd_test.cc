// UniqueFd: each fd closed exactly once (P5).

#include "flow/sys/unique_fd.h"

#include <cerrno>
#include <type_traits>
#include <utility>
#include <vector>

#include "flow/sys/syscalls.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// A kernel that only notes what is closed.
class Closes : public Syscalls {
 public:
  int Close(int fd) override {
    closed.push_back(fd);
    if (error == 0) return 0;
    errno = error;
    return -1;
  }
  std::vector<int> closed;
  int error = 0;
};

TEST(UniqueFdTest, ClosesOnceAtTheEndOfItsLife) {
  Closes sys;
  {
    const UniqueFd fd(7, &sys);
    EXPECT_EQ(fd.get(), 7);
    EXPECT_TRUE(fd.valid());
    EXPECT_THAT(sys.closed, IsEmpty());
  }
  EXPECT_THAT(sys.closed, ElementsAre(7));
}

TEST(UniqueFdTest, OwningNothingClosesNothing) {
  Closes sys;
  {
    UniqueFd none(-1, &sys);
    EXPECT_FALSE(none.valid());
    EXPECT_EQ(none.reset(), 0);
    const UniqueFd empty;
    EXPECT_EQ(empty.get(), -1);
  }
  EXPECT_THAT(sys.closed, IsEmpty());
}

TEST(UniqueFdTest, FdZeroIsAnFd) {
  Closes sys;
  { const UniqueFd fd(0, &sys); }
  EXPECT_THAT(sys.closed, ElementsAre(0));
}

TEST(UniqueFdTest, AMovedFromFdOwnsNothing) {
  Closes sys;
  {
    UniqueFd a(7, &sys);
    UniqueFd b = std::move(a);
    EXPECT_FALSE(a.valid());  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(b.get(), 7);
    UniqueFd c(8, &sys);
    c = std::move(b);
    EXPECT_THAT(sys.closed, ElementsAre(8));
    UniqueFd& same = c;
    c = std::move(same);
    EXPECT_EQ(c.get(), 7);
  }
  EXPECT_THAT(sys.closed, ElementsAre(8, 7));
}

TEST(UniqueFdTest, AReleasedFdIsTheCallers) {
  Closes sys;
  {
    UniqueFd fd(7, &sys);
    EXPECT_EQ(fd.release(), 7);
    EXPECT_FALSE(fd.valid());
  }
  EXPECT_THAT(sys.closed, IsEmpty());
}

// close(2) is never retried, EINTR included: the number is gone.
TEST(UniqueFdTest, ResetReturnsTheErrorAndClosesOnce) {
  for (const int error : {EINTR, EIO}) {
    Closes sys;
    sys.error = error;
    {
      UniqueFd fd(7, &sys);
      EXPECT_EQ(fd.reset(), error);
      EXPECT_FALSE(fd.valid());
      EXPECT_EQ(fd.reset(), 0);
    }
    EXPECT_THAT(sys.closed, ElementsAre(7));
  }
}

TEST(UniqueFdTest, ClosingLeavesErrnoAlone) {
  Closes sys;
  sys.error = EIO;
  errno = ENOENT;
  { const UniqueFd fd(7, &sys); }
  EXPECT_EQ(errno, ENOENT);
}

TEST(UniqueFdTest, TheKernelClosesByDefault) {
  const int number = Syscalls::Real()->Eventfd();
  ASSERT_GE(number, 0);
  { const UniqueFd fd(number); }
  EXPECT_EQ(Syscalls::Real()->Close(number), -1) << "closed already";
  EXPECT_EQ(errno, EBADF);
}

static_assert(!std::is_copy_constructible_v<UniqueFd>, "closed twice");
static_assert(!std::is_convertible_v<UniqueFd, int>, "misuse compiles");

}  // namespace
}  // namespace flow
