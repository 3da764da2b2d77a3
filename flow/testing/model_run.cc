#include "flow/testing/model_run.h"

#include <cstddef>
#include <iostream>
#include <optional>

#include "flow/testing/call_set.h"

namespace flow_testing {

// What no caller may ever notice. (Writes only: after a reset, a reader who is
// told "not yet" has rightly read all that there was.)
FaultOptions RandomRun::NotYet(uint64_t seed) {
  FaultOptions options;
  options.seed = seed;
  options.not_yet = 0.1;
  options.calls = {Call::kSend, Call::kSendmsg, Call::kWrite, Call::kWritev};
  options.trace_capacity = 1;
  return options;
}

FaultOptions RandomRun::Faults(uint64_t seed) {
  FaultOptions options;
  options.seed = seed;
  options.max_transfer = 7;
  options.cut = 0.2;
  options.interrupted = 0.05;
  options.trace_capacity = 1;
  return options;
}

ModelPair RandomRun::Begin() {
  if (streams_.empty()) {
    const size_t capacities[] = {1, 2, 7, 64, 300};
    return ModelPair(capacities[draw_.Below(5)], &sim_);
  }
  stream_ = streams_[draw_.Below(streams_.size())];
  return ModelPair(kModelCapacity, MakeEnds(stream_, &faulty_));
}

bool RandomRun::Compare(ModelPair& pair, const ModelAsk& ask) {
  if (!streams_.empty()) {
    const char* const reason = WhyApart(stream_, pair.model(), ask);
    if (reason != nullptr) refused_ = reason;
    if (reason != nullptr) return true;
  }
  const ModelStep step = pair.Do(ask);
  if (!step.asked) return true;
  ++compared_;
  ++reached_[step.state][static_cast<int>(ask.op)];
  if (step.real.kind == ModelAnswer::Kind::kReset) ++resets_;
  trace_.push_back(step.ToString());
  for (const char c : trace_.back()) {
    digest_ = (digest_ ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  if (guide_ != nullptr) {
    guide_->Made(stream_, step.state, ask.op, asked_, ask.end);
    asked_.push_back(ask);
    TellWays(pair);
  }
  if (step.agrees()) return true;
  std::cerr << "diverged, " << StreamName(stream_) << ", in the state \""
            << StreamModel::StateName(step.state) << "\": the model says "
            << step.modelled << "\n";
  for (const std::string& line : trace_) std::cerr << "  " << line << "\n";
  return false;
}

// Tells by which calls the states were reached that both ends are in.
void RandomRun::TellWays(const ModelPair& pair) {
  for (const int end : {0, 1}) {
    const int state = pair.model().StateOf(end);
    if (std::exchange(told_[state], true)) continue;
    guide_->Learn(stream_, state, asked_, end);
  }
}

// Goes there, and makes the call; or tells why it can't be made.
bool RandomRun::Follow(ModelPair& pair, const ModelGuide::Target& target) {
  refused_ = nullptr;
  for (const ModelAsk& ask : target.way) {
    if (!Compare(pair, ask)) return false;
  }
  const size_t before = asked_.size();
  if (pair.model().StateOf(target.end) == target.state) {
    refused_ = nullptr;
    const ModelAsk last = {target.op, target.end, draw_.Below(4),
                           ModelLimit::kSoon};
    if (!Compare(pair, last)) return false;
  }
  if (asked_.size() != before) return true;
  if (refused_ != nullptr) {
    guide_->Refused(target, refused_);
  } else {
    guide_->WentAstray(target);
  }
  return true;
}

bool RandomRun::Go(uint64_t ops) {
  while (compared_ < ops) {
    ModelPair pair = Begin();
    trace_.clear();
    asked_.clear();
    told_ = {};
    std::optional<ModelGuide::Target> target;
    if (guide_ != nullptr && draw_.Below(8) != 0) {
      target = guide_->Next(stream_, draw_);
    }
    std::vector<ModelAsk> life = draw_.Life();
    if (target.has_value()) {
      if (!Follow(pair, *target)) return false;
      life.erase(life.begin(), life.end() - 2);
    }
    for (const ModelAsk& ask : life) {
      if (!Compare(pair, ask)) return false;
      if (compared_ == ops) break;
      if (pair.model().over() && draw_.Below(4) == 0) break;
    }
  }
  return true;
}

}  // namespace flow_testing
