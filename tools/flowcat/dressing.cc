#include "tools/flowcat/dressing.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "flow/layers/fault.h"
#include "flow/layers/limit.h"
#include "flow/layers/tee.h"
#include "flow/layers/throttle.h"
#include "flow/net/open.h"

namespace flow_tools {
namespace {

// What is read from `f` ends after so many bytes, as if its peer had ended.
absl::StatusOr<flow::Flow> Limited(flow::Flow f, ByteSize a, ByteSize b) {
  const uint64_t least = std::min(a.bytes, b.bytes);
  if (least == ByteSize::kNone) return f;
  flow::ByteLimits limits;
  limits.read.bytes = least;
  return flow::LimitBytes(std::move(f), limits);
}

bool HasFaults(const flow::DirectionFaults& faults) {
  return faults.delay > absl::ZeroDuration() ||
         faults.jitter > absl::ZeroDuration() || faults.max_step > 0 ||
         !faults.corrupt_at.empty() || faults.corrupt > 0 ||
         faults.cut_at.has_value() || faults.reset_at.has_value();
}

}  // namespace

Dressing::Dressing(const Settings& settings, Console& console)
    : settings_(settings),
      sink_(std::make_shared<flow::LogSink>([&console](absl::string_view line) {
        console.Lines(absl::StrCat(line, "\n"));
      })) {}

absl::StatusOr<flow::Flow> Dressing::From(flow::Flow from) const {
  return Limited(std::move(from), settings_.limit, settings_.cut_up);
}

absl::StatusOr<flow::Flow> Dressing::WithFaults(flow::Flow to,
                                                uint64_t id) const {
  if (!settings_.chaos || (!HasFaults(settings_.faults.read) &&
                           !HasFaults(settings_.faults.write))) {
    return to;
  }
  flow::FaultPlan plan = settings_.faults;
  plan.seed += id - 1;
  return flow::InjectFaults(std::move(to), plan);
}

absl::StatusOr<flow::Flow> Dressing::Copies(const std::string& path,
                                            uint64_t id,
                                            const flow::Limits& limits) const {
  if (path.empty()) return flow::Flow();
  const std::string name = settings_.serve ? absl::StrCat(path, ".", id) : path;
  return flow::Open(
      absl::StrCat(
          "file:", absl::StrReplaceAll(name, {{"%", "%25"}, {",", "%2C"}}),
          ",write,create,truncate"),
      limits);
}

absl::StatusOr<flow::Flow> Dressing::WithTee(flow::Flow to, uint64_t id,
                                             const flow::Limits& limits) const {
  if (settings_.tee.empty() && settings_.tee_back.empty()) return to;
  flow::TeeOptions copies;
  absl::StatusOr<flow::Flow> there = Copies(settings_.tee, id, limits);
  if (!there.ok()) return there;
  absl::StatusOr<flow::Flow> back = Copies(settings_.tee_back, id, limits);
  if (!back.ok()) return back;
  copies.written_to = *std::move(there);
  copies.read_to = *std::move(back);
  return flow::Tee(std::move(to), std::move(copies));
}

absl::StatusOr<flow::Flow> Dressing::To(flow::Flow to, uint64_t id,
                                        const flow::Limits& limits) const {
  absl::StatusOr<flow::Flow> f = WithFaults(std::move(to), id);
  if (f.ok() && settings_.rate.given()) {
    flow::ThrottleOptions throttle;
    throttle.read.bytes_per_second = settings_.rate.per_second;
    throttle.write.bytes_per_second = settings_.rate.per_second;
    f = flow::Throttle(*std::move(f), throttle);
  }
  if (f.ok() && settings_.dump.has_value()) {
    flow::LogOptions log;
    log.format = *settings_.dump;
    if (settings_.serve) log.name = absl::StrCat("#", id);
    f = flow::Log(*std::move(f), sink_, log);
  }
  if (f.ok()) f = WithTee(*std::move(f), id, limits);
  if (f.ok()) f = Limited(*std::move(f), settings_.limit, settings_.cut_down);
  return f;
}

}  // namespace flow_tools
