#include "flow/testing/conformance_support.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "flow/buffer.h"
#include "flow/stats.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace conformance {
namespace {

bool Asleep(flow::Activity activity) {
  return activity == flow::Activity::kFd ||
         activity == flow::Activity::kSignal ||
         activity == flow::Activity::kTime;
}

// Yields until `holds`, for at most a long time.
bool YieldUntil(const std::function<bool()>& holds) {
  const flow::MonoTime limit = flow::MonoTime::In(kLong);
  while (!holds()) {
    if (flow::MonoTime::Now() > limit) return false;
    std::this_thread::yield();
  }
  return true;
}

// Which sleep a thread is in, from /proc/self/task/ID/status: the number of
// times that it has gone to sleep. Empty if it is awake, "?" where there is no
// such file.
std::string ThreadSleep(pid_t id) {
  std::ifstream file(absl::StrCat("/proc/self/task/", id, "/status"));
  if (!file) return "?";
  bool asleep = false;
  for (std::string line; std::getline(file, line);) {
    if (absl::StartsWith(line, "State:")) {
      asleep = absl::StrContains(line, "S (");
    } else if (absl::StartsWith(line, "voluntary_ctxt_switches")) {
      return asleep ? line : "";
    }
  }
  return "";
}

}  // namespace

std::string Pattern(size_t size, uint64_t seed, size_t offset) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) {
    // A mix of position and seed in which no run of bytes repeats soon.
    uint64_t x = (offset + i) / 8 + seed * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 31)) * 0xbf58476d1ce4e5b9u;
    x ^= x >> 29;
    bytes[i] = static_cast<char>(x >> (8 * ((offset + i) % 8)));
  }
  return bytes;
}

absl::Duration Lateness(flow::MonoTime due) {
  static absl::Duration largest = -absl::InfiniteDuration();
  static const void* test = nullptr;
  const absl::Duration late = flow::MonoTime::Now() - due;
  const void* const now =
      ::testing::UnitTest::GetInstance()->current_test_info();
  if (test != now || late > largest) {
    test = now;
    largest = late;
    ::testing::Test::RecordProperty(
        "lateness_us", absl::StrCat(absl::ToInt64Microseconds(late)));
  }
  return late;
}

bool WaitUntilReading(const TestedFlow& flow) {
  return YieldUntil([&flow] { return Asleep(flow.GetStats().reading); });
}

bool WaitUntilWriting(const TestedFlow& flow) {
  return YieldUntil([&flow] { return Asleep(flow.GetStats().writing); });
}

bool WaitUntilReadsQueue(const TestedFlow& flow, uint32_t calls) {
  return YieldUntil([&] { return flow.GetStats().queued_reads >= calls; });
}

bool WaitUntilWritesQueue(const TestedFlow& flow, uint32_t calls) {
  return YieldUntil([&] { return flow.GetStats().queued_writes >= calls; });
}

void WaitUntilWritingOr(const TestedFlow& flow,
                        const std::function<bool()>& done) {
  YieldUntil([&] { return done() || Asleep(flow.GetStats().writing); });
}

void WaitUntilReadingOr(const TestedFlow& flow,
                        const std::function<bool()>& done) {
  YieldUntil([&] { return done() || Asleep(flow.GetStats().reading); });
}

absl::StatusOr<std::string> ReadExactly(TestedFlow& flow, size_t size,
                                        const flow::Limits& limits) {
  std::string bytes(size, '\0');
  size_t done = 0;
  while (done < size) {
    const absl::StatusOr<flow::OrEof<size_t>> got =
        flow.ReadInto(absl::MakeSpan(&bytes[done], size - done), limits);
    if (!got.ok()) return got.status();
    if (got->is_eof()) break;
    done += got->data();
  }
  bytes.resize(done);
  return bytes;
}

absl::Status ReadToEnd(TestedFlow& flow, std::string& bytes,
                       const flow::Limits& limits) {
  for (;;) {
    const absl::StatusOr<flow::OrEof<flow::Buffer>> got = flow.Read(limits);
    if (!got.ok()) return got.status();
    if (got->is_eof()) return absl::OkStatus();
    absl::StrAppend(&bytes, got->data().view());
  }
}

