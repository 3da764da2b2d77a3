#include "tools/flowcat/settings.h"

#include <cmath>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"

// What each is for is told by the manual (manual.cc), which a test holds
// against this list.
ABSL_FLAG(absl::Duration, timeout, absl::InfiniteDuration(), "");
ABSL_FLAG(absl::Duration, connect_timeout, absl::InfiniteDuration(), "");
ABSL_FLAG(absl::Duration, stall_timeout, absl::InfiniteDuration(), "");
ABSL_FLAG(absl::Duration, half_close_timeout, absl::InfiniteDuration(), "");
ABSL_FLAG(absl::Duration, drain, -absl::InfiniteDuration(), "");
ABSL_FLAG(std::string, policy, "half-close", "");
ABSL_FLAG(std::string, method, "auto", "");
ABSL_FLAG(flow_tools::ByteRate, rate, {}, "");
ABSL_FLAG(flow_tools::ByteSize, limit, {}, "");
ABSL_FLAG(std::string, dump, "", "");
ABSL_FLAG(std::string, tee, "", "");
ABSL_FLAG(std::string, tee_back, "", "");
ABSL_FLAG(bool, quiet, false, "");
ABSL_FLAG(std::string, stats, "", "");
ABSL_FLAG(flow_tools::Switch, progress, flow_tools::Switch::kAuto, "");
ABSL_FLAG(absl::Duration, progress_interval, absl::ZeroDuration(), "");
ABSL_FLAG(flow_tools::ByteSize, size, {}, "");
ABSL_FLAG(bool, serve, false, "");
ABSL_FLAG(int, max_connections, 1000, "");
ABSL_FLAG(bool, self, false, "");
ABSL_FLAG(bool, json, false, "");
ABSL_FLAG(std::string, svg, "", "");
ABSL_FLAG(absl::Duration, duration, absl::Seconds(2), "");
ABSL_FLAG(flow_tools::ByteSize, message, {64}, "");
ABSL_FLAG(uint64_t, seed, 1, "");
ABSL_FLAG(absl::Duration, delay, absl::ZeroDuration(), "");
ABSL_FLAG(absl::Duration, jitter, absl::ZeroDuration(), "");
ABSL_FLAG(flow_tools::ByteSize, max_step, {}, "");
ABSL_FLAG(double, corrupt, 0, "");
ABSL_FLAG(flow_tools::ByteSize, corrupt_at, {}, "");
ABSL_FLAG(flow_tools::ByteSize, reset_at, {}, "");
ABSL_FLAG(flow_tools::ByteSize, cut_at, {}, "");
ABSL_FLAG(std::string, direction, "both", "");
ABSL_FLAG(bool, help, false, "");
ABSL_FLAG(bool, version, false, "");

