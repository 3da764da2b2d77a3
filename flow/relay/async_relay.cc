#include "flow/relay/async_relay.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "flow/async_access.h"
#include "flow/async_home.h"
#include "flow/async_op.h"
#include "flow/async_sink.h"
#include "flow/core.h"
#include "flow/relay/async_relaying.h"
#include "flow/relay/check_options.h"
#include "flow/relay/copy_plan.h"
#include "flow/status.h"

namespace flow {
namespace {

using internal::AsyncAccess;
using internal::CopyPlan;
using internal::Sink;
using CorePtr = std::shared_ptr<internal::AsyncCore>;

const CorePtr& CoreOf(const AsyncFlow& flow) {
  return AsyncAccess::CoreOf(flow);
}

absl::Status Prepare(const AsyncFlow& a, const AsyncFlow& b,
                     const RelayOptions& options, CopyPlan (&plans)[2]) {
  if (absl::Status s = internal::CheckRelayOptions(options); !s.ok()) return s;
  if (!a) return internal::NoFlowStatus("read");
  if (!b) return internal::NoFlowStatus("write");
  if (options.method == CopyMethod::kSendfile ||
      options.method == CopyMethod::kCopyFileRange) {
    return MakeStatus(absl::StatusCode::kUnimplemented,
                      absl::StrCat("relay by ", CopyMethodName(options.method),
                                   " refused: not with futures"),
                      {});
  }
  const CorePtr cores[] = {CoreOf(a), CoreOf(b)};
  for (const int way : {0, 1}) {
    const absl::StatusOr<CopyPlan> plan = internal::PlanCopy(
        cores[way]->core(), cores[1 - way]->core(), options.method);
    if (!plan.ok()) return plan.status();
    plans[way] = *plan;
  }
  return CoreOf(a)->home().Begin();
}

void Launch(AsyncFlow a, AsyncFlow b, const RelayOptions& options,
            Sink<RelayResult> sink) {
  CopyPlan plans[2];
  const absl::Status prepared = Prepare(a, b, options, plans);
  if (prepared.ok()) {
    return std::make_shared<internal::AsyncRelaying>(
               std::move(a), std::move(b), options, plans, std::move(sink))
        ->Start();
  }
  RelayResult result;
  for (CopyResult* way : {&result.a_to_b, &result.b_to_a}) {
    way->read_status = prepared;
    way->refused = true;
  }
  std::move(sink)(std::move(result));
}

}  // namespace

std::future<RelayResult> AsyncRelay(AsyncFlow a, AsyncFlow b,
                                    const RelayOptions& options) {
  std::future<RelayResult> future;
  Launch(std::move(a), std::move(b), options, internal::ToPromise(future));
  return future;
}

void AsyncRelay(AsyncFlow a, AsyncFlow b, const RelayOptions& options,
                absl::AnyInvocable<void(RelayResult) &&> done) {
  Sink<RelayResult> sink;
  if (a) {
    // Unlike a Status, a result has no room for the reason why a callback is
    // not run by the executor: that one is called all the same.
    sink = [home = CoreOf(a)->home(),
            done = std::move(done)](RelayResult result) mutable {
      home.RunCallback([done = std::move(done), result = std::move(result)](
                           const absl::Status& /*why*/) mutable {
        std::move(done)(std::move(result));
      });
    };
  } else {
    sink = internal::ToCallbackHere<RelayResult>(std::move(done));
  }
  Launch(std::move(a), std::move(b), options, std::move(sink));
}

}  // namespace flow
