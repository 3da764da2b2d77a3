// File: settings.h
//
// Settings: what the command line says beside its words, as plain values. It
// alone knows flowcat's flags.
//
// Guarantees: SettingsFromFlags reads flags and nothing else.

#ifndef FLOW_TOOLS_FLOWCAT_SETTINGS_H_
#define FLOW_TOOLS_FLOWCAT_SETTINGS_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "flow/layers/fault.h"
#include "flow/layers/logging.h"
#include "flow/relay/relay_options.h"
#include "tools/flowcat/byte_size.h"

namespace flow_tools {

// On, off, or as it seems fit.
enum class Switch : uint8_t { kAuto, kOff, kOn };
bool AbslParseFlag(absl::string_view text, Switch* value, std::string* error);
std::string AbslUnparseFlag(Switch value);

enum class StatsFormat : uint8_t { kNone, kText, kJson };

struct Settings {
  // ---- How long.
  absl::Duration timeout = absl::InfiniteDuration();
  absl::Duration connect_timeout = absl::InfiniteDuration();
  absl::Duration stall_timeout = absl::InfiniteDuration();
  absl::Duration half_close_timeout = absl::InfiniteDuration();
  // Not given: as the command has it.
  std::optional<absl::Duration> drain;

  // ---- How bytes are moved.
  flow::RelayPolicy policy = flow::RelayPolicy::kHalfClose;
  flow::CopyMethod method = flow::CopyMethod::kAuto;
  ByteRate rate;   // of each direction
  ByteSize limit;  // of each direction
  std::optional<flow::LogFormat> dump;
  std::string tee;       // gets what goes from FROM to TO
  std::string tee_back;  // gets what goes from TO to FROM

  // ---- What is said.
  bool quiet = false;
  StatsFormat stats = StatsFormat::kNone;
  Switch progress = Switch::kAuto;
  // Not given: a quarter of a second on a terminal, else five seconds.
  std::optional<absl::Duration> progress_interval;
  ByteSize size;  // how much will come from FROM

  // ---- Many connections.
  bool serve = false;
  int max_connections = 1000;

  // ---- Faults (flowcat chaos). `read` is what comes from TO, `write` what
  // goes there.
  bool chaos = false;
  flow::FaultPlan faults;
  ByteSize cut_up;    // FROM's bytes end there
  ByteSize cut_down;  // TO's bytes end there

  // ---- Measuring (flowcat bench, flowcat probe).
  bool self = false;
  bool json = false;
  std::string svg;
  absl::Duration duration = absl::Seconds(2);
  ByteSize message = {64};
};

// What the flags say. INVALID_ARGUMENT, with the flag's name, for values that
// make no sense.
[[nodiscard]] absl::StatusOr<Settings> SettingsFromFlags();

// Those that print and end: --help, --version.
bool HelpWanted();
bool VersionWanted();

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_SETTINGS_H_