namespace flow_tools {
namespace {

absl::Status BadFlag(absl::string_view flag, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("bad value of flag --", flag, ": ", why));
}

// One of several words, by name.
template <typename T>
using Choices = std::vector<std::pair<absl::string_view, T>>;

template <typename T>
absl::Status Choose(absl::string_view flag, absl::string_view text,
                    const Choices<T>& choices, T* value) {
  std::vector<absl::string_view> names;
  for (const auto& [name, choice] : choices) {
    names.push_back(name);
    if (name != text) continue;
    *value = choice;
    return absl::OkStatus();
  }
  return BadFlag(flag,
                 absl::StrCat("\"", absl::CHexEscape(text), "\" is none of ",
                              absl::StrJoin(names, ", ")));
}

absl::Status SetWords(Settings& s) {
  using flow::CopyMethod;
  using flow::LogFormat;
  using flow::RelayPolicy;
  absl::Status status =
      Choose<RelayPolicy>("policy", absl::GetFlag(FLAGS_policy),
                          {{"half-close", RelayPolicy::kHalfClose},
                           {"close-both", RelayPolicy::kCloseBoth},
                           {"fail-fast", RelayPolicy::kFailFast}},
                          &s.policy);
  if (!status.ok()) return status;
  status = Choose<CopyMethod>("method", absl::GetFlag(FLAGS_method),
                              {{"auto", CopyMethod::kAuto},
                               {"buffered", CopyMethod::kBuffered},
                               {"splice", CopyMethod::kSplice},
                               {"sendfile", CopyMethod::kSendfile},
                               {"copy-file-range", CopyMethod::kCopyFileRange}},
                              &s.method);
  if (!status.ok()) return status;
  status = Choose<StatsFormat>("stats", absl::GetFlag(FLAGS_stats),
                               {{"text", StatsFormat::kText},
                                {"json", StatsFormat::kJson},
                                {"", StatsFormat::kNone}},
                               &s.stats);
  if (!status.ok()) return status;
  return Choose<std::optional<LogFormat>>("dump", absl::GetFlag(FLAGS_dump),
                                          {{"text", LogFormat::kText},
                                           {"hex", LogFormat::kHexdump},
                                           {"json", LogFormat::kJsonLines},
                                           {"", std::nullopt}},
                                          &s.dump);
}

absl::Status SetTimes(Settings& s) {
  const struct {
    const char* flag;
    const absl::Duration value;
    absl::Duration* const setting;
  } kTimes[] = {
      {"timeout", absl::GetFlag(FLAGS_timeout), &s.timeout},
      {"connect-timeout", absl::GetFlag(FLAGS_connect_timeout),
       &s.connect_timeout},
      {"stall-timeout", absl::GetFlag(FLAGS_stall_timeout), &s.stall_timeout},
      {"half-close-timeout", absl::GetFlag(FLAGS_half_close_timeout),
       &s.half_close_timeout},
      {"duration", absl::GetFlag(FLAGS_duration), &s.duration},
  };
  for (const auto& time : kTimes) {
    if (time.value <= absl::ZeroDuration()) {
      return BadFlag(time.flag, "a time must be positive");
    }
    *time.setting = time.value;
  }
  const absl::Duration drain = absl::GetFlag(FLAGS_drain);
  if (drain != -absl::InfiniteDuration()) {
    if (drain < absl::ZeroDuration()) {
      return BadFlag("drain", "a time must not be negative");
    }
    s.drain = drain;
  }
  const absl::Duration interval = absl::GetFlag(FLAGS_progress_interval);
  if (interval < absl::ZeroDuration()) {
    return BadFlag("progress-interval", "a time must not be negative");
  }
  if (interval > absl::ZeroDuration()) s.progress_interval = interval;
  return absl::OkStatus();
}

// The faults of one direction; `cut` is where it ends in order.
void SetFaults(flow::DirectionFaults& faults, ByteSize& cut) {
  faults.delay = absl::GetFlag(FLAGS_delay);
  faults.jitter = absl::GetFlag(FLAGS_jitter);
  const ByteSize step = absl::GetFlag(FLAGS_max_step);
  if (step.given()) faults.max_step = static_cast<size_t>(step.bytes);
  faults.corrupt = absl::GetFlag(FLAGS_corrupt);
  const ByteSize corrupt_at = absl::GetFlag(FLAGS_corrupt_at);
  if (corrupt_at.given()) faults.corrupt_at = {corrupt_at.bytes};
  const ByteSize reset_at = absl::GetFlag(FLAGS_reset_at);
  if (reset_at.given()) faults.reset_at = reset_at.bytes;
  cut = absl::GetFlag(FLAGS_cut_at);
}

absl::Status SetChaos(Settings& s) {
  for (const auto& [flag, time] :
       {std::make_pair("delay", absl::GetFlag(FLAGS_delay)),
        std::make_pair("jitter", absl::GetFlag(FLAGS_jitter))}) {
    if (time < absl::ZeroDuration() || time == absl::InfiniteDuration()) {
      return BadFlag(flag, "a delay must be finite and not negative");
    }
  }
  const double corrupt = absl::GetFlag(FLAGS_corrupt);
  if (!(corrupt >= 0 && corrupt <= 1)) {
    return BadFlag("corrupt", "a probability is from 0 to 1");
  }
  s.faults.seed = absl::GetFlag(FLAGS_seed);
  enum class Way { kUp, kDown, kBoth };
  Way way = Way::kBoth;
  const absl::Status status = Choose<Way>(
      "direction", absl::GetFlag(FLAGS_direction),
      {{"up", Way::kUp}, {"down", Way::kDown}, {"both", Way::kBoth}}, &way);
  if (!status.ok()) return status;
  if (way != Way::kDown) SetFaults(s.faults.write, s.cut_up);
  if (way != Way::kUp) SetFaults(s.faults.read, s.cut_down);
  return absl::OkStatus();
}

}  // namespace

bool AbslParseFlag(absl::string_view text, Switch* value, std::string* error) {
  if (text == "true" || text == "yes" || text == "on") {
    *value = Switch::kOn;
  } else if (text == "false" || text == "no" || text == "off") {
    *value = Switch::kOff;
  } else if (text == "auto") {
    *value = Switch::kAuto;
  } else {
    *error = "expected yes, no or auto";
    return false;
  }
  return true;
}

std::string AbslUnparseFlag(Switch value) {
  switch (value) {
    case Switch::kAuto:
      return "auto";
    case Switch::kOff:
      return "no";
    case Switch::kOn:
      return "yes";
  }
  return "auto";
}

absl::StatusOr<Settings> SettingsFromFlags() {
  Settings s;
  absl::Status status = SetWords(s);
  if (status.ok()) status = SetTimes(s);
  if (status.ok()) status = SetChaos(s);
  if (!status.ok()) return status;
  s.rate = absl::GetFlag(FLAGS_rate);
  s.limit = absl::GetFlag(FLAGS_limit);
  s.tee = absl::GetFlag(FLAGS_tee);
  s.tee_back = absl::GetFlag(FLAGS_tee_back);
  s.quiet = absl::GetFlag(FLAGS_quiet);
  s.progress = absl::GetFlag(FLAGS_progress);
  s.size = absl::GetFlag(FLAGS_size);
  s.serve = absl::GetFlag(FLAGS_serve);
  s.max_connections = absl::GetFlag(FLAGS_max_connections);
  if (s.max_connections < 1) {
    return BadFlag("max-connections", "at least one");
  }
  s.self = absl::GetFlag(FLAGS_self);
  s.json = absl::GetFlag(FLAGS_json);
  s.svg = absl::GetFlag(FLAGS_svg);
  s.message = absl::GetFlag(FLAGS_message);
  constexpr uint64_t kMostMessage = uint64_t{1} << 24;
  if (s.message.bytes < 1 || s.message.bytes > kMostMessage) {
    return BadFlag("message", "from 1 B to 16 MiB");
  }
  return s;
}

bool HelpWanted() { return absl::GetFlag(FLAGS_help); }

bool VersionWanted() { return absl::GetFlag(FLAGS_version); }

}  // namespace flow_tools
