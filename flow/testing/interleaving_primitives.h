// File: interleaving_primitives.h (internal)
//
// The primitives of flow/sys/primitives.h for Explore (interleaving.h): each
// access stops its thread before it is made. Outside Explore they do as
// std::atomic does; a Mutex is then nobody's but one thread's.

#ifndef FLOW_TESTING_INTERLEAVING_PRIMITIVES_H_
#define FLOW_TESTING_INTERLEAVING_PRIMITIVES_H_

#include <atomic>
#include <type_traits>

#include "absl/base/thread_annotations.h"

namespace flow_testing {

// Something that threads share. Numbered in the order in which it is made,
// which is the same in every execution with the same beginning.
class Stepped {
 public:
  Stepped();
  Stepped(const Stepped&) = delete;
  Stepped& operator=(const Stepped&) = delete;

 protected:
  ~Stepped() = default;

  // The calling thread stops, and comes back when it has been chosen.
  void StepRead(bool kernel) const;
  void StepWrite(bool kernel) const;
  // The same, not before *held is false, which is then set.
  void StepLock(bool* held) const;
  void StepUnlock(bool* held) const;

 private:
  const int id_;
};

template <typename T>
class SteppedAtomic : public Stepped {
 public:
  SteppedAtomic(T value) : value_(value) {}  // NOLINT: as std::atomic's

  T load(std::memory_order = std::memory_order_seq_cst) const {
    StepRead(kKernel);
    return value_;
  }
  void store(T value, std::memory_order = std::memory_order_seq_cst) {
    StepWrite(kKernel);
    value_ = value;
  }
  T exchange(T value, std::memory_order = std::memory_order_seq_cst) {
    StepWrite(kKernel);
    const T before = value_;
    value_ = value;
    return before;
  }
  T fetch_add(T by, std::memory_order = std::memory_order_seq_cst) {
    StepWrite(kKernel);
    const T before = value_;
    value_ = static_cast<T>(value_ + by);
    return before;
  }
  T fetch_sub(T by, std::memory_order = std::memory_order_seq_cst) {
    StepWrite(kKernel);
    const T before = value_;
    value_ = static_cast<T>(value_ - by);
    return before;
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order,
                             std::memory_order) {
    StepWrite(kKernel);
    if (value_ == expected) {
      value_ = desired;
      return true;
    }
    expected = value_;
    return false;
  }

 private:
  // Flags are what an eventfd is written and read behind (Waker): the system
  // call is of one piece with the access, and poll may see it.
  static constexpr bool kKernel = std::is_same<T, bool>::value;

  T value_;
};

class ABSL_LOCKABLE SteppedMutex : public Stepped {
 public:
  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() { StepLock(&held_); }
  void Unlock() ABSL_UNLOCK_FUNCTION() { StepUnlock(&held_); }

 private:
  bool held_ = false;
};

class ABSL_SCOPED_LOCKABLE SteppedMutexLock {
 public:
  explicit SteppedMutexLock(SteppedMutex* mutex)
      ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex)
      : mutex_(mutex) {
    mutex_->Lock();
  }
  ~SteppedMutexLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  SteppedMutexLock(const SteppedMutexLock&) = delete;
  SteppedMutexLock& operator=(const SteppedMutexLock&) = delete;

 private:
  SteppedMutex* const mutex_;
};

}  // namespace flow_testing

namespace flow {
namespace internal {

template <typename T>
using Atomic = flow_testing::SteppedAtomic<T>;
using Mutex = flow_testing::SteppedMutex;
using MutexLock = flow_testing::SteppedMutexLock;

}  // namespace internal
}  // namespace flow

#endif  // FLOW_TESTING_INTERLEAVING_PRIMITIVES_H_
