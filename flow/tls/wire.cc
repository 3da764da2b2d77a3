#include "flow/tls/wire.h"

#include <algorithm>
#include <cstring>

namespace flow {
namespace internal {
namespace {

// The thread's memory, while no wire has it.
struct Spare {
  std::unique_ptr<char[]> input;
  std::unique_ptr<char[]> output;
};

Spare& ThreadsSpare() {
  static thread_local Spare spare;
  return spare;
}

}  // namespace

// ------------------------------------------------------------------- the BIO

const BIO_METHOD* TlsWire::Method() {
  // Made once and kept: BIOs of it may be freed as late as any flow.
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* const made =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "flow");
    if (made == nullptr) return made;
    BIO_meth_set_read_ex(made, BioRead);
    BIO_meth_set_write_ex(made, BioWrite);
    BIO_meth_set_ctrl(made, BioControl);
    return made;
  }();
  return method;
}

UniqueBio TlsWire::MakeBio() {
  UniqueBio bio(Method() == nullptr ? nullptr : BIO_new(Method()));
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio.get(), this);
  BIO_set_init(bio.get(), 1);
  return bio;
}

int TlsWire::BioRead(BIO* bio, char* to, size_t size, size_t* done) {
  TlsWire& wire = *static_cast<TlsWire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (!wire.Pull()) {
    // Also at the end of the input: what that means is for the transport to
    // say.
    BIO_set_retry_read(bio);
    *done = 0;
    return 0;
  }
  Bytes& input = wire.input_bytes_;
  *done = std::min(size, input.end - input.begin);
  std::memcpy(to, input.block.get() + input.begin, *done);
  input.begin += *done;
  return 1;
}

int TlsWire::BioWrite(BIO* bio, const char* from, size_t size, size_t* done) {
  TlsWire& wire = *static_cast<TlsWire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (wire.output_over_) {  // it goes nowhere
    *done = size;
    return 1;
  }
  Bytes& output = wire.output_;
  const size_t room = output.block == nullptr ? 0 : kOutputSize - output.end;
  if (room == 0) {
    BIO_set_retry_write(bio);
    *done = 0;
    return 0;
  }
  *done = std::min(size, room);
  std::memcpy(output.block.get() + output.end, from, *done);
  output.end += *done;
  return 1;
}

long TlsWire::BioControl(BIO* /*bio*/, int command, long /*number*/,
                         void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

// ------------------------------------------------------------------ the memory

TlsWire::Use::Use(TlsWire& wire, int pulls) : wire_(wire) {
  Spare& spare = ThreadsSpare();
  wire.Borrow(wire.input_bytes_, spare.input, kInputSize);
  wire.Borrow(wire.output_, spare.output, kOutputSize);
  wire.pulls_left_ = pulls;
  wire.pulled_ = false;
  wire.rationed_ = false;
}

TlsWire::Use::~Use() {
  Spare& spare = ThreadsSpare();
  GiveBack(wire_.input_bytes_, spare.input);
  GiveBack(wire_.output_, spare.output);
}

void TlsWire::Borrow(Bytes& bytes, std::unique_ptr<char[]>& spare,
                     size_t size) {
  if (bytes.block != nullptr) return;
  bytes.block = spare == nullptr ? std::unique_ptr<char[]>(new char[size])
                                 : std::move(spare);
}

void TlsWire::GiveBack(Bytes& bytes, std::unique_ptr<char[]>& spare) {
  if (!bytes.empty()) return;
  bytes.begin = bytes.end = 0;
  if (spare == nullptr) {
    spare = std::move(bytes.block);
  } else {
    bytes.block.reset();
  }
}

// ---------------------------------------------------------------------- input

bool TlsWire::Pull() {
  if (!input_bytes_.empty()) return true;
  if (input_over_) return false;
  if (pulls_left_ == 0) {
    rationed_ = true;
    return false;
  }
  --pulls_left_;
  const iovec into = {input_bytes_.block.get(), kInputSize};
  input_ = below_->TryRead(absl::MakeConstSpan(&into, 1));
  if (input_.would_block()) return false;
  if (!input_.transferred()) {
    input_over_ = true;
    if (input_.failed()) words_ = below_->last_error();
    return false;
  }
  pulled_ = true;
  input_bytes_.begin = 0;
  input_bytes_.end = input_.n();
  return true;
}

Attempt TlsWire::Drain(absl::Span<const iovec> scratch) {
  if (input_over_) return input_;
  const Attempt drained =
      below_->is_layer() ? below_->TryDrain(scratch) : below_->TryRead(scratch);
  if (!drained.transferred() && !drained.would_block()) {
    input_over_ = true;
    input_ = drained;
    if (drained.failed()) words_ = below_->last_error();
  }
  return drained;
}

// --------------------------------------------------------------------- output

Attempt TlsWire::Push() {
  if (output_over_) return output_end_;
  bool moved = false;
  Attempt sent = Attempt::Transferred(0);
  while (!output_.empty()) {
    const iovec from = {output_.block.get() + output_.begin,
                        output_.end - output_.begin};
    sent = below_->TryWrite(absl::MakeConstSpan(&from, 1));
    if (!sent.transferred()) break;
    moved = true;
    below_holds_ = true;
    output_.begin += sent.n();
    sent_ += sent.n();
  }
  if (sent.transferred() && below_holds_) {
    sent = below_->TryFlush();
    if (sent.transferred()) below_holds_ = false;
  }
  if (sent.failed()) {
    output_over_ = true;
    output_end_ = sent;
    words_ = below_->last_error();
    output_.begin = output_.end = 0;
    below_holds_ = false;
    return sent;
  }
  if (sent.would_block()) {
    return moved ? Attempt::Progressed(sent.wait()) : sent;
  }
  // The block starts anew, so that all of it is room.
  output_.begin = output_.end = 0;
  return Attempt::Transferred(0);
}

}  // namespace internal
}  // namespace flow
