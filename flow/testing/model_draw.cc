#include "flow/testing/model_draw.h"

#include <utility>

#include "flow/testing/stream_model.h"

namespace flow_testing {

ModelAsk ModelDraw::Call() {
  ModelAsk ask;
  // Endings are rarer, or each pair would be over before it is full.
  do {
    ask.op = static_cast<ModelOp>(Below(kModelOps));
  } while (ask.op >= ModelOp::kShutRead &&
           Below(ask.op >= ModelOp::kClose ? 8 : 4) != 0);
  ask.end = static_cast<int>(Below(2));
  const size_t sizes[] = {0, 1, 2, 3, 5, 8, 17, 100};
  ask.n = sizes[Below(8)];
  ask.limit = ModelLimit::kSoon;
  if (Below(8) == 0) ask.limit = ModelLimit::kPast;
  if (Below(16) == 0) ask.limit = ModelLimit::kCancelled;
  if (Below(16) == 0) ask.limit = ModelLimit::kNone;
  return ask;
}

std::vector<ModelAsk> ModelDraw::Beginning() {
  const int a = static_cast<int>(Below(2));
  const int b = 1 - a;
  const auto soon = ModelLimit::kSoon;
  const std::vector<ModelAsk> write_side[] = {
      {},
      {{ModelOp::kShutWrite, a, 0, soon}},
      {{ModelOp::kShutRead, b, 0, soon},
       {ModelOp::kWrite, a, 1, soon}},          // refused
      {{ModelOp::kWrite, a, too_much_, soon}},  // sealed
      {{ModelOp::kAbort, b, 0, soon},
       {ModelOp::kWriteSome, a, 1, soon}},  // reset
  };
  const std::vector<ModelAsk> read_side[] = {
      {},
      {{ModelOp::kShutRead, a, 0, soon}},
      {{ModelOp::kShutWrite, b, 0, soon}, {ModelOp::kRead, a, 0, soon}},  // eof
      {{ModelOp::kAbort, b, 0, soon}, {ModelOp::kRead, a, 0, soon}},  // reset
      {{ModelOp::kWriteSome, b, 1, soon}},                            // data
  };
  std::vector<ModelAsk> first = write_side[Below(5)];
  std::vector<ModelAsk> second = read_side[Below(5)];
  if (Below(2) == 0) std::swap(first, second);
  first.insert(first.end(), second.begin(), second.end());
  if (Below(3) == 0) first.push_back({ModelOp::kShutWrite, a, 0, soon});
  // Then any call there is, endings not rarer than others.
  for (int i = 0; i < 2; ++i) {
    first.push_back(
        {static_cast<ModelOp>(Below(kModelOps)), a, Below(3), soon});
  }
  return first;
}

std::vector<ModelAsk> ModelDraw::Life() {
  std::vector<ModelAsk> asks;
  if (Below(16) != 0) asks = Beginning();
  const size_t count = 6 + Below(8);
  while (asks.size() < count) asks.push_back(Call());
  return asks;
}

}  // namespace flow_testing
