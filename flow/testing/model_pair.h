// File: model_pair.h
//
// ModelPair: two connected flows and the reference model of them
// (stream_model.h), which are asked the same, call by call, and compared. It
// alone knows how a call of the model is made on a real flow. The flows are in
// memory, or of any other kind (model_streams.h).
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
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "flow/cancel.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/sys/syscalls.h"
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
  absl::StatusCode code = absl::StatusCode::kOk;  // of the real one
  ModelAnswer modelled;

  bool agrees() const { return !asked || real == modelled; }
  // "a.Read(0, soon) -> ok, 5 B".
  std::string ToString() const;
};

// Two connected flows.
struct ModelEnds {
  flow::Flow flows[2];
  flow::Syscalls* clock = nullptr;  // what "soon" and "past" are of
  // A kernel's buffers: how much a call moves at once is its liberty, at least
  // one byte.
  bool kernel = false;
  // If there is one: waits until all that the model says is on its way to this
  // end has come.
  std::function<void(const StreamModel&, int end)> settle;
};

class ModelPair {
 public:
  // In memory, with `capacity` bytes a direction; `sim` outlives it.
  ModelPair(size_t capacity, SimSyscalls* sim);
  // `capacity`: less than what is written to seal, more than all else.
  ModelPair(size_t capacity, ModelEnds ends);

  // Asks both. After a step that does not agree no other makes sense.
  ModelStep Do(const ModelAsk& ask);

  const StreamModel& model() const { return model_; }
  const flow::Flow& flow(int end) const { return ends_.flows[end]; }

 private:
  ModelAnswer AnswerOf(const absl::Status& status);
  void GrantLiberties(ModelStep& step);
  ModelAnswer Modelled(const ModelAsk& ask);
  ModelAnswer Real(const ModelAsk& ask);
  ModelAnswer RealWrite(const ModelAsk& ask, const flow::Limits& limits);
  flow::Limits LimitsOf(ModelLimit limit) const;
  // The bytes that come next in the direction from `end`.
  std::string Next(int end, size_t n) const;
  ModelAnswer Took(int end, absl::string_view got);
  ModelAnswer Wrote(int end, const absl::Status& status, size_t n);

  ModelEnds ends_;
  StreamModel model_;
  flow::CancelSource cancelled_;
  absl::StatusCode code_ = absl::StatusCode::kOk;  // of the last answer
  uint64_t sent_[2] = {0, 0};
  uint64_t taken_[2] = {0, 0};
};

}  // namespace flow_testing

#endif  // FLOW_TESTING_MODEL_PAIR_H_
