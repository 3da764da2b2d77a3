#include "flow/testing/model_pair.h"

#include <tuple>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "flow/buffer.h"
#include "flow/or_eof.h"
#include "flow/status.h"
#include "flow/testing/memory_pair.h"
#include "flow/transport.h"

namespace flow_testing {

using Kind = ModelAnswer::Kind;
using flow::BytesDone;
using flow::ErrorKind;
using flow::PeerEnd;
using flow::ShutdownMode;

namespace {

// The byte at `offset` of a stream; any slip, repetition or swap shows.
char ByteAt(uint64_t offset) {
  return static_cast<char>((offset * 2654435761u) >> 11);
}

ModelEnds InMemory(size_t capacity, SimSyscalls* sim) {
  ModelEnds ends;
  ends.clock = sim;
  MemoryPairOptions options;
  options.sys = sim;
  std::tie(ends.flows[0], ends.flows[1]) = MemoryPair(capacity, options);
  return ends;
}

}  // namespace

const char* ModelOpName(ModelOp op) {
  static constexpr const char* kNames[kModelOps] = {
      "Read",      "ReadInto",      "Write",      "Write(Cord)", "Writev",
      "WriteSome", "Shutdown r",    "Shutdown w", "Shutdown rw", "Close",
      "Abort",     "Wait finished", "Wait gone"};
  return kNames[static_cast<int>(op)];
}

std::string ModelAsk::ToString() const {
  const char* const limits[] = {"", ", soon", ", past", ", cancelled"};
  return absl::StrCat(end == 0 ? "a." : "b.", ModelOpName(op), "(", n,
                      limits[static_cast<int>(limit)], ")");
}

std::string ModelStep::ToString() const {
  if (!asked) return absl::StrCat(ask.ToString(), " would wait");
  return absl::StrCat(ask.ToString(), " -> ", real.ToString());
}

ModelPair::ModelPair(size_t capacity, SimSyscalls* sim)
    : ModelPair(capacity, InMemory(capacity, sim)) {}

ModelPair::ModelPair(size_t capacity, ModelEnds ends)
    : ends_(std::move(ends)), model_(capacity) {
  cancelled_.Cancel();
}

// The model's word for a status.
ModelAnswer ModelPair::AnswerOf(const absl::Status& status) {
  const size_t done = BytesDone(status);
  code_ = status.code();
  if (status.ok()) return {};
  switch (flow::KindOf(status)) {
    case ErrorKind::kClosedLocally:
      return {Kind::kClosedLocally, done};
    case ErrorKind::kClosedByPeer:
      return {Kind::kClosedByPeer, done};
    case ErrorKind::kReset:
      return {Kind::kReset, done};
    case ErrorKind::kSealed:
      return {Kind::kSealed, done};
    case ErrorKind::kDeadline:
      return {Kind::kDeadline, done};
    case ErrorKind::kCancelled:
      return {Kind::kCancelled, done};
    case ErrorKind::kTruncated:
    case ErrorKind::kSystem:
    case ErrorKind::kOther:
      break;
  }
  return {Kind::kOther, done};
}

// What a stream may choose: by how much less than what is there, or than what
// it was given, one call moves; but something.
void ModelPair::GrantLiberties(ModelStep& step) {
  const ModelOp op = step.ask.op;
  const size_t real = step.real.n;
  const size_t modelled = step.modelled.n;
  if (step.real.kind != step.modelled.kind || real == 0 || modelled == 0) {
    return;
  }
  const bool ok = step.modelled.kind == Kind::kOk;
  const bool reads =
      op == ModelOp::kRead || (ends_.kernel && op == ModelOp::kReadInto);
  if (ok && reads && real < modelled) {
    model_.Unread(step.ask.end, modelled - real);
    step.modelled.n = real;
  }
  // A part, or what fitted before the limit.
  const bool part = ok ? op == ModelOp::kWriteSome && real < modelled
                       : step.modelled.kind == Kind::kDeadline;
  if (ends_.kernel && part && real != modelled) {
    model_.Took(step.ask.end, real, modelled);
    step.modelled.n = real;
  }
}

ModelStep ModelPair::Do(const ModelAsk& ask) {
  ModelStep step;
  step.ask = ask;
  step.state = model_.StateOf(ask.end);
  if (ends_.settle != nullptr) ends_.settle(model_, ask.end);
  const StreamModel before = model_;
  step.modelled = Modelled(ask);
  if (step.modelled.kind == Kind::kWaits) {
    model_ = before;  // nobody else would end the wait
    return step;
  }
  step.asked = true;
  code_ = absl::StatusCode::kOk;
  step.real = Real(ask);
  step.code = code_;
  GrantLiberties(step);
  return step;
}

flow::Limits ModelPair::LimitsOf(ModelLimit limit) const {
  flow::Limits limits;
  switch (limit) {
    case ModelLimit::kNone:
      break;
    case ModelLimit::kSoon:
      // A kernel with faults may make a wait longer than it had to be.
      limits.deadline =
          ends_.clock->Now() +
          (ends_.kernel ? absl::Seconds(2) : absl::Milliseconds(5));
      break;
    case ModelLimit::kPast:
      limits.deadline = ends_.clock->Now();
      break;
    case ModelLimit::kCancelled:
      limits.cancel = cancelled_.token();
      break;
  }
  return limits;
}

std::string ModelPair::Next(int end, size_t n) const {
  std::string bytes(n, '\0');
  for (size_t i = 0; i < n; ++i) bytes[i] = ByteAt(sent_[end] + i);
  return bytes;
}

ModelAnswer ModelPair::Took(int end, absl::string_view got) {
  for (const char byte : got) {
    if (byte != ByteAt(taken_[end]++)) return {Kind::kOther, got.size()};
  }
  return {Kind::kOk, got.size()};
}

ModelAnswer ModelPair::Wrote(int end, const absl::Status& status, size_t n) {
  ModelAnswer answer = AnswerOf(status);
  if (status.ok()) answer.n = n;
  // Who is refused is told of the first, whose bytes were counted then.
  if (status.ok() || answer.kind == Kind::kDeadline) sent_[end] += answer.n;
  return answer;
}

ModelAnswer ModelPair::Modelled(const ModelAsk& ask) {
  switch (ask.op) {
    case ModelOp::kRead:
      return model_.Read(ask.end, SIZE_MAX, ask.limit);
    case ModelOp::kReadInto:
      return model_.Read(ask.end, ask.n, ask.limit);
    case ModelOp::kWrite:
    case ModelOp::kWriteCord:
    case ModelOp::kWritev:
      return model_.Write(ask.end, ask.n, /*some=*/false, ask.limit);
    case ModelOp::kWriteSome:
      return model_.Write(ask.end, ask.n, /*some=*/true, ask.limit);
    case ModelOp::kShutRead:
      return model_.Shutdown(ask.end, ShutdownMode::kRead, ask.limit);
    case ModelOp::kShutWrite:
      return model_.Shutdown(ask.end, ShutdownMode::kWrite, ask.limit);
    case ModelOp::kShutBoth:
      return model_.Shutdown(ask.end, ShutdownMode::kReadWrite, ask.limit);
    case ModelOp::kClose:
      return model_.Close(ask.end);
    case ModelOp::kAbort:
      return model_.Abort(ask.end);
    case ModelOp::kWaitFinished:
      return model_.WaitPeerEnd(ask.end, PeerEnd::kFinished, ask.limit);
    case ModelOp::kWaitGone:
      return model_.WaitPeerEnd(ask.end, PeerEnd::kGone, ask.limit);
  }
  return {Kind::kOther, 0};
}

ModelAnswer ModelPair::Real(const ModelAsk& ask) {
  flow::Flow& flow = ends_.flows[ask.end];
  const flow::Limits limits = LimitsOf(ask.limit);
  switch (ask.op) {
    case ModelOp::kRead: {
      const absl::StatusOr<flow::OrEof<flow::Buffer>> got = flow.Read(limits);
      if (!got.ok()) return AnswerOf(got.status());
      if (got->is_eof()) return {Kind::kEof, 0};
      return Took(ask.end, got->data().view());
    }
    case ModelOp::kReadInto: {
      std::string into(ask.n, '\0');
      const absl::StatusOr<flow::OrEof<size_t>> got =
          flow.ReadInto(absl::MakeSpan(into), limits);
      if (!got.ok()) return AnswerOf(got.status());
      if (got->is_eof()) return {Kind::kEof, 0};
      return Took(ask.end, absl::string_view(into).substr(0, got->data()));
    }
    case ModelOp::kWrite:
    case ModelOp::kWriteCord:
    case ModelOp::kWritev:
    case ModelOp::kWriteSome:
      return RealWrite(ask, limits);
    case ModelOp::kShutRead:
      return AnswerOf(flow.Shutdown(ShutdownMode::kRead, limits));
    case ModelOp::kShutWrite:
      return AnswerOf(flow.Shutdown(ShutdownMode::kWrite, limits));
    case ModelOp::kShutBoth:
      return AnswerOf(flow.Shutdown(ShutdownMode::kReadWrite, limits));
    case ModelOp::kClose:
      return AnswerOf(flow.Close());
    case ModelOp::kAbort:
      return AnswerOf(flow.Abort());
    case ModelOp::kWaitFinished:
    case ModelOp::kWaitGone: {
      const absl::StatusOr<PeerEnd> end = flow.WaitPeerEnd(
          ask.op == ModelOp::kWaitGone ? PeerEnd::kGone : PeerEnd::kFinished,
          limits);
      if (!end.ok()) return AnswerOf(end.status());
      return {*end == PeerEnd::kGone ? Kind::kGone : Kind::kFinished, 0};
    }
  }
  return {Kind::kOther, 0};
}

ModelAnswer ModelPair::RealWrite(const ModelAsk& ask,
                                 const flow::Limits& limits) {
  flow::Flow& flow = ends_.flows[ask.end];
  const std::string bytes = Next(ask.end, ask.n);
  if (ask.op == ModelOp::kWriteSome) {
    const absl::StatusOr<size_t> n = flow.WriteSome(bytes, limits);
    return Wrote(ask.end, n.status(), n.value_or(0));
  }
  if (ask.op == ModelOp::kWriteCord) {
    return Wrote(ask.end, flow.Write(absl::Cord(bytes), limits), ask.n);
  }
  if (ask.op == ModelOp::kWritev) {
    const absl::string_view all = bytes;
    const size_t half = ask.n / 2;
    return Wrote(
        ask.end,
        flow.Writev({all.substr(0, half), "", all.substr(half)}, limits),
        ask.n);
  }
  return Wrote(ask.end, flow.Write(bytes, limits), ask.n);
}

}  // namespace flow_testing
