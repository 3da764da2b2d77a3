#include "flow/layers/logging.h"

#include <sys/uio.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "flow/changed_fields.h"
#include "flow/endpoint.h"
#include "flow/layers/forwarding.h"
#include "flow/layers/iovecs.h"
#include "flow/layers/log_lines.h"
#include "flow/status.h"
#include "flow/sys/errno_table.h"
#include "flow/sys/mono_time.h"
#include "flow/sys/syscalls.h"
#include "flow/transport.h"

namespace flow {
namespace {

using internal::LogEvent;

// Each direction's offset belongs to that direction.
class LoggingTransport final : public internal::ForwardingTransport {
 public:
  LoggingTransport(std::unique_ptr<Transport> transport,
                   std::shared_ptr<LogSink> sink, const LogOptions& options,
                   Syscalls* sys)
      : ForwardingTransport("logging", std::move(transport)),
        sink_(std::move(sink)),
        lines_(options, NameOf(options, below())),
        sys_(sys),
        born_(sys->Now()) {
    Say(LogEvent::Way::kBoth, "open");
  }
  ~LoggingTransport() override { SayClose(); }

  Attempt TryRead(absl::Span<const iovec> into) override {
    const Attempt a = below().TryRead(into);
    if (a.eof()) Say(LogEvent::Way::kIn, "eof");
    return Logged(LogEvent::Way::kIn, a, into, read_);
  }
  Attempt TryWrite(absl::Span<const iovec> from) override {
    const Attempt a = below().TryWrite(from);
    return Logged(LogEvent::Way::kOut, a, from, written_);
  }
  Attempt TryFlush() override {
    const Attempt a = below().TryFlush();
    return a.failed() ? Failed(LogEvent::Way::kOut, a) : a;
  }
  Attempt TryShutdown(ShutdownMode half) override {
    const Attempt a = ForwardingTransport::TryShutdown(half);
    const LogEvent::Way way =
        half == ShutdownMode::kRead ? LogEvent::Way::kIn : LogEvent::Way::kOut;
    if (a.transferred()) Say(way, "shutdown");
    return a.failed() ? Failed(way, a) : a;
  }
  void Abort() override {
    Say(LogEvent::Way::kBoth, "abort");
    below().Abort();
  }
  absl::Status Close() override {
    SayClose();
    return below().Close();
  }
  // The child's copy: the log is the parent's.
  void CloseAfterFork() override {
    closed_ = true;
    below().CloseAfterFork();
  }

  bool PollIsTruth() const override { return below().PollIsTruth(); }

 private:
  static std::string NameOf(const LogOptions& options, const Transport& below) {
    return options.name.empty() ? EndpointPair(below.local(), below.peer())
                                : options.name;
  }

  Attempt Logged(LogEvent::Way way, const Attempt& a,
                 absl::Span<const iovec> parts, uint64_t& passed) {
    if (a.failed()) return Failed(way, a);
    if (!a.transferred()) return a;
    std::string shown;
    internal::ForFirst(parts, std::min(a.n(), lines_.payload()),
                       [&shown](absl::Span<char> piece) {
                         shown.append(piece.data(), piece.size());
                       });
    LogEvent event;
    event.way = way;
    event.what = "data";
    event.bytes = a.n();
    event.offset = passed;
    event.shown = shown;
    Say(std::move(event));
    passed += a.n();
    return a;
  }

  // The words of a failure are given once, so they are kept for the caller.
  Attempt Failed(LogEvent::Way way, const Attempt& a) {
    const absl::Status words = below().last_error();
    LogEvent event;
    event.way = way;
    event.what = "failed";
    event.detail = !words.ok() ? std::string(words.message())
                   : a.error() != 0
                       ? ErrnoText(a.error())
                       : std::string(ErrorKindName(a.error_kind()));
    Say(std::move(event));
    if (words.ok()) return a;
    Tell(words);
    return a;
  }

  void Say(LogEvent::Way way, absl::string_view what) {
    LogEvent event;
    event.way = way;
    event.what = what;
    Say(std::move(event));
  }
  void Say(LogEvent event) {
    event.at = sys_->Now() - born_;
    sink_->Add(lines_.Format(event));
  }
  // By Close, or by the destructor if there was none.
  void SayClose() {
    if (!std::exchange(closed_, true)) Say(LogEvent::Way::kBoth, "close");
  }

  const std::shared_ptr<LogSink> sink_;
  const internal::LogLines lines_;
  Syscalls* const sys_;
  const MonoTime born_;
  uint64_t read_ = 0;
  uint64_t written_ = 0;
  bool closed_ = false;
};

}  // namespace

LogSink::LogSink(std::ostream* stream)
    : callback_([stream](absl::string_view line) { *stream << line << '\n'; }) {
}

void LogSink::Redirect(Callback callback) {
  absl::MutexLock lock(&mu_);
  callback_ = std::move(callback);
}

void LogSink::Add(absl::Span<const std::string> lines) {
  absl::MutexLock lock(&mu_);
  for (const std::string& line : lines) {
    try {
      if (callback_) callback_(line);
    } catch (...) {  // the user's: the flow goes on without this line
      dropped_.fetch_add(1, std::memory_order_relaxed);
    }
  }
}

absl::StatusOr<Flow> Log(Flow below, std::shared_ptr<LogSink> sink,
                         const LogOptions& options) {
  if (sink == nullptr) return InvalidArgument("Log: there has to be a sink");
  return internal::Layered(
      std::move(below),
      [&](std::unique_ptr<Transport> transport, Syscalls* sys) {
        return std::make_unique<LoggingTransport>(
            std::move(transport), std::move(sink), options, sys);
      });
}

absl::string_view LogFormatName(LogFormat format) {
  switch (format) {
    case LogFormat::kText:
      return "text";
    case LogFormat::kHexdump:
      return "hexdump";
    case LogFormat::kJsonLines:
      return "JSON lines";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& os, LogFormat format) {
  return os << LogFormatName(format);
}

std::string LogOptions::ToString() const {
  const LogOptions usual;
  return internal::ChangedFields()
      .Add("format", format, usual.format)
      .Add("payload", payload, usual.payload)
      .Add("name", name, usual.name)
      .Add("timestamps", timestamps, usual.timestamps)
      .Text();
}

std::string LogSink::ToString() const {
  return absl::StrCat("log sink, ", dropped(), " lines dropped");
}

}  // namespace flow
