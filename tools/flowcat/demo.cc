#include "tools/flowcat/demo.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/types/span.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/dial.h"
#include "flow/net/listener.h"
#include "flow/or_eof.h"
#include "tools/flowcat/format.h"
#include "tools/flowcat/sha256.h"

namespace flow_tools {
namespace {

constexpr char kLoopback[] = "tcp:127.0.0.1:0";
constexpr size_t kChunk = 64 << 10;

// Bytes without a pattern that a lost or doubled block could hide in
// (xorshift64).
class Noise {
 public:
  void Fill(absl::Span<char> into) {
    for (char& byte : into) {
      state_ ^= state_ << 13;
      state_ ^= state_ >> 7;
      state_ ^= state_ << 17;
      byte = static_cast<char>(state_ >> 32);
    }
  }

 private:
  uint64_t state_ = 0x9e3779b97f4a7c15u;
};

// Keeps the first failure of several threads.
class FirstFailure {
 public:
  void Note(absl::string_view who, const absl::Status& status) {
    if (status.ok()) return;
    absl::MutexLock lock(&mu_);
    if (status_.ok()) {
      status_ = absl::Status(status.code(),
                             absl::StrCat(who, ": ", status.message()));
    }
  }
  absl::Status status() {
    absl::MutexLock lock(&mu_);
    return status_;
  }

 private:
  absl::Mutex mu_;
  absl::Status status_ ABSL_GUARDED_BY(mu_);
};

class Demo {
 public:
  explicit Demo(const DemoOptions& options) : options_(options) {
    limits_ = flow::Limits(options.timeout);
    limits_.cancel = options.cancel;
  }

  absl::StatusOr<DemoResult> Run();

 private:
  absl::Status Server(flow::Listener& listener);
  absl::Status Relay(flow::Listener& listener, const std::string& upstream);
  absl::Status Client(const std::string& relay);
  absl::Status Send(flow::Flow& f);
  absl::Status Receive(flow::Flow& f);
  absl::Status Verdict() const;
  void Progress(bool last);

