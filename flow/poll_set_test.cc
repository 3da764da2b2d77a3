// PollSet: the same claims for epoll and for what stands in for it.

#include "flow/poll_set.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using ::flow::Syscalls;
using ::flow::UniqueFd;
using ::flow::internal::PollSet;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<uint64_t> DataOf(const std::vector<PollSet::Event>& events) {
  std::vector<uint64_t> data;
  for (const PollSet::Event& event : events) data.push_back(event.data);
  return data;
}

// The kernel, perhaps without epoll, perhaps with waits that fail.
class Kernel : public Syscalls {
 public:
  explicit Kernel(bool with_epoll) : with_epoll_(with_epoll) {}

  int EpollCreate() override {
    if (with_epoll_) return Syscalls::EpollCreate();
    errno = EMFILE;
    return -1;
  }
  int EpollWait(int epoll, epoll_event* events, int count,
                int timeout_ms) override {
    ++waits;
    if (error == 0) {
      return Syscalls::EpollWait(epoll, events, count, timeout_ms);
    }
    errno = error;
    return -1;
  }
  int Poll(pollfd* fds, nfds_t count, int timeout_ms) override {
    if (count == 0) {  // a pause
      paused_ms += timeout_ms;
      return 0;
    }
    ++waits;
    if (error == 0) return Syscalls::Poll(fds, count, timeout_ms);
    errno = error;
    return -1;
  }

  std::atomic<int> error{0};
  std::atomic<int> waits{0};
  std::atomic<int> paused_ms{0};

 private:
  const bool with_epoll_;
};

struct Way {
  bool epoll;
};
std::ostream& operator<<(std::ostream& os, const Way& way) {
  return os << (way.epoll ? "epoll" : "poll");
}

class PollSetTest : public testing::TestWithParam<Way> {
 protected:
  PollSetTest() : kernel_(GetParam().epoll), set_(PollSet::Make(&kernel_)) {
    int fds[2];
    EXPECT_EQ(kernel_.Socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
              0);
    mine_ = UniqueFd(fds[0]);
    peer_ = UniqueFd(fds[1]);
  }

  std::vector<PollSet::Event> Events() {
    std::vector<PollSet::Event> events;
    set_->Wait(0, events);
    return events;
  }
  std::vector<uint64_t> Now() { return DataOf(Events()); }
  void PeerSends() { ASSERT_EQ(kernel_.Send(peer_.get(), "x", 1, 0), 1); }

  Kernel kernel_;
  std::unique_ptr<PollSet> set_;
  UniqueFd mine_;
  UniqueFd peer_;
};

TEST_P(PollSetTest, TellsOfWhatIsReadyWithItsData) {
  EXPECT_EQ(set_->Add(mine_.get(), POLLIN, 42), 0);
  EXPECT_THAT(Now(), IsEmpty());
  PeerSends();
  const std::vector<PollSet::Event> events = Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].data, 42u);
  EXPECT_EQ(events[0].events & (POLLIN | POLLOUT), POLLIN);
}

// "After it has fired, it is asleep until it is armed again": P4.
TEST_P(PollSetTest, FiresOnceUntilItIsArmedAgain) {
  EXPECT_EQ(set_->Add(mine_.get(), POLLIN, 1), 0);
  PeerSends();
  EXPECT_THAT(Now(), ElementsAre(1u));
  EXPECT_THAT(Now(), IsEmpty());
  EXPECT_EQ(set_->Arm(mine_.get(), POLLIN, 2), 0);
  EXPECT_THAT(Now(), ElementsAre(2u));
}

TEST_P(PollSetTest, ArmChangesWhatIsWatchedFor) {
  EXPECT_EQ(set_->Add(mine_.get(), POLLIN, 1), 0);
  EXPECT_THAT(Now(), IsEmpty());
  EXPECT_EQ(set_->Arm(mine_.get(), POLLIN | POLLOUT, 1), 0);
  EXPECT_THAT(Now(), ElementsAre(1u));
}

// "Watches for events and for errors": a hang-up needs no asking for.
TEST_P(PollSetTest, AlwaysTellsOfErrors) {
  EXPECT_EQ(set_->Add(mine_.get(), 0, 1), 0);
  EXPECT_THAT(Now(), IsEmpty());
  peer_.reset();
  const std::vector<PollSet::Event> events = Events();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_NE(events[0].events & POLLHUP, 0);
}

