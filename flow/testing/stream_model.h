// File: stream_model.h
//
// StreamModel: what a pair of connected flows answers, worked out a second time
// and without any of the library's code: from the seed's sentences and the
// table of states in flow/flow.h, for one thread and the memory pair's stream
// (flow/testing/memory_pair.h). A random run of the real thing is compared with
// it, call by call (model_test.cc).
//
// Also known as: reference model, oracle.
//
// Bytes are not kept: the n-th byte that one end ever accepts is the n-th that
// the other may read, so counts are enough to say which bytes must come.
//
// Not thread-safe.

#ifndef FLOW_TESTING_STREAM_MODEL_H_
#define FLOW_TESTING_STREAM_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>

#include "flow/transport.h"

namespace flow_testing {

// A limit that a call is given. Calls that would wait need one of the last
// three.
enum class ModelLimit : uint8_t { kNone, kSoon, kPast, kCancelled };

// What a call came to.
struct ModelAnswer {
  enum class Kind : uint8_t {
    kOk,             // n: bytes moved
    kEof,            //
    kClosedLocally,  // after Close, or the own Shutdown of that side
    kClosedByPeer,   // the rest: n bytes done
    kReset,          //
    kSealed,         //
    kDeadline,       //
    kCancelled,      // by the token
    kFinished,       // WaitPeerEnd
    kGone,           //
    kWaits,          // it would, and has no limit: must not be asked
    kOther,          // nothing that the model has a word for
  };

  Kind kind = Kind::kOk;
  size_t n = 0;

  friend bool operator==(const ModelAnswer& a, const ModelAnswer& b) {
    return a.kind == b.kind && a.n == b.n;
  }
  std::string ToString() const;
  friend std::ostream& operator<<(std::ostream& os, const ModelAnswer& a) {
    return os << a.ToString();
  }
};

class StreamModel {
 public:
  // Of a direction between the two.
  explicit StreamModel(size_t capacity) : capacity_(capacity) {}

  // A read of at most `max` bytes. The one liberty that a transport has, how
  // many of the bytes that are there it gives, is taken as the greatest; if the
  // real one has taken fewer, Unread(the difference) follows.
  ModelAnswer Read(int index, size_t max, ModelLimit limit);
  void Unread(int index, size_t n) { ends_[index].queued += n; }

  // All of `n` bytes, or (`some`) what goes in one step. How many fit is a
  // liberty of the kernel's, too: if it has taken another number than the model
  // says, Took(that number, the model's) follows.
  ModelAnswer Write(int index, size_t n, bool some, ModelLimit limit);
  void Took(int index, size_t n, size_t modelled);

  ModelAnswer Shutdown(int index, flow::ShutdownMode mode, ModelLimit limit);
  ModelAnswer Close(int index);
  ModelAnswer Abort(int index);
  ModelAnswer WaitPeerEnd(int index, flow::PeerEnd at_least, ModelLimit limit);

  // Both have been closed: nothing new can happen.
  bool over() const { return ends_[0].closed && ends_[1].closed; }

  // What ended a side.
  enum class Over : uint8_t { kNo, kEnd, kReset, kSealed };

  struct End {
    bool closed = false;
    bool read_shut = false;
    Over read = Over::kNo;  // kEnd: Eof was told
    bool draining = false;  // our writer has met the reset; data may be left
    bool write_shut = false;
    Over write = Over::kNo;  // kEnd: the peer takes no more
    size_t first_count = 0;  // what the write side's end counted
    // What the peer can see of this end.
    bool told_end = false;
    bool takes_none = false;
    bool reset = false;
    size_t queued = 0;  // bytes on their way to this end
  };
  const End& end(int index) const { return ends_[index]; }

  // Which of kStates states an end is in, for counting what was reached, and
  // its name.
  static constexpr int kStates = 40;
  int StateOf(int index) const;
  static std::string StateName(int state);

 private:
  // The limit that a call runs into before it tries, or kOk.
  static ModelAnswer Limited(ModelLimit limit);
  static ModelAnswer Waits(ModelLimit limit);
  void MeetReset(End& me, bool as_writer, size_t done);
  void ShutRead(End& me);

  size_t capacity_;
  End ends_[2];
};

}  // namespace flow_testing

#endif  // FLOW_TESTING_STREAM_MODEL_H_
