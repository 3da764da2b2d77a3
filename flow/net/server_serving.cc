// ServerCore in the thread of one connection: handler, judgement, farewell.

#include <exception>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/net/server_core.h"
#include "flow/status.h"

namespace flow {
namespace internal {
namespace {

// Whose handler runs in this thread.
thread_local const ServerCore* serving = nullptr;

absl::Status Threw(absl::string_view what) {
  return MakeStatus(absl::StatusCode::kInternal,
                    absl::StrCat("the handler threw: ", what), {});
}

absl::Status CutStatus(Cut cut, const ServeOptions& options) {
  ErrorDetail detail;
  detail.operation = "serve";
  if (cut == Cut::kDrain) {
    detail.kind = ErrorKind::kCancelled;
    return MakeStatus(absl::StatusCode::kCancelled,
                      "the connection was cut: the server had to stop", detail);
  }
  detail.kind = ErrorKind::kDeadline;
  return MakeStatus(
      absl::StatusCode::kDeadlineExceeded,
      absl::StrCat(
          "the connection was cut: ",
          cut == Cut::kTotal ? "it has lasted " : "idle for ",
          absl::FormatDuration(cut == Cut::kTotal ? options.total_limit
                                                  : options.idle_limit)),
      detail);
}

}  // namespace

bool ServerCore::IsHandler() const { return serving == this; }

void ServerCore::ServeOne(std::unique_ptr<Served> served) {
  serving = this;
  bool threw = false;
  const absl::Status status = Handle(*served, threw);
  const Cut cut = served->Finish();
  served->Farewell(/*in_order=*/status.ok());
  keeper_.Remove(served.get());
  if (cut != Cut::kNone) {
    Tell(*served, CutStatus(cut, options_));
  } else if (!status.ok()) {
    Tell(*served, status);
  }
  serving = nullptr;
  Leave(served.get(), cut, threw, status.ok());
}

void ServerCore::Leave(Served* served, Cut cut, bool threw, bool ok) {
  {
    absl::MutexLock lock(&mu_);
    live_.erase(served);
    --stats_.active;
    switch (cut) {
      case Cut::kTotal:
        ++stats_.cut_total;
        break;
      case Cut::kIdle:
        ++stats_.cut_idle;
        break;
      case Cut::kDrain:
        ++stats_.cut_drain;
        break;
      case Cut::kNone:
        ++(threw ? stats_.threw : ok ? stats_.completed : stats_.failed);
        break;
    }
  }
  change_.Notify();
}

absl::Status ServerCore::Handle(Served& served, bool& threw) const {
  threw = true;  // unless it comes to an end
  try {
    absl::Status status = CallHandler(served);
    threw = false;
    return status;
  } catch (const std::exception& e) {
    return Threw(e.what());
  } catch (...) {
    return Threw("not a std::exception");
  }
}

absl::Status ServerCore::CallHandler(Served& served) const {
  if (options_.prepare) {
    absl::StatusOr<Flow> prepared =
        options_.prepare(served.Take(), served.cut());
    if (!prepared.ok()) return prepared.status();
    served.Replace(*std::move(prepared));
  }
  ServerConnection connection(&served);
  return handler_(connection);
}

void ServerCore::Tell(const Served& served, const absl::Status& why) const {
  if (!options_.on_failure) return;
  try {
    options_.on_failure(served.peer(), why);
  } catch (...) {  // NOLINT(bugprone-empty-catch): nobody is left to tell
  }
}

}  // namespace internal
}  // namespace flow
