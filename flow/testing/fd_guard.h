// File: fd_guard.h
//
// Link it into a test or a program, and foreign code that closes a descriptor
// which a flow owns ends the program, with the stacks of both:
//
//   cc_test(name = "my_test", ..., deps = ["@flow//flow/testing:fd_guard"])
//
//   fd_guard: close(7), but a flow owns this descriptor
//   taken over at:
//     @ 0x55d8c0 flow::UniqueFd::UniqueFd()
//     @ 0x55c1a2 OpenConnection()
//     ...
//   closed at:
//     @ 0x55c2f7 SomeoneElsesCleanUp()
//     ...
//
// A descriptor that is closed behind its owner's back is the next open()'s, and
// the flow then reads and writes a stranger's file (P5): a bug that is seen far
// from where it was made. Also known as: fdsan, fd sanitizer.
//
// It stands in for close, dup2, dup3, close_range, closefrom and fclose of
// libc, and looks at those that hit a number which a flow::UniqueFd owns: that
// of a flow, a Listener, or your own UniqueFd. Flows close their own as ever.
//
// Not seen: a close by syscall(2) or inside libc (freopen, pclose,
// fdopendir), one in a forked child, numbers from 65536 on. Not to be
// combined with flows on scripted system calls, whose descriptors are made up.
//
// Guarantees: thread-safe; the calls that it stands in for are otherwise as
// before. It costs a look into a table for each, and a stack for each
// descriptor that is taken over. Works with ASan and TSan too.

#ifndef FLOW_TESTING_FD_GUARD_H_
#define FLOW_TESTING_FD_GUARD_H_

#include <string>

namespace flow_testing {

// Where the owner of `fd` took it over, one function a line; "" if nobody owns
// it.
std::string FdOwner(int fd);

}  // namespace flow_testing

#endif  // FLOW_TESTING_FD_GUARD_H_
