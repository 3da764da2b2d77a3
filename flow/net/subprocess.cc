#include "flow/net/subprocess.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/changed_fields.h"
#include "flow/core.h"
#include "flow/net/child_process.h"
#include "flow/net/spawning.h"

namespace flow {

Subprocess& Subprocess::operator=(Subprocess&& other) noexcept {
  if (this == &other) return *this;
  const Subprocess old(std::move(*this));
  in_ = std::move(other.in_);
  out_ = std::move(other.out_);
  err_ = std::move(other.err_);
  both_ = std::move(other.both_);
  child_ = std::move(other.child_);
  kill_on_close_ = other.kill_on_close_;
  return *this;
}

Subprocess::~Subprocess() {
  if (child_ == nullptr) return;
  internal::ChildProcess::Abandon(std::move(child_), kill_on_close_);
}

absl::StatusOr<ExitStatus> Subprocess::Wait(const Limits& limits) {
  // The program may be dropped while this waits for it.
  const std::shared_ptr<internal::ChildProcess> child = child_;
  if (child == nullptr) return internal::NoFlowStatus("wait");
  return child->Wait(limits);
}

absl::Status Subprocess::Kill(int signal) {
  const std::shared_ptr<internal::ChildProcess> child = child_;
  return child == nullptr ? absl::OkStatus() : child->Kill(signal);
}

pid_t Subprocess::pid() const { return child_ == nullptr ? -1 : child_->pid(); }

absl::StatusOr<Subprocess> Spawn(const std::vector<std::string>& argv,
                                 const SpawnOptions& options) {
  return internal::SpawnWith(argv, options, /*terminal=*/nullptr);
}

absl::string_view ChildStreamName(ChildStream stream) {
  switch (stream) {
    case ChildStream::kFlow:
      return "flow";
    case ChildStream::kInherit:
      return "inherit";
    case ChildStream::kNull:
      return "null";
    case ChildStream::kStdout:
      return "stdout";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, ChildStream stream) {
  return os << ChildStreamName(stream);
}

std::string Subprocess::ToString() const {
  return *this ? absl::StrCat("process ", pid()) : "no process";
}

std::string SpawnOptions::ToString() const {
  const SpawnOptions usual;
  internal::ChangedFields fields;
  fields.Given("sys", sys != nullptr)
      .Add("stdin_stream", stdin_stream, usual.stdin_stream)
      .Add("stdout_stream", stdout_stream, usual.stdout_stream)
      .Add("stderr_stream", stderr_stream, usual.stderr_stream)
      .Add("duplex", duplex, usual.duplex)
      .Count("pass", pass.size(), "descriptors");
  if (environment.has_value()) {
    // Even none is something else than this process's own.
    fields.Nest("environment", absl::StrCat(environment->size(), " variables"),
                "");
  }
  return fields.Add("directory", directory, usual.directory)
      .Add("search_path", search_path, usual.search_path)
      .Add("kill_on_close", kill_on_close, usual.kill_on_close)
      .Add("own_group", own_group, usual.own_group)
      .Add("own_session", own_session, usual.own_session)
      .Text();
}

}  // namespace flow
