#include "flow/adaptive_reads.h"

#include "flow/changed_fields.h"

namespace flow {

std::string AdaptiveReads::ToString() const {
  const AdaptiveReads usual;
  return internal::ChangedFields()
      .Add("waits_first", waits_first, usual.waits_first)
      .Add("spins", spins, usual.spins)
      .Text();
}

}  // namespace flow
