// File: model_pair.h
//
// ModelPair: two connected flows in memory and the reference model of them
// (stream_model.h), which are asked the same, call by call, and compared. It
// alone knows how a call of the model is made on a real flow.
//
//   SimSyscalls sim;
//   sim.AutoAdvance(1);
//   ModelPair pair(/*capacity=*/64, &sim);
//   const ModelStep step = pair.Do({ModelOp::kWrite, /*end=*/0, 5, kNone});
//   EXPECT_TRUE(step.agrees()) << step.ToString();
//
// Time is simulated and nothing is drawn by chance, so the same calls come to
// the same answers: model_test.cc draws them from a seed, model_fuzz.cc reads
// them from bytes.
//
// Not thread-safe.

#ifndef FLOW_TESTING_MODEL_PAIR_H_
#define FLOW_TESTING_MODEL_PAIR_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "flow/cancel.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/testing/sim_syscalls.h"
#include "flow/testing/stream_model.h"

namespace flow_testing {

enum class ModelOp : uint8_t {
  kRead,
  kReadInto,
  kWrite,
  kWriteCord,
  kWritev,
  kWriteSome,
  kShutRead,
  kShutWrite,
  kShutBoth,
  kClose,
  kAbort,
  kWaitFinished,
  kWaitGone,
};
inline constexpr int kModelOps = 13;
const char* ModelOpName(ModelOp op);

// A call: on which end, with how many bytes, under which limit.
struct ModelAsk {
  ModelOp op;
  int end;
  size_t n;
  ModelLimit limit;

  std::string ToString() const;
};

// What came of it.
struct ModelStep {
  ModelAsk ask;
  int state = 0;       // StreamModel::StateOf before the call
  bool asked = false;  // false: it would wait for ever, so nobody was asked
  ModelAnswer real;
  ModelAnswer modelled;

  bool agrees() const { return !asked || real == modelled; }
  // "a.Read(0, soon) -> ok, 5 B".
  std::string ToString() const;
};

class ModelPair {
 public:
  // `capacity` bytes a direction; `sim` outlives it.
  ModelPair(size_t capacity, SimSyscalls* sim);

  // Asks both. After a step that does not agree no other makes sense.
  ModelStep Do(const ModelAsk& ask);

  const StreamModel& model() const { return model_; }

 private:
  ModelAnswer Modelled(const ModelAsk& ask);
  ModelAnswer Real(const ModelAsk& ask);
  ModelAnswer RealWrite(const ModelAsk& ask, const flow::Limits& limits);
  flow::Limits LimitsOf(ModelLimit limit) const;
  // The bytes that come next in the direction from `end`.
  std::string Next(int end, size_t n) const;
  ModelAnswer Took(int end, absl::string_view got);
  ModelAnswer Wrote(int end, const absl::Status& status, size_t n);

  SimSyscalls* const sim_;
  StreamModel model_;
  flow::CancelSource cancelled_;
  flow::Flow flows_[2];
  uint64_t sent_[2] = {0, 0};
  uint64_t taken_[2] = {0, 0};
};

}  // namespace flow_testing

#endif  // FLOW_TESTING_MODEL_PAIR_H_
