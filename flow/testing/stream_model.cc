#include "flow/testing/stream_model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace flow_testing {

using Kind = ModelAnswer::Kind;
using flow::PeerEnd;
using flow::ShutdownMode;

std::string ModelAnswer::ToString() const {
  const char* const names[] = {
      "ok",       "eof",    "closed locally", "closed by peer",
      "reset",    "sealed", "deadline",       "cancelled",
      "finished", "gone",   "waits",          "something else"};
  return absl::StrCat(names[static_cast<int>(kind)], ", ", n, " B");
}

ModelAnswer StreamModel::Limited(ModelLimit limit) {
  switch (limit) {
    case ModelLimit::kNone:
    case ModelLimit::kSoon:
      break;
    case ModelLimit::kPast:
      return {Kind::kDeadline, 0};
    case ModelLimit::kCancelled:
      return {Kind::kCancelled, 0};
  }
  return {};
}

ModelAnswer StreamModel::Waits(ModelLimit limit) {
  return {limit == ModelLimit::kSoon ? Kind::kDeadline : Kind::kWaits, 0};
}

// A reset ends both sides, for whoever meets it first. A side that had ended
// keeps its end; what had arrived before can still be read.
void StreamModel::MeetReset(End& me, bool as_writer, size_t done) {
  if (me.write == Over::kNo) {
    me.write = Over::kReset;
    me.first_count = done;
  }
  if (me.read != Over::kNo) return;
  if (as_writer) {
    me.draining = true;
  } else {
    me.read = Over::kReset;
  }
}

ModelAnswer StreamModel::Read(int index, size_t max, ModelLimit limit) {
  End& me = ends_[index];
  const End& peer = ends_[1 - index];
  if (me.closed) return {Kind::kClosedLocally, 0};
  if (me.read_shut || me.read == Over::kEnd) return {Kind::kEof, 0};
  if (me.read == Over::kReset) return {Kind::kReset, 0};
  if (const ModelAnswer cut = Limited(limit); cut.kind != Kind::kOk) return cut;
  if (max == 0) return {};
  if (me.queued > 0) {
    const size_t n = std::min(max, me.queued);
    me.queued -= n;
    return {Kind::kOk, n};
  }
  if (me.draining || peer.reset) {
    if (me.draining) {
      me.read = Over::kReset;
    } else {
      MeetReset(me, /*as_writer=*/false, 0);
    }
    return {Kind::kReset, 0};
  }
  if (peer.told_end) {
    me.read = Over::kEnd;
    return {Kind::kEof, 0};
  }
  return Waits(limit);
}

ModelAnswer StreamModel::Write(int index, size_t n, bool some,
                               ModelLimit limit) {
  End& me = ends_[index];
  End& peer = ends_[1 - index];
  if (me.closed || me.write_shut) return {Kind::kClosedLocally, 0};
  switch (me.write) {
    case Over::kNo:
      break;
    case Over::kEnd:
      return {Kind::kClosedByPeer, me.first_count};
    case Over::kReset:
      return {Kind::kReset, me.first_count};
    case Over::kSealed:
      return {Kind::kSealed, me.first_count};
  }
  if (const ModelAnswer cut = Limited(limit); cut.kind != Kind::kOk) return cut;
  if (n == 0) return {};
  if (peer.reset) {
    MeetReset(me, /*as_writer=*/true, 0);
    return {Kind::kReset, 0};
  }
  if (peer.takes_none) {
    me.write = Over::kEnd;
    me.first_count = 0;
    return {Kind::kClosedByPeer, 0};
  }
  const size_t fits = std::min(n, capacity_ - peer.queued);
  if (fits == n || (some && fits > 0)) {
    peer.queued += fits;
    return {Kind::kOk, fits};
  }
  ModelAnswer answer = Waits(limit);
  if (answer.kind == Kind::kWaits) return answer;
  if (fits > 0) {
    peer.queued += fits;
    me.write = Over::kSealed;
    me.first_count = fits;
    answer.n = fits;
  }
  return answer;
}

void StreamModel::Took(int index, size_t n, size_t modelled) {
  ends_[1 - index].queued += n - modelled;
  if (ends_[index].write == Over::kSealed) ends_[index].first_count = n;
}

void StreamModel::ShutRead(End& me) {
  me.read_shut = true;
  me.takes_none = true;
  me.queued = 0;
}

ModelAnswer StreamModel::Shutdown(int index, ShutdownMode mode,
                                  ModelLimit limit) {
  End& me = ends_[index];
  if (me.closed) return {};
  const bool writes = mode != ShutdownMode::kRead;
  // An end comes before a limit, but a sealed side has its end still to tell.
  if (writes && !me.write_shut &&
      (me.write == Over::kNo || me.write == Over::kSealed)) {
    // "kReadWrite: both, or, if a limit has passed before it began, neither."
    if (const ModelAnswer cut = Limited(limit); cut.kind != Kind::kOk) {
      return cut;
    }
  }
  if (mode != ShutdownMode::kWrite) ShutRead(me);
  if (writes) {
    me.write_shut = true;
    // A peer that takes no more is told nothing.
    if (me.write == Over::kNo || me.write == Over::kSealed) me.told_end = true;
  }
  return {};
}

ModelAnswer StreamModel::Close(int index) {
  End& me = ends_[index];
  if (me.closed) return {};
  // Bytes that nobody will read are no end in order.
  if (me.queued > 0) me.reset = true;
  me.queued = 0;
  me.closed = me.told_end = me.takes_none = true;
  return {};
}

ModelAnswer StreamModel::Abort(int index) {
  End& me = ends_[index];
  if (me.closed) return {};
  me.reset = true;
  return Close(index);
}

ModelAnswer StreamModel::WaitPeerEnd(int index, PeerEnd at_least,
                                     ModelLimit limit) {
  const End& me = ends_[index];
  const End& peer = ends_[1 - index];
  if (me.closed) return {Kind::kClosedLocally, 0};
  // What a read or write has met is known, whatever the limits.
  if (me.read == Over::kReset || me.draining || me.write == Over::kReset) {
    return {Kind::kGone, 0};
  }
  if (me.read == Over::kEnd && at_least == PeerEnd::kFinished) {
    return {Kind::kFinished, 0};
  }
  if (const ModelAnswer cut = Limited(limit); cut.kind != Kind::kOk) return cut;
  if (peer.closed || peer.reset) return {Kind::kGone, 0};
  if (peer.told_end && at_least == PeerEnd::kFinished) {
    return {Kind::kFinished, 0};
  }
  return Waits(limit);
}

int StreamModel::StateOf(int index) const {
  const End& me = ends_[index];
  if (me.closed) return 0;
  int read = me.read_shut              ? 1
             : me.read == Over::kEnd   ? 2
             : me.read == Over::kReset ? 3
             : me.draining             ? 4
             : me.queued > 0           ? 5
                                       : 6;
  int write = me.write_shut               ? 1
              : me.write == Over::kEnd    ? 2
              : me.write == Over::kReset  ? 3
              : me.write == Over::kSealed ? 4
                                          : 5;
  return 1 + (read - 1) * 5 + (write - 1);
}

std::string StreamModel::StateName(int state) {
  if (state == 0) return "closed";
  const char* const reads[] = {"read shut", "read eof",  "read reset",
                               "draining",  "read data", "read open"};
  const char* const writes[] = {"write shut", "write refused", "write reset",
                                "write sealed", "write open"};
  return absl::StrCat(reads[(state - 1) / 5], ", ", writes[(state - 1) % 5]);
}

}  // namespace flow_testing
