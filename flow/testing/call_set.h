// File: call_set.h
//
// Call and CallSet: the system calls of flow/sys/syscalls.h as values, so that
// a test can say which of them it bends and which of them it saw.
//
//   CallSet calls = CallSet::Moving() | CallSet{Call::kAccept, Call::kPoll};
//
// Guarantees: plain values, pure functions; any thread.

#ifndef FLOW_TESTING_CALL_SET_H_
#define FLOW_TESTING_CALL_SET_H_

#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace flow_testing {

// One for each method of flow::Syscalls that can fail in an interesting way
// (clocks, signal masks and freeing can't).
enum class Call : uint8_t {
  // Moving bytes.
  kRead,
  kReadv,
  kReadv2,
  kRecv,
  kRecvmsg,
  kWrite,
  kWritev,
  kWritev2,
  kSend,
  kSendmsg,
  // Moving bytes inside the kernel.
  kSplice,
  kSendfile,
  kCopyFileRange,
  // Waiting.
  kPoll,
  kEventfd,
  kEpollCreate,
  kEpollCtl,
  kEpollWait,
  // Making and ending descriptors.
  kOpen,
  kPipe,
  kSocket,
  kSocketpair,
  kAccept,
  kClose,
  // Sockets.
  kBind,
  kListen,
  kConnect,
  kShutdown,
  kGetsockname,
  kGetpeername,
  kGetsockopt,
  kSetsockopt,
  // Processes, threads and terminals.
  kStartThread,
  kStartChild,
  kPidfdOpen,
  kWaitid,
  kKill,
  kPtyUnlock,
  kPtySlave,
  kGetWindowSize,
  kSetWindowSize,
  kTcsetattr,
  // Asking.
  kFcntl,
  kFstat,
  kLstat,
  kIsatty,
  kPtyNumber,
  kTcgetattr,
  kReadlink,
  kUnlink,
  kFchmod,
  kFlock,
  kGetAddrInfo,
};
inline constexpr int kCallCount = static_cast<int>(Call::kGetAddrInfo) + 1;

// The kernel's name: "recv", "preadv2", "accept4", ...
absl::string_view CallName(Call call);
std::ostream& operator<<(std::ostream& os, Call call);
template <typename Sink>
void AbslStringify(Sink& sink, Call call) {
  sink.Append(CallName(call));
}

// A set of calls.
class CallSet {
 public:
  constexpr CallSet() = default;
  // These.
  constexpr CallSet(std::initializer_list<Call> calls) {
    for (Call call : calls) bits_ |= Bit(call);
  }

  // The calls that take bytes in, that put bytes out, and both. What does both
  // at once (splice and its like) is in none of them.
  static CallSet Reading();
  static CallSet Writing();
  static CallSet Moving() { return Reading() | Writing(); }
  // splice, sendfile, copy_file_range.
  static CallSet Kernel();
  // Every call.
  static CallSet All();
  // Every call but eventfd: flow's wake-ups are not what most tests bend.
  static CallSet AllButEventfd();

  // Whether `call` is one of them.
  constexpr bool contains(Call call) const { return (bits_ & Bit(call)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }

  friend constexpr CallSet operator|(CallSet a, CallSet b) {
    return CallSet(a.bits_ | b.bits_);
  }
  // What is in `a` but not in `b`.
  friend constexpr CallSet operator-(CallSet a, CallSet b) {
    return CallSet(a.bits_ & ~b.bits_);
  }
  friend constexpr bool operator==(CallSet a, CallSet b) {
    return a.bits_ == b.bits_;
  }

  // "send|sendmsg"; "any" for AllButEventfd().
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, CallSet calls) {
    sink.Append(calls.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, CallSet calls) {
    return os << calls.ToString();
  }

 private:
  explicit constexpr CallSet(uint64_t bits) : bits_(bits) {}
  static constexpr uint64_t Bit(Call call) {
    return uint64_t{1} << static_cast<int>(call);
  }

  uint64_t bits_ = 0;
};

// The errors that `call` can really fail with on a sound descriptor, for tests
// that try them all. Not EBADF, EFAULT, EINVAL: those are a caller's mistakes.
const std::vector<int>& ErrnosOf(Call call);

// "EINTR"; the words of flow::ErrnoText() where the C library has no names.
std::string ErrnoName(int error);

}  // namespace flow_testing

#endif  // FLOW_TESTING_CALL_SET_H_
