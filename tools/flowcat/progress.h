// File: progress.h
//
// Progress: shows how far it has come for as long as the object lives: on a
// terminal in one line that is written over, four times a second; elsewhere, if
// it was asked for, in a line every five seconds.
//
// By itself it shows on a terminal alone, and only where that is not also what
// is typed on or read from: the line would be in the way of the bytes.

#ifndef FLOW_TOOLS_FLOWCAT_PROGRESS_H_
#define FLOW_TOOLS_FLOWCAT_PROGRESS_H_

#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tools/flowcat/args.h"
#include "tools/flowcat/byte_size.h"
#include "tools/flowcat/context.h"

namespace flow_tools {

class Progress {
 public:
  // Of one connection; null: of many.
  Progress(const Context& context, const End* from, const End* to);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void Run(ByteSize size, bool many);

  const Context& context_;
  const absl::Duration interval_;
  absl::Mutex mu_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

// How many bytes will come from `from`, if that is known: it is a regular file.
ByteSize SizeOf(const Settings& settings, const End& from);

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_PROGRESS_H_
