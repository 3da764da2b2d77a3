#include "tools/flowcat/live.h"

#include "absl/strings/str_cat.h"
#include "flow/endpoint.h"
#include "flow/stats.h"
#include "tools/flowcat/format.h"

namespace flow_tools {
namespace {

using flow::Activity;

std::string Peer(const flow::Flow& f) {
  const flow::Endpoint peer = f.peer();
  return peer.scheme().empty()
             ? peer.ToString()
             : absl::StrCat(peer.scheme(), " ", peer.ToString());
}

// What a direction is doing, from the calls that are in its two flows. One
// that has ended has none.
absl::string_view Waits(const flow::Flow& source, const flow::Flow& sink) {
  const Activity reading = source.GetStats().reading;
  const Activity writing = sink.GetStats().writing;
  if (reading == Activity::kTime || writing == Activity::kTime) {
    return "waits for its time (rate, delay)";
  }
  if (writing == Activity::kFd || writing == Activity::kSignal) {
    return "waits for room";
  }
  if (reading == Activity::kFd || reading == Activity::kSignal) {
    return "waits for input";
  }
  if (reading == Activity::kIdle && writing == Activity::kIdle) return "ended";
  return "moves";
}

std::string Deadline(flow::MonoTime deadline) {
  if (deadline.is_never()) return "no deadline";
  const absl::Duration left = deadline - flow::MonoTime::Now();
  if (left <= absl::ZeroDuration()) return "deadline passed";
  return absl::StrCat("deadline in ", FormatElapsed(left));
}

}  // namespace

LiveConnections::Totals LiveConnections::totals() const {
  absl::MutexLock lock(&mu_);
  Totals totals = totals_;
  for (const auto& [id, connection] : live_) {
    totals.forward += connection->forward();
    totals.back += connection->back();
  }
  return totals;
}

std::string LiveConnections::Table() const {
  const Totals totals = this->totals();
  absl::MutexLock lock(&mu_);
  std::string text = absl::StrCat(
      live_.size(), " of ", totals.begun, " connections live, ", totals.ended,
      " ended (", totals.failed, " failed), ", FormatBytes(totals.forward),
      " >, ", FormatBytes(totals.back), " <\n");
  for (const auto& [id, connection] : live_) {
    absl::StrAppend(&text, connection->Lines());
  }
  return text;
}

LiveConnection::LiveConnection(LiveConnections& all, uint64_t id,
                               flow::MonoTime deadline)
    : all_(all), id_(id), begun_(flow::MonoTime::Now()), deadline_(deadline) {
  absl::MutexLock lock(&all_.mu_);
  ++all_.totals_.begun;
  all_.live_[id_] = this;
}

LiveConnection::~LiveConnection() {
  Detach();
  absl::MutexLock lock(&all_.mu_);
  all_.live_.erase(id_);
  ++all_.totals_.ended;
  if (!succeeded_) ++all_.totals_.failed;
}

void LiveConnection::Attach(const flow::Flow& from, const flow::Flow& to) {
  absl::MutexLock lock(&all_.mu_);
  from_ = &from;
  to_ = &to;
}

void LiveConnection::Detach() {
  absl::MutexLock lock(&all_.mu_);
  all_.totals_.forward += forward();
  all_.totals_.back += back();
  from_ = nullptr;
  to_ = nullptr;
}

uint64_t LiveConnection::forward() const {
  return to_ == nullptr ? 0 : to_->GetStats().bytes_written;
}

uint64_t LiveConnection::back() const {
  return from_ == nullptr ? 0 : from_->GetStats().bytes_written;
}

std::string LiveConnection::Lines() const {
  const std::string head = absl::StrCat("  #", id_, " ");
  const std::string tail =
      absl::StrCat(", age ", FormatElapsed(flow::MonoTime::Now() - begun_),
                   ", ", Deadline(deadline_), "\n");
  if (from_ == nullptr) return absl::StrCat(head, "is being opened", tail);
  return absl::StrCat(head, Peer(*from_), " -> ", Peer(*to_), tail, "      > ",
                      forward(), " B, ", Waits(*from_, *to_), "\n", "      < ",
                      back(), " B, ", Waits(*to_, *from_), "\n");
}

}  // namespace flow_tools
