#include "flow/testing/torture/scenarios.h"

#include <iterator>
#include <utility>

namespace flow_testing {

std::vector<Scenario> AllScenarios() {
  std::vector<Scenario> all;
  for (std::vector<Scenario> (*room)() :
       {&StreamScenarios, &AsyncScenarios, &RoomScenarios, &MovingScenarios,
        &SystemScenarios}) {
    std::vector<Scenario> some = room();
    all.insert(all.end(), std::make_move_iterator(some.begin()),
               std::make_move_iterator(some.end()));
  }
  return all;
}

}  // namespace flow_testing
