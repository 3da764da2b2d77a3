// File: allocations.h (testonly)
//
// Counts what is allocated: who links this has an `operator new` that counts.
//
//   const int64_t before = flow_testing::ThreadAllocations();
//   flow.Write(bytes).IgnoreError();
//   EXPECT_EQ(flow_testing::ThreadAllocations() - before, 0);
//
// Guarantees: a thread's count knows its own calls of `operator new` alone, so
// that what others do at the same time changes nothing. malloc(3) is not
// counted.

#ifndef FLOW_TESTING_ALLOCATIONS_H_
#define FLOW_TESTING_ALLOCATIONS_H_

#include <cstdint>

namespace flow_testing {

// How often the calling thread has allocated by `operator new`.
int64_t ThreadAllocations();

// The same of all threads together.
int64_t ProcessAllocations();

// False where another `operator new` comes before this one: a sanitizer's. All
// counts are then 0.
bool AllocationsAreCounted();

}  // namespace flow_testing

#endif  // FLOW_TESTING_ALLOCATIONS_H_
