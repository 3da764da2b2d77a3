#include "flow/registry/flow_registry.h"

#include <algorithm>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "flow/async_access.h"
#include "flow/async_flow.h"
#include "flow/async_op.h"
#include "flow/core.h"
#include "flow/flow_access.h"
#include "flow/observing.h"
#include "flow/state.h"
#include "flow/sys/mono_time.h"

namespace flow {
namespace {

using internal::Core;

// A flow that is listed. Its Core is there until the entry has been taken out,
// which it waits for. (Not a CoreHold: that is a use of the flow, and would
// keep it from being taken apart.)
struct Listed {
  Core* flow = nullptr;
  std::string label;
};

bool Waits(Activity activity) {
  return activity == Activity::kFd || activity == Activity::kSignal ||
         activity == Activity::kTime;
}

absl::Duration LimitOf(const Core& core, Direction d) {
  const MonoTime limit = core.observing()->limit(d);
  return limit.is_never() ? absl::InfiniteDuration()
                          : limit - core.sys()->Now();
}

FlowEntry EntryOf(uint64_t id, const Listed& listed) {
  FlowEntry entry;
  entry.id = id;
  entry.label = listed.label;
  entry.local = listed.flow->local();
  entry.peer = listed.flow->peer();
  entry.name = listed.flow->Describe();
  entry.stats = listed.flow->GetStats();
  if (Waits(entry.stats.reading)) {
    entry.reading_limit = LimitOf(*listed.flow, Direction::kRead);
  }
  if (Waits(entry.stats.writing)) {
    entry.writing_limit = LimitOf(*listed.flow, Direction::kWrite);
  }
  return entry;
}

void Sum(const Stats& stats, FlowTotals& totals) {
  totals.bytes_read += stats.bytes_read;
  totals.bytes_written += stats.bytes_written;
  totals.reads += stats.reads;
  totals.writes += stats.writes;
}

std::string Doing(Activity activity, absl::Duration limit) {
  std::string text(ActivityName(activity));
  if (limit < absl::InfiniteDuration()) {
    absl::StrAppend(&text, " for at most ",
                    absl::FormatDuration(std::max(limit, absl::Duration())));
  }
  return text;
}

}  // namespace

struct FlowRegistry::Book {
  // The entry `id`, whose flow is over, goes.
  void TakeOut(uint64_t id) ABSL_LOCKS_EXCLUDED(mu);

  mutable absl::Mutex mu;
  uint64_t last_id ABSL_GUARDED_BY(mu) = 0;
  std::map<uint64_t, Listed> open ABSL_GUARDED_BY(mu);
  // Of those that are closed, but `opened`, which is of all.
  std::map<std::string, FlowTotals> totals ABSL_GUARDED_BY(mu);
};

void FlowRegistry::Book::TakeOut(uint64_t id) {
  absl::MutexLock lock(&mu);
  const auto found = open.find(id);
  if (found == open.end()) return;  // the registry is gone
  FlowTotals& of_label = totals[found->second.label];
  ++of_label.closed;
  Sum(found->second.flow->GetStats(), of_label);
  open.erase(found);
}

namespace {

template <typename Book>
uint64_t AddTo(const std::shared_ptr<Book>& book, Core* flow,
               std::string label) {
  if (flow == nullptr) return 0;
  internal::Observing& observed = flow->observed();
  uint64_t id = 0;
  {
    absl::MutexLock lock(&book->mu);
    id = ++book->last_id;
    ++book->totals[label].opened;
    book->open[id] = Listed{flow, std::move(label)};
  }
  observed.WhenOver([book, id] { book->TakeOut(id); });
  return id;
}

}  // namespace

FlowRegistry::FlowRegistry() : book_(std::make_shared<Book>()) {}

FlowRegistry::~FlowRegistry() {
  absl::MutexLock lock(&book_->mu);
  book_->open.clear();
}

uint64_t FlowRegistry::Add(const Flow& flow, std::string label) {
  return AddTo(book_, internal::FlowAccess::CoreOf(flow), std::move(label));
}

uint64_t FlowRegistry::Add(const AsyncFlow& flow, std::string label) {
  if (!flow) return 0;
  Core& core = internal::AsyncAccess::CoreOf(flow)->core();
  return AddTo(book_, &core, std::move(label));
}

size_t FlowRegistry::size() const {
  absl::MutexLock lock(&book_->mu);
  return book_->open.size();
}

FlowSnapshot FlowRegistry::Snapshot() const {
  FlowSnapshot snapshot;
  absl::MutexLock lock(&book_->mu);
  snapshot.totals = book_->totals;
  snapshot.flows.reserve(book_->open.size());
  for (const auto& [id, listed] : book_->open) {
    snapshot.flows.push_back(EntryOf(id, listed));
    Sum(snapshot.flows.back().stats, snapshot.totals[listed.label]);
  }
  return snapshot;
}

// ---------------------------------------------------------------------- words

std::string FlowEntry::ToString() const {
  return absl::StrCat("#", id, label.empty() ? "" : " ", label, ": ", name,
                      ", ", stats.bytes_read, " B in ", stats.reads, " reads, ",
                      stats.bytes_written, " B out in ", stats.writes,
                      " writes, age ", absl::FormatDuration(stats.age),
                      ", reading: ", Doing(stats.reading, reading_limit),
                      ", writing: ", Doing(stats.writing, writing_limit));
}

std::string FlowTotals::ToString() const {
  return absl::StrCat(opened, " opened, ", closed, " closed, ", bytes_read,
                      " B in ", reads, " reads, ", bytes_written, " B out in ",
                      writes, " writes");
}

std::string FlowSnapshot::ToString() const {
  std::string text = absl::StrCat(
      flows.size(), flows.size() == 1 ? " flow is" : " flows are", " open\n");
  for (const FlowEntry& entry : flows) {
    absl::StrAppend(&text, "  ", entry.ToString(), "\n");
  }
  for (const auto& [label, of_label] : totals) {
    absl::StrAppend(&text, "  all", label.empty() ? "" : " ", label, ": ",
                    of_label.ToString(), "\n");
  }
  return text;
}

std::string FlowRegistry::ToString() const { return Snapshot().ToString(); }

}  // namespace flow