  const DemoOptions& options_;
  flow::Limits limits_;
  DemoResult result_;
  std::atomic<uint64_t> sent_{0};
  std::atomic<bool> half_closed_{false};
  uint64_t shown_ = 0;
};

absl::Status Demo::Server(flow::Listener& listener) {
  absl::StatusOr<flow::Flow> f = listener.Accept(limits_);
  if (!f.ok()) return f.status();
  const uint64_t live = options_.bytes / 2;
  std::string kept;
  for (uint64_t seen = 0;;) {
    absl::StatusOr<flow::OrEof<flow::Buffer>> got = f->Read(limits_);
    if (!got.ok()) return got.status();
    if (got->is_eof()) break;
    std::string bytes = got->data().ToString();
    if (options_.spoil_byte - seen < bytes.size()) {
      bytes[options_.spoil_byte - seen] ^= 1;
    }
    const size_t now = static_cast<size_t>(
        std::min<uint64_t>(bytes.size(), live - std::min(live, seen)));
    seen += bytes.size();
    const absl::string_view all = bytes;
    const absl::Status sent = f->Write(all.substr(0, now), limits_);
    if (!sent.ok()) return sent;
    absl::StrAppend(&kept, all.substr(now));
  }
  const absl::Status sent = f->Write(kept, limits_);
  return sent.ok() ? f->Shutdown(flow::ShutdownMode::kWrite, limits_) : sent;
}

absl::Status Demo::Relay(flow::Listener& listener,
                         const std::string& upstream) {
  absl::StatusOr<flow::Flow> client = listener.Accept(limits_);
  if (!client.ok()) return client.status();
  absl::StatusOr<flow::Flow> server = flow::Dial(upstream, limits_);
  if (!server.ok()) return server.status();
  result_.relay = flow::Relay(*client, *server, {limits_});
  return result_.relay.status();
}

absl::Status Demo::Send(flow::Flow& f) {
  Noise noise;
  Sha256 hash;
  std::vector<char> chunk(kChunk);
  for (uint64_t left = options_.bytes; left > 0;) {
    const absl::Span<char> piece = absl::MakeSpan(chunk).first(
        static_cast<size_t>(std::min<uint64_t>(left, kChunk)));
    noise.Fill(piece);
    const absl::string_view bytes(piece.data(), piece.size());
    hash.Update(bytes);
    const absl::Status written = f.Write(bytes, limits_);
    if (!written.ok()) return written;
    left -= piece.size();
    sent_ += piece.size();
  }
  result_.sent_sha256 = hash.HexDigest();
  half_closed_ = true;
  return f.Shutdown(flow::ShutdownMode::kWrite, limits_);
}

absl::Status Demo::Receive(flow::Flow& f) {
  Sha256 hash;
  std::vector<char> chunk(kChunk);
  for (;;) {
    const absl::StatusOr<flow::OrEof<size_t>> got =
        f.ReadInto(absl::MakeSpan(chunk), limits_);
    if (!got.ok()) return got.status();
    if (got->is_eof()) break;
    hash.Update(absl::string_view(chunk.data(), got->data()));
    result_.received += got->data();
    if (half_closed_) result_.received_after_half_close += got->data();
    Progress(/*last=*/false);
  }
  Progress(/*last=*/true);
  result_.received_sha256 = hash.HexDigest();
  return absl::OkStatus();
}

absl::Status Demo::Client(const std::string& relay) {
  absl::StatusOr<flow::Flow> f = flow::Dial(relay, limits_);
  if (!f.ok()) return f.status();
  absl::Status sent;
  std::thread sender([&] { sent = Send(*f); });
  const absl::Status received = Receive(*f);
  // A sender whose echo has ended has nobody left to send for.
  if (!received.ok()) f->Close().IgnoreError();
  sender.join();
  return received.ok() ? sent : received;
}

void Demo::Progress(bool last) {
  if (options_.progress == nullptr) return;
  // On a terminal every MiB, else every quarter.
  const uint64_t step =
      options_.progress_on_terminal ? 1 << 20 : options_.bytes / 4 + 1;
  if (!last && result_.received - shown_ < step) return;
  shown_ = result_.received;
  *options_.progress << absl::StreamFormat(
      "%sflowcat demo: %10s sent, %10s back, %s%s",
      options_.progress_on_terminal ? "\r" : "", FormatBytes(sent_),
      FormatBytes(result_.received),
      half_closed_ ? "half-closed" : "sending    ",
      options_.progress_on_terminal && !last ? "" : "\n");
  options_.progress->flush();
}

absl::Status Demo::Verdict() const {
  if (result_.received == options_.bytes &&
      result_.sent_sha256 == result_.received_sha256) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(
      "what came back is not what was sent: ", options_.bytes, " B of SHA-256 ",
      result_.sent_sha256, " sent, ", result_.received, " B of SHA-256 ",
      result_.received_sha256, " back"));
}

absl::StatusOr<DemoResult> Demo::Run() {
  absl::StatusOr<flow::Listener> server = flow::Listen(kLoopback);
  if (!server.ok()) return server.status();
  absl::StatusOr<flow::Listener> relay = flow::Listen(kLoopback);
  if (!relay.ok()) return relay.status();
  FirstFailure failure;
  // Who fails ends the listeners, for whoever may still wait at one of them.
  const auto note = [&](absl::string_view who, const absl::Status& status) {
    failure.Note(who, status);
    if (status.ok()) return;
    server->Close().IgnoreError();
    relay->Close().IgnoreError();
  };
  const std::string upstream = server->address();
  const absl::Time begin = absl::Now();
  std::thread server_thread([&] { note("server", Server(*server)); });
  std::thread relay_thread([&] { note("relay", Relay(*relay, upstream)); });
  note("client", Client(relay->address()));
  relay_thread.join();
  server_thread.join();
  result_.duration = absl::Now() - begin;
  result_.sent = sent_;
  if (!failure.status().ok()) return failure.status();
  const absl::Status verdict = Verdict();
  if (!verdict.ok()) return verdict;
  return result_;
}

void DescribeDirection(absl::string_view name, const flow::CopyResult& result,
                       std::string* out) {
  absl::StrAppendFormat(out, "  %s %d B in %s, %d reads, %s\n", name,
                        result.bytes, FormatElapsed(result.duration),
                        result.reads,
                        FormatRate(result.bytes, result.duration));
}

}  // namespace

absl::StatusOr<DemoResult> RunDemo(const DemoOptions& options) {
  return Demo(options).Run();
}

std::string DescribeDemo(const DemoResult& result) {
  std::string out = absl::StrFormat(
      "flowcat demo: %s there and back over TCP, through a relay, in %s (%s)\n",
      FormatBytes(result.sent), FormatElapsed(result.duration),
      FormatRate(result.sent + result.received, result.duration));
  DescribeDirection("client -> server:", result.relay.a_to_b, &out);
  DescribeDirection("server -> client:", result.relay.b_to_a, &out);
  absl::StrAppendFormat(&out,
                        "  after the half-close: %s still came back\n"
                        "  SHA-256 sent: %s\n"
                        "  SHA-256 back: %s\n",
                        FormatBytes(result.received_after_half_close),
                        result.sent_sha256, result.received_sha256);
  return out;
}

}  // namespace flow_tools
