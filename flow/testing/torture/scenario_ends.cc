#include "flow/testing/torture/scenario_ends.h"

#include <tuple>

#include "flow/fd/fd.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/testing/memory_pair.h"

namespace flow_testing {
namespace {

bool Take(TortureRun& run, absl::StatusOr<flow::Flow> made, flow::Flow* out) {
  if (!run.Ok(made)) return false;
  *out = *std::move(made);
  return true;
}

bool AdoptBoth(TortureRun& run, RawPair raw, flow::Flow* a, flow::Flow* b) {
  flow::FdOptions options;
  options.sys = run.sys();
  return Take(run, flow::Adopt(std::move(raw.first), options), a) &&
         Take(run, flow::Adopt(std::move(raw.second), options), b);
}

bool MakePipes(TortureRun& run, bool borrowed, Ends* ends) {
  RawPair there = RawPipe();
  RawPair back = RawPipe();
  flow::FdOptions options;
  options.sys = run.sys();
  if (!borrowed) {
    return Take(run,
                flow::Adopt(std::move(back.first), std::move(there.second),
                            options),
                &ends->a) &&
           Take(run,
                flow::Adopt(std::move(there.first), std::move(back.second),
                            options),
                &ends->b);
  }
  const bool made =
      Take(run, flow::Borrow(back.first.get(), there.second.get(), options),
           &ends->a) &&
      Take(run, flow::Borrow(there.first.get(), back.second.get(), options),
           &ends->b);
  ends->lent.push_back(std::move(there.first));
  ends->lent.push_back(std::move(there.second));
  ends->lent.push_back(std::move(back.first));
  ends->lent.push_back(std::move(back.second));
  ends->ends_are_visible = false;
  return made;
}

bool MakeBorrowedSockets(TortureRun& run, Ends* ends) {
  RawPair raw = RawSocketPair();
  flow::FdOptions options;
  options.sys = run.sys();
  const bool made =
      Take(run, flow::Borrow(raw.first.get(), options), &ends->a) &&
      Take(run, flow::Borrow(raw.second.get(), options), &ends->b);
  ends->lent.push_back(std::move(raw.first));
  ends->lent.push_back(std::move(raw.second));
  ends->ends_are_visible = false;
  return made;
}

}  // namespace

std::string EndsName(EndsKind kind) {
  switch (kind) {
    case EndsKind::kUnix:
      return "unix";
    case EndsKind::kTcp:
      return "tcp";
    case EndsKind::kPipes:
      return "pipes";
    case EndsKind::kBorrowedUnix:
      return "borrowed_unix";
    case EndsKind::kBorrowedPipes:
      return "borrowed_pipes";
    case EndsKind::kMemory:
      return "memory";
  }
  return "?";
}

bool ArrivesAtOnce(EndsKind kind) { return kind != EndsKind::kTcp; }

bool MakeEnds(TortureRun& run, EndsKind kind, Ends* ends) {
  switch (kind) {
    case EndsKind::kUnix:
      return AdoptBoth(run, RawSocketPair(), &ends->a, &ends->b);
    case EndsKind::kTcp:
      return AdoptBoth(run, RawTcpPair(16384), &ends->a, &ends->b);
    case EndsKind::kPipes:
      return MakePipes(run, /*borrowed=*/false, ends);
    case EndsKind::kBorrowedPipes:
      return MakePipes(run, /*borrowed=*/true, ends);
    case EndsKind::kBorrowedUnix:
      return MakeBorrowedSockets(run, ends);
    case EndsKind::kMemory: {
      MemoryPairOptions options;
      options.sys = run.sys();
      std::tie(ends->a, ends->b) = MemoryPair(4096, options);
      return true;
    }
  }
  return false;
}

bool MakeSockets(TortureRun& run, flow::Flow* a, flow::Flow* b) {
  return AdoptBoth(run, RawSocketPair(), a, b);
}

bool Pump(TortureRun& run, Lane& lane, flow::Flow& a, flow::Flow& b, size_t n) {
  const uint64_t end = lane.accepted() + n;
  while (lane.accepted() < end) {
    const size_t left = static_cast<size_t>(end - lane.accepted());
    if (!lane.WriteSome(a, left, run.Long())) return false;
    if (!lane.ReadUntil(b, lane.accepted())) return false;
  }
  return true;
}

}  // namespace flow_testing