absl::StatusOr<std::string> ReadToEof(TestedFlow& flow,
                                      const flow::Limits& limits) {
  std::string bytes;
  const absl::Status end = ReadToEnd(flow, bytes, limits);
  if (!end.ok()) return end;
  return bytes;
}

absl::Status Exchange(TestedFlow& from, TestedFlow& to,
                      absl::string_view text) {
  Background<absl::Status> write([&] { return from.Write(text, kLong); });
  const absl::StatusOr<std::string> got = ReadExactly(to, text.size());
  if (!write.Get().ok()) return write.Get();
  if (!got.ok()) return got.status();
  if (*got == text) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("sent ", text, ", got ", *got));
}

std::string Outcome(const absl::StatusOr<flow::OrEof<flow::Buffer>>& got) {
  if (!got.ok()) return got.status().ToString();
  if (got->is_eof()) return "Eof";
  return absl::StrCat("data: ", got->data().view());
}

absl::Status WriteUntilItFails(TestedFlow& flow) {
  absl::Status status;
  YieldUntil([&] {
    status = flow.Write("x", kLong);
    return !status.ok();
  });
  return status;
}

const std::vector<WriteCall>& WriteCalls() {
  using Flow = TestedFlow;
  using flow::Limits;
  static const auto* const calls = new std::vector<WriteCall>{
      {"Write", [](Flow& f, absl::string_view bytes,
                   const Limits& limits) { return f.Write(bytes, limits); }},
      {"Write(Cord)",
       [](Flow& f, absl::string_view bytes, const Limits& limits) {
         return f.Write(absl::Cord(bytes), limits);
       }},
      {"Writev",
       [](Flow& f, absl::string_view bytes, const Limits& limits) {
         const size_t half = bytes.size() / 2;
         const std::array<absl::string_view, 3> pieces = {
             bytes.substr(0, half), absl::string_view(), bytes.substr(half)};
         return f.Writev(pieces, limits);
       }},
      {"WriteSome",
       [](Flow& f, absl::string_view bytes, const Limits& limits) {
         return f.WriteSome(bytes, limits).status();
       }},
  };
  return *calls;
}

const std::vector<ReadCall>& ReadCalls() {
  using Flow = TestedFlow;
  using flow::Limits;
  using Result = absl::StatusOr<flow::OrEof<std::string>>;
  static const auto* const calls = new std::vector<ReadCall>{
      {"Read",
       [](Flow& f, const Limits& limits) -> Result {
         absl::StatusOr<flow::OrEof<flow::Buffer>> got = f.Read(limits);
         if (!got.ok()) return got.status();
         if (got->is_eof()) return flow::OrEof<std::string>::AtEof();
         return flow::OrEof<std::string>(got->data().ToString());
       }},
      {"ReadInto",
       [](Flow& f, const Limits& limits) -> Result {
         std::string bytes(1000, '\0');
         const absl::StatusOr<flow::OrEof<size_t>> got =
             f.ReadInto(absl::MakeSpan(&bytes[0], bytes.size()), limits);
         if (!got.ok()) return got.status();
         if (got->is_eof()) return flow::OrEof<std::string>::AtEof();
         return flow::OrEof<std::string>(bytes.substr(0, got->data()));
       }},
  };
  return *calls;
}

pid_t ThreadId() { return static_cast<pid_t>(syscall(SYS_gettid)); }

void WaitUntilThreadSleeps(const std::atomic<pid_t>& thread_id,
                           const absl::Notification& done) {
  // Seen asleep as often as this in one and the same sleep, it does not just
  // wait for a mutex.
  constexpr int kLooks = 20;
  int looks = 0;
  std::string sleep;
  YieldUntil([&] {
    const pid_t id = thread_id.load();
    if (id == 0) return false;
    if (done.HasBeenNotified()) return true;
    const std::string now = ThreadSleep(id);
    looks = now == sleep ? looks + 1 : 0;
    sleep = now;
    return looks >= kLooks && !now.empty();
  });
}

}  // namespace conformance
}  // namespace flow_testing
