// File: processors.h
//
// Processors: on how many processors a program can be at once.

#ifndef FLOW_SYS_PROCESSORS_H_
#define FLOW_SYS_PROCESSORS_H_

namespace flow {

// How many processors this process may use (sched_getaffinity(2) of its first
// thread and of the caller); 1 if that can't be told, 1,024 where the kernel
// knows more. Asked of the kernel once, by whoever is the first to call; any
// thread may. Does not block.
int Processors();

}  // namespace flow

#endif  // FLOW_SYS_PROCESSORS_H_
