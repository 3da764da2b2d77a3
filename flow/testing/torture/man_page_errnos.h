// File: man_page_errnos.h
//
// What the manual pages say that each call can fail with: those of section 2,
// and for sockets and pipes also what section 7 adds (socket, tcp, ip, unix,
// pipe). The caller's mistakes (EBADF, EFAULT, EINVAL) are in the lists: a
// program can be at fault, and still nothing may hang, leak or be lost. But
// EBADF is left out of the calls that take a descriptor over: there it says
// that nothing is open that could be closed.
//
// Guarantees: a pure function; any thread.

#ifndef FLOW_TESTING_TORTURE_MAN_PAGE_ERRNOS_H_
#define FLOW_TESTING_TORTURE_MAN_PAGE_ERRNOS_H_

#include <vector>

#include "flow/testing/call_set.h"

namespace flow_testing {

// Never empty.
std::vector<int> ManPageErrnos(Call call);

}  // namespace flow_testing

#endif  // FLOW_TESTING_TORTURE_MAN_PAGE_ERRNOS_H_