TEST_P(PollSetTest, RemoveSilences) {
  PeerSends();
  EXPECT_EQ(set_->Add(mine_.get(), POLLIN, 1), 0);
  set_->Remove(mine_.get());
  EXPECT_THAT(Now(), IsEmpty());
  EXPECT_EQ(set_->Arm(mine_.get(), POLLIN, 1), ENOENT);
  EXPECT_EQ(set_->Add(mine_.get(), POLLIN, 3), 0);
  EXPECT_THAT(Now(), ElementsAre(3u));
}

// DESIGN 10: "the same fd twice is EEXIST".
TEST_P(PollSetTest, TheSameDescriptorTwiceIsEexist) {
  EXPECT_EQ(set_->Add(mine_.get(), POLLIN, 1), 0);
  EXPECT_EQ(set_->Add(mine_.get(), POLLIN, 2), EEXIST);
  PeerSends();
  EXPECT_THAT(Now(), ElementsAre(1u));
}

// Case 15: "poll always ready; epoll would say EPERM": so do both.
TEST_P(PollSetTest, ARegularFileIsEperm) {
  const UniqueFd file(kernel_.Open("/proc/self/exe", O_RDONLY | O_CLOEXEC, 0));
  ASSERT_TRUE(file.valid());
  EXPECT_EQ(set_->Add(file.get(), POLLIN, 1), EPERM);
}

// Case 16: closed by somebody else.
TEST_P(PollSetTest, AClosedDescriptorIsEbadf) {
  const int gone = mine_.get();
  mine_.reset();
  EXPECT_EQ(set_->Add(gone, POLLIN, 1), EBADF);
}

// The waker's registration is not one-shot.
TEST_P(PollSetTest, TheWakerFiresAgainAndAgain) {
  EXPECT_EQ(set_->AddWaker(mine_.get(), 9), 0);
  PeerSends();
  EXPECT_THAT(Now(), ElementsAre(9u));
  EXPECT_THAT(Now(), ElementsAre(9u));
}

TEST_P(PollSetTest, MoreEventsThanOneWaitTakesComeWithTheNext) {
  PeerSends();
  std::vector<UniqueFd> copies;
  for (int i = 0; i < 300; ++i) {
    copies.emplace_back(kernel_.Fcntl(mine_.get(), F_DUPFD_CLOEXEC, 0));
    ASSERT_EQ(set_->Add(copies.back().get(), POLLIN, static_cast<uint64_t>(i)),
              0);
  }
  size_t seen = 0;
  for (size_t n = Now().size(); n > 0; n = Now().size()) seen += n;
  EXPECT_EQ(seen, 300u);
}

// "Add may be called from any thread while another is in Wait."
TEST_P(PollSetTest, AWaitUnderWaySeesWhatIsAddedOrSaysThatItDoesNot) {
  EXPECT_EQ(set_->sees_changes(), GetParam().epoll);
  if (!set_->sees_changes()) return;
  PeerSends();
  std::vector<PollSet::Event> events;
  std::thread waiter([&] { set_->Wait(-1, events); });
  EXPECT_EQ(set_->Add(mine_.get(), POLLIN, 5), 0);
  waiter.join();
  EXPECT_THAT(DataOf(events), ElementsAre(5u));
}

// P4: a wait that fails at once, for good, is a pause and not a spin.
TEST_P(PollSetTest, AWaitThatFailsIsAPause) {
  ASSERT_EQ(set_->Add(mine_.get(), POLLIN, 1), 0);
  std::vector<PollSet::Event> events;
  for (const int error : {EBADF, ENOMEM, EINVAL}) {
    kernel_.error = error;
    kernel_.paused_ms = 0;
    set_->Wait(-1, events);
    EXPECT_GE(kernel_.paused_ms, 50) << error;
    kernel_.paused_ms = 0;
    set_->Wait(7, events);
    EXPECT_EQ(kernel_.paused_ms, 7) << error;
  }
  // A signal is none.
  kernel_.error = EINTR;
  kernel_.paused_ms = 0;
  set_->Wait(-1, events);
  EXPECT_EQ(kernel_.paused_ms, 0);
  EXPECT_THAT(DataOf(events), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(BothWays, PollSetTest,
                         testing::Values(Way{true}, Way{false}),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace flow_testing
