#include "flow/testing/model_guide.h"

#include <algorithm>
#include <cstddef>

namespace flow_testing {
namespace {

// Ways to a state that are kept for a kind of stream.
constexpr size_t kWays = 16;
// A pair for which so many times the goal was tried is given up.
constexpr uint64_t kPatience = 20;

}  // namespace

void ModelGuide::Learn(Stream stream, int state,
                       const std::vector<ModelAsk>& asks, int end) {
  std::vector<Way>& ways = ways_[static_cast<size_t>(stream)][state];
  if (ways.size() < kWays) {
    ways.push_back({asks, end});
    return;
  }
  // Short ones are quick, and lead less often astray.
  const auto longest = std::max_element(
      ways.begin(), ways.end(),
      [](const Way& a, const Way& b) { return a.asks.size() < b.asks.size(); });
  if (asks.size() < longest->asks.size()) *longest = {asks, end};
}

bool ModelGuide::Lacks(const Pair& pair) const {
  return pair.made < goal_ && !Impossible(pair) &&
         pair.tried() < kPatience * goal_;
}

std::optional<ModelGuide::Target> ModelGuide::Next(Stream stream,
                                                   ModelDraw& draw) {
  const Ways& own = ways_[static_cast<size_t>(stream)];
  const Ways& scouted = ways_[static_cast<size_t>(Stream::kMemory)];
  const Pair* least = nullptr;
  Target target;
  for (int state = 0; state < StreamModel::kStates; ++state) {
    if (scouted[state].empty() && own[state].empty()) continue;
    for (int op = 0; op < kModelOps; ++op) {
      const Pair& pair = pairs_[state][op];
      if (!Lacks(pair)) continue;
      if (least != nullptr && least->tried() <= pair.tried()) continue;
      least = &pair;
      target.state = state;
      target.op = static_cast<ModelOp>(op);
    }
  }
  if (least == nullptr) return std::nullopt;
  const std::vector<Way>& ways = WaysTo(target, stream, draw);
  const Way& way = ways[draw.Below(ways.size())];
  target.way = way.asks;
  target.end = way.end;
  return target;
}

// What was a way on this kind of stream is one again; a scout's may be refused.
const std::vector<ModelGuide::Way>& ModelGuide::WaysTo(const Target& target,
                                                       Stream stream,
                                                       ModelDraw& draw) const {
  const size_t own = static_cast<size_t>(stream);
  const size_t scouted = static_cast<size_t>(Stream::kMemory);
  const std::vector<Way>& to_pair =
      ways_to_pairs_[own][target.state][static_cast<size_t>(target.op)];
  if (!to_pair.empty() && draw.Below(4) != 0) return to_pair;
  const std::vector<Way>& to_state = ways_[own][target.state];
  const std::vector<Way>& of_scout = ways_[scouted][target.state];
  if (of_scout.empty()) return to_state;
  return to_state.empty() || draw.Below(4) == 0 ? of_scout : to_state;
}

void ModelGuide::Made(Stream stream, int state, ModelOp op,
                      const std::vector<ModelAsk>& asks, int end) {
  Pair& pair = At(state, op);
  if (pair.made++ >= goal_) return;
  std::vector<Way>& ways = ways_to_pairs_[static_cast<size_t>(stream)][state]
                                         [static_cast<size_t>(op)];
  if (ways.size() < kWays) ways.push_back({asks, end});
}

void ModelGuide::Refused(const Target& target, const char* reason) {
  Pair& pair = At(target.state, target.op);
  ++pair.refused;
  pair.reason = reason;
}

ModelGuide::Sum ModelGuide::sum() const {
  Sum sum;
  for (const auto& state : pairs_) {
    for (const Pair& pair : state) {
      if (pair.tried() == 0) continue;
      if (Impossible(pair)) {
        ++sum.refused;
        continue;
      }
      ++sum.possible;
      sum.rarest = std::min(sum.rarest, pair.made);
    }
  }
  return sum;
}

void ModelGuide::Print(std::ostream& os) const {
  for (int state = 0; state < StreamModel::kStates; ++state) {
    for (int op = 0; op < kModelOps; ++op) {
      const Pair& pair = pairs_[state][op];
      if (pair.tried() == 0 || pair.made >= goal_) continue;
      os << ModelOpName(static_cast<ModelOp>(op)) << " in "
         << StreamModel::StateName(state) << ": " << pair.made << " times, "
         << pair.refused << " times refused, " << pair.astray << " astray";
      if (pair.reason != nullptr) os << " (" << pair.reason << ")";
      os << "\n";
    }
  }
}

}  // namespace flow_testing
