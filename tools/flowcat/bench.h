// File: bench.h
//
// `flowcat bench`: throughput and latency against whoever echoes.
//
// Two measurements on one connection, each for --duration: as many bytes there
// and back as will go; then a message of --message bytes there and back, again
// and again, each timed.

#ifndef FLOW_TOOLS_FLOWCAT_BENCH_H_
#define FLOW_TOOLS_FLOWCAT_BENCH_H_

#include "tools/flowcat/args.h"
#include "tools/flowcat/context.h"
#include "tools/flowcat/exit_code.h"

namespace flow_tools {

// `end`: where an echo is; null: one of our own on loopback. The result goes to
// standard output: in words and a histogram, or (--json) as one object; --svg
// draws it.
[[nodiscard]] ExitCode RunBench(const Context& context, const End* end);

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_BENCH_H_
