// File: fd_guard_internal.h (internal)
//
// What the stand-ins for libc's calls (fd_guard_libc.cc) ask before they close.

#ifndef FLOW_TESTING_FD_GUARD_INTERNAL_H_
#define FLOW_TESTING_FD_GUARD_INTERNAL_H_

namespace flow_testing {
namespace internal {

// Whether a UniqueFd of this process owns `fd`.
bool IsForeignClose(int fd);
// Ends the program, with both stacks, if one does.
void CheckClose(int fd, const char* call);
void CheckCloseRange(unsigned first, unsigned last, const char* call);

}  // namespace internal
}  // namespace flow_testing

#endif  // FLOW_TESTING_FD_GUARD_INTERNAL_H_
