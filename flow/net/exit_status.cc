#include "flow/net/exit_status.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace flow {

std::string ExitStatus::ToString() const {
  if (!signalled_) return absl::StrCat("exit code ", value_);
  return absl::StrCat("signal ", value_, " (", strsignal(value_), ")",
                      dumped_core_ ? ", core dumped" : "");
}

}  // namespace flow
