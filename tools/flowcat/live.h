// File: live.h
//
// LiveConnections: which connections there are right now, and what became of
// the others. It alone knows what SIGUSR1 prints:
//
//   3 of 12 connections live, 9 ended (1 failed), 1.2 MiB >, 3.4 MiB <
//     #12 tcp 127.0.0.1:40112 -> tcp 127.0.0.1:5432, age 12.3s, deadline in 5s
//         > 1000 B, waits for input
//         < 4096 B, ended
//
// (`>` is from FROM to TO, `<` from TO to FROM, everywhere in flowcat.)
//
// Guarantees: any thread.

#ifndef FLOW_TOOLS_FLOWCAT_LIVE_H_
#define FLOW_TOOLS_FLOWCAT_LIVE_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/sys/mono_time.h"

namespace flow_tools {

class LiveConnection;

class LiveConnections {
 public:
  struct Totals {
    uint64_t begun = 0;
    uint64_t ended = 0;    // of those
    uint64_t failed = 0;   // of those that ended
    uint64_t forward = 0;  // bytes that TO has taken
    uint64_t back = 0;     // bytes that FROM has taken
  };

  LiveConnections() = default;
  LiveConnections(const LiveConnections&) = delete;
  LiveConnections& operator=(const LiveConnections&) = delete;

  Totals totals() const ABSL_LOCKS_EXCLUDED(mu_);
  // As above, lines with a newline each.
  std::string Table() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  friend class LiveConnection;

  mutable absl::Mutex mu_;
  std::map<uint64_t, LiveConnection*> live_ ABSL_GUARDED_BY(mu_);
  // But for what the live ones have moved.
  Totals totals_ ABSL_GUARDED_BY(mu_);
};

// One of them, from its begin to its end: lives on the stack of whoever serves
// it.
class LiveConnection {
 public:
  // `deadline`: of all of it.
  LiveConnection(LiveConnections& all, uint64_t id,
                 flow::MonoTime deadline = flow::kNever);
  // Counts as failed unless Succeeded was called.
  ~LiveConnection();
  LiveConnection(const LiveConnection&) = delete;
  LiveConnection& operator=(const LiveConnection&) = delete;

  uint64_t id() const { return id_; }

  // Both are there. They must not be moved or destroyed until Detach, or this
  // object's end.
  void Attach(const flow::Flow& from, const flow::Flow& to);
  void Detach();
  void Succeeded() { succeeded_ = true; }

 private:
  friend class LiveConnections;

  // Under all_.mu_.
  std::string Lines() const;
  uint64_t forward() const;
  uint64_t back() const;

  LiveConnections& all_;
  const uint64_t id_;
  const flow::MonoTime begun_;
  const flow::MonoTime deadline_;
  const flow::Flow* from_ = nullptr;
  const flow::Flow* to_ = nullptr;
  bool succeeded_ = false;
};

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_LIVE_H_
