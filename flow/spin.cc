#include "flow/spin.h"

#include <algorithm>
#include <iterator>

#include "absl/time/time.h"

namespace flow {
namespace internal {
namespace {

// Before each try. Their sum is ReadHabit::kLongestSpinNs.
constexpr int32_t kPausesNs[] = {500,    1'000,  1'500,  2'000,
                                 3'000,  5'000,  8'000,  14'000,
                                 25'000, 45'000, 75'000, 120'000};
constexpr int kMostPauses = static_cast<int>(std::size(kPausesNs));
// Between two looks at the clock; a look takes some 30 ns, a hint 10 to 50.
constexpr int kHints = 4;
// A clock that stands still, as in a test, must not hold anybody up.
constexpr int kMostLooks = 4'000;

// Tells the processor that this is a loop of waiting.
inline void Hint() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

bool Spin::Pause() {
  if (pauses_ >= kMostPauses) return false;
  MonoTime now = sys_->Now();
  const MonoTime over = std::min(began_ + absl::Nanoseconds(most_ns_), limit_);
  if (now >= over) return false;
  const MonoTime next =
      std::min(now + absl::Nanoseconds(kPausesNs[pauses_++]), over);
  for (int look = 0; look < kMostLooks && now < next; ++look) {
    for (int hint = 0; hint < kHints; ++hint) Hint();
    now = sys_->Now();
  }
  return now < limit_;
}

int64_t Spin::ns() const {
  return absl::ToInt64Nanoseconds(sys_->Now() - began_);
}

}  // namespace internal
}  // namespace flow
