// File: torture_run.h
//
// TortureRun: one run of a scenario under a fault: its kernel, its clock, and
// what it finds wrong. Lane: one direction of a stream, with the books on what
// was put in and what came out.
//
// A scenario makes flows with run.sys(), moves bytes through lanes, tells the
// run every status, and comes back in any case: each wait has a limit.
//
//   void Echo(TortureRun& run) {
//     Lane there(run, "there");
//     ...
//     if (!there.Write(a, 100) || !there.ReadSome(b)) return;
//     run.Ok(a.Shutdown(flow::ShutdownMode::kWrite, run.Long()));
//     there.ReadToEnd(b);
//   }
//
// What is looked at: each status is one of flow's, with a kind and an errno
// that go together, and INTERNAL only where the errno table says so; each byte
// is the next of those that were sent; after Eof nothing comes, after an error
// no Eof; Eof only behind all that was accepted. In a *strict* run (no fault,
// or one that nobody may notice) everything is OK and all arrives.
//
// Guarantees: Lane and the methods of TortureRun may be used by any thread.

#ifndef FLOW_TESTING_TORTURE_TORTURE_RUN_H_
#define FLOW_TESTING_TORTURE_TORTURE_RUN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/sys/syscalls.h"
#include "flow/testing/sim_syscalls.h"

namespace flow_testing {

class TortureRun {
 public:
  // `strict`: nothing may fail.
  TortureRun(flow::Syscalls* sys, SimSyscalls* sim, bool strict)
      : sys_(sys), sim_(sim), strict_(strict) {}

  flow::Syscalls* sys() const { return sys_; }
  SimSyscalls& sim() const { return *sim_; }
  bool strict() const { return strict_; }

  // A limit on simulated time: `from_now`, and one that no sound run meets.
  flow::Limits In(absl::Duration from_now) const { return sim_->In(from_now); }
  flow::Limits Long() const { return In(absl::Seconds(30)); }

  // `status`, of a call that ought to succeed, as it came. True: it is OK.
  bool Ok(const absl::Status& status);
  template <typename T>
  bool Ok(const absl::StatusOr<T>& result) {
    return Ok(result.status());
  }
  // The same of a call that may fail in a strict run too.
  bool Note(const absl::Status& status);
  // Of one that fails with this code in a strict run.
  void Fails(const absl::Status& status, absl::StatusCode code);

  // Something is wrong.
  void Fail(absl::string_view what);

  std::vector<std::string> failures() const;
  // What was said, in order.
  std::string Transcript() const;

 private:
  void Say(absl::string_view line);

  flow::Syscalls* const sys_;
  SimSyscalls* const sim_;
  const bool strict_;
  mutable absl::Mutex mu_;
  std::vector<std::string> failures_ ABSL_GUARDED_BY(mu_);
  std::string transcript_ ABSL_GUARDED_BY(mu_);
};

// How much an Eof says about the bytes before it.
enum class LaneBooks : uint8_t {
  kExact,    // all that was accepted has come
  kAtLeast,  // all of the Writes that were OK (a layer that gathers records)
  kPrefix,   // nothing (the end was not the writer's own)
};

class Lane {
 public:
  Lane(TortureRun& run, std::string name, LaneBooks books = LaneBooks::kExact)
      : run_(run), name_(std::move(name)), books_(books) {}
  // Looks at the books: the scenario is over.
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // ------------------------------------------------ Putting in.

  // The next `n` bytes of the stream.
  std::string Next(size_t n) const;
  // A Write of them. True: OK.
  bool Write(flow::Flow& flow, size_t n, const flow::Limits& limits);
  bool Write(flow::Flow& flow, size_t n) { return Write(flow, n, run_.Long()); }
  // One step of at most `n`.
  bool WriteSome(flow::Flow& flow, size_t n, const flow::Limits& limits);
  // A Write of `n` bytes has come to this.
  void Wrote(const absl::Status& status, size_t n);
  // The books can't be closed: the stream was cut on purpose, or somebody in
  // the middle may have cut it.
  void Loosen();

  // ------------------------------------------------ Taking out.

  // One Read. True: data.
  bool ReadSome(flow::Flow& flow, const flow::Limits& limits);
  bool ReadSome(flow::Flow& flow) { return ReadSome(flow, run_.Long()); }
  // Until `n` bytes have come in all.
  bool ReadUntil(flow::Flow& flow, uint64_t n);
  // Up to Eof, and a bit beyond. True: Eof.
  bool ReadToEnd(flow::Flow& flow);
  // These have come; Eof has; this error has.
  void Took(absl::string_view bytes);
  void TookEof();
  void TookError(const absl::Status& status);

  uint64_t accepted() const;
  uint64_t received() const;

 private:
  TortureRun& run_;
  const std::string name_;
  mutable absl::Mutex mu_;
  LaneBooks books_ ABSL_GUARDED_BY(mu_);
  uint64_t ok_ ABSL_GUARDED_BY(mu_) = 0;        // of Writes that were OK
  uint64_t accepted_ ABSL_GUARDED_BY(mu_) = 0;  // and of those that were not
  bool refused_ ABSL_GUARDED_BY(mu_) = false;   // the write side has ended
  uint64_t received_ ABSL_GUARDED_BY(mu_) = 0;
  bool eof_ ABSL_GUARDED_BY(mu_) = false;
  bool broken_ ABSL_GUARDED_BY(mu_) = false;  // a read has failed for good
};

}  // namespace flow_testing

#endif  // FLOW_TESTING_TORTURE_TORTURE_RUN_H_
