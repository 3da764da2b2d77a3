// File: wire.h (internal)
//
// TlsWire: the way of encrypted bytes between OpenSSL and the flow below. It
// alone knows the BIO: OpenSSL never sees a descriptor.
//
// Input is pulled from the flow below when OpenSSL asks for it, a few times in
// a try at most. Output is held until Push() has sent it: the BIO has room
// for all that a try of ours makes, so that OpenSSL is never stuck in the
// middle of a record of the caller's, and takes nothing more once kOutputSize
// is held, so that a peer which provokes answers and reads none can't make this
// side grow.
//
// The memory is the thread's, lent for a try (Use); a flow keeps some only
// while it holds bytes. An idle flow has none.
//
// Not thread-safe: used under the transport's mutex.

#ifndef FLOW_TLS_WIRE_H_
#define FLOW_TLS_WIRE_H_

#include <openssl/bio.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "flow/tls/openssl_ptr.h"
#include "flow/transport.h"

namespace flow {
namespace internal {

class TlsWire {
 public:
  // Plaintext in one record, and how many of them are made in a try.
  static constexpr size_t kRecord = 16384;
  static constexpr int kRecordsPerTry = 4;
  // Four whole records with their headers.
  static constexpr size_t kInputSize = 68 << 10;
  // Those, and room for what OpenSSL adds by itself.
  static constexpr size_t kOutputSize = 96 << 10;

  explicit TlsWire(std::unique_ptr<Transport> below)
      : below_(std::move(below)) {}
  TlsWire(const TlsWire&) = delete;
  TlsWire& operator=(const TlsWire&) = delete;

  Transport& below() const { return *below_; }

  // The BIO of this wire, which must outlive it.
  UniqueBio MakeBio();

  // One try: lends the thread's memory, and allows so many pulls.
  class Use {
   public:
    Use(TlsWire& wire, int pulls);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    TlsWire& wire_;
  };

  // ---- Input, in this try.
  // No more pulls: what has come is enough.
  void StopPulling() { pulls_left_ = 0; }
  // Bytes came from below.
  bool pulled() const { return pulled_; }
  // Whether the last pull was refused since there were enough.
  bool input_is_rationed() const { return rationed_; }
  // What the last pull that was allowed said; OpenSSL has found nothing left.
  const Attempt& input() const { return input_; }
  // Reads and drops what comes from below.
  Attempt Drain(absl::Span<const iovec> scratch);

  // ---- Output.
  bool holds_output() const { return !output_.empty() || below_holds_; }
  // Sends what is held. Transferred: nothing is held any more, here or below.
  // Failed: this way is over; what was held is dropped, and the answer remains.
  Attempt Push();

  // How many bytes have been sent so far, whoever pushed.
  uint64_t sent() const { return sent_; }

  // The flow below's words for its failure, which is the last that input() or
  // Push() told.
  const absl::Status& words() const { return words_; }

 private:
  // Bytes in a block of fixed size; no block while there is nothing.
  struct Bytes {
    std::unique_ptr<char[]> block;
    size_t begin = 0;
    size_t end = 0;

    bool empty() const { return begin == end; }
  };

  static const BIO_METHOD* Method();
  static int BioRead(BIO* bio, char* to, size_t size, size_t* done);
  static int BioWrite(BIO* bio, const char* from, size_t size, size_t* done);
  static long BioControl(BIO* bio, int command, long number, void* pointer);

  void Borrow(Bytes& bytes, std::unique_ptr<char[]>& spare, size_t size);
  static void GiveBack(Bytes& bytes, std::unique_ptr<char[]>& spare);
  // Whether there is input now.
  bool Pull();

  const std::unique_ptr<Transport> below_;
  Bytes input_bytes_;
  Bytes output_;
  int pulls_left_ = 0;
  bool pulled_ = false;
  bool rationed_ = false;
  uint64_t sent_ = 0;
  bool below_holds_ = false;  // TryWrite below has taken bytes since TryFlush
  Attempt input_ = Attempt::WouldBlock(Wait());
  bool input_over_ = false;  // input_ is its end
  Attempt output_end_ = Attempt::Transferred(0);
  bool output_over_ = false;  // output_end_ is why
  absl::Status words_;
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_TLS_WIRE_H_
