#include "flow/tls/tls_transport.h"

#include <utility>

#include "flow/status.h"
#include "flow/tls/record_source.h"

namespace flow {
namespace internal {
namespace {

// How often a try asks the flow below for more while OpenSSL has found nothing
// for the caller: a peer that sends no data, but no end of other messages, must
// not keep the mutex.
constexpr int kPullsPerTry = 8;

}  // namespace

TlsTransport::TlsTransport(std::unique_ptr<TlsEngine> engine, Syscalls* sys)
    : below_(engine->wire().below()),
      engine_(std::move(engine)),
      reader_(sys),
      writer_(sys) {}

// -------------------------------------------------------------------- reading

Attempt TlsTransport::TryRead(absl::Span<const iovec> into) {
  absl::MutexLock lock(&mu_);
  reader_.Begin();
  const TlsWire::Use use(engine_->wire(), kPullsPerTry);
  size_t got = 0;
  const Result result = ReadRecords(into, got);
  if (writer_wants_input_ && engine_->wire().pulled()) {
    writer_wants_input_ = false;
    writer_.Notify();
  }
  // The peer is to know why, as far as it can be told.
  if (result == Result::kFailed) PushForWriter();
  if (got > 0) return Attempt::Transferred(got);
  return NothingRead(result);
}

TlsTransport::Result TlsTransport::ReadRecords(absl::Span<const iovec> into,
                                               size_t& got) {
  for (const iovec& part : into) {
    char* const base = static_cast<char*>(part.iov_base);
    for (size_t filled = 0; filled < part.iov_len;) {
      size_t n = 0;
      const Result result =
          engine_->Read(base + filled, part.iov_len - filled, &n);
      if (result != Result::kDone) return result;
      filled += n;
      got += n;
      // What came with it is read too; nothing more is asked for.
      engine_->wire().StopPulling();
    }
  }
  return Result::kDone;
}

Attempt TlsTransport::NothingRead(Result result) {
  TlsWire& wire = engine_->wire();
  if (result == Result::kEnd) return Attempt::Eof();
  if (result == Result::kFailed) return TellFailure(reader_told_);
  // The peer may wait for what is held here before it sends more.
  const Attempt sent = PushForWriter();
  if (sent.failed() && sent.scope() == ErrorScope::kFlow) {
    return TellBelow(sent, reader_told_);
  }
  reader_sees_output_ = sent.would_block();
  if (wire.input_is_rationed() ||
      (result == Result::kWantOutput && !sent.would_block())) {
    return Attempt::Progressed(reader_.ForNothing());
  }
  if (result == Result::kWantOutput) {
    return Attempt::WouldBlock(reader_.For(sent.wait()));
  }
  if (!wire.input().would_block()) return InputIsOver(reader_told_);
  Wait wait = reader_.For(wire.input().wait(),
                          sent.would_block() ? &sent.wait() : nullptr);
  // Room below wakes both directions; that the other has used it is no reason
  // to ask for input more rarely.
  wait.moved = std::exchange(reader_saw_sent_, wire.sent()) != wire.sent();
  return wire.pulled() ? Attempt::Progressed(wait) : Attempt::WouldBlock(wait);
}

Attempt TlsTransport::PushForWriter() {
  TlsWire& wire = engine_->wire();
  if (!wire.holds_output()) return Attempt::Transferred(0);
  const Attempt sent = wire.Push();
  if (!sent.would_block()) writer_.Notify();
  return sent;
}

Attempt TlsTransport::InputIsOver(Told& told) {
  const Attempt input = engine_->wire().input();
  if (input.failed()) return TellBelow(input, told);
  // A reset that our own sending met explains the end that followed it.
  const Attempt sent = engine_->wire().Push();
  if (sent.failed() && sent.scope() == ErrorScope::kFlow) {
    return TellBelow(sent, told);
  }
  engine_->CutShort();
  return TellFailure(told);
}

Attempt TlsTransport::TryDrain(absl::Span<const iovec> scratch) {
  absl::MutexLock lock(&mu_);
  reader_.Begin();
  const TlsWire::Use use(engine_->wire(), 0);
  const Attempt drained = engine_->wire().Drain(scratch);
  if (drained.failed()) return TellBelow(drained, reader_told_);
  if (!drained.would_block()) return drained;
  return Attempt::WouldBlock(reader_.For(drained.wait()));
}

// -------------------------------------------------------------------- writing

Attempt TlsTransport::TryWrite(absl::Span<const iovec> from) {
  absl::MutexLock lock(&mu_);
  writer_.Begin();
  if (engine_->failed()) return TellFailure(writer_told_);
  const TlsWire::Use use(engine_->wire(), kPullsPerTry);
  const Attempt sent = engine_->wire().Push();
  if (!sent.transferred()) return OutputStays(sent);
  size_t taken = 0;
  const Result result = WriteRecords(from, taken);
  if (engine_->wire().pulled()) reader_.Notify();
  if (taken > 0) return Attempt::Transferred(taken);
  return NothingWritten(result);
}

TlsTransport::Result TlsTransport::WriteRecords(absl::Span<const iovec> from,
                                                size_t& taken) {
  RecordSource source(from);
  char scratch[TlsWire::kRecord];
  for (int i = 0; i < TlsWire::kRecordsPerTry && !source.empty(); ++i) {
    const absl::Span<const char> record = source.Next(scratch);
    size_t n = 0;
    const Result result = engine_->Write(record.data(), record.size(), &n);
    if (result != Result::kDone) return result;
    source.Skip(n);
    taken += n;
  }
  return Result::kDone;
}

Attempt TlsTransport::NothingWritten(Result result) {
  TlsWire& wire = engine_->wire();
  const Attempt sent = wire.Push();
  if (result == Result::kFailed) return TellFailure(writer_told_);
  if (sent.failed()) return TellBelow(sent, writer_told_);
  if (result != Result::kWantInput) {
    if (sent.would_block()) return OutputStays(sent);
    return Attempt::Progressed(writer_.ForNothing());
  }
  if (wire.input_is_rationed()) {
    return Attempt::Progressed(writer_.ForNothing());
  }
  if (!wire.input().would_block()) return InputIsOver(writer_told_);
  writer_wants_input_ = true;
  const Wait wait = writer_.For(wire.input().wait(),
                                sent.would_block() ? &sent.wait() : nullptr);
  return wire.pulled() ? Attempt::Progressed(wait) : Attempt::WouldBlock(wait);
}

Attempt TlsTransport::TryFlush() {
  absl::MutexLock lock(&mu_);
  writer_.Begin();
  if (!engine_->wire().holds_output()) {
    // Either all is sent or it has failed, which Push remembers.
    const Attempt sent = engine_->wire().Push();
    return sent.failed() ? TellBelow(sent, writer_told_) : sent;
  }
  const TlsWire::Use use(engine_->wire(), 0);
  const Attempt sent = engine_->wire().Push();
  return sent.transferred() ? sent : OutputStays(sent);
}

Attempt TlsTransport::OutputStays(const Attempt& sent) {
  if (sent.failed()) return TellBelow(sent, writer_told_);
  if (!reader_sees_output_) {
    // Who writes may leave at a limit; who reads then goes on with it.
    reader_sees_output_ = true;
    reader_.Notify();
  }
  const Wait wait = writer_.For(sent.wait());
  // What the reader has sent meanwhile was the writer's too.
  const uint64_t now = engine_->wire().sent();
  return std::exchange(writer_saw_sent_, now) != now
             ? Attempt::Progressed(wait)
             : Attempt::WouldBlock(wait);
}

// --------------------------------------------------------------------- ending

Attempt TlsTransport::TryShutdown(ShutdownMode half) {
  // The read half below stays open for TryDrain; FlowState answers Eof.
  if (half == ShutdownMode::kRead) return Attempt::Transferred(0);
  absl::MutexLock lock(&mu_);
  writer_.Begin();
  const TlsWire::Use use(engine_->wire(), kPullsPerTry);
  if (!close_sent_) {
    const Result result = engine_->Shutdown();
    if (engine_->wire().pulled()) reader_.Notify();
    if (result == Result::kWantInput || result == Result::kWantOutput) {
      const Attempt later = NothingWritten(result);
      if (later.would_block()) return later;
    }
    close_sent_ = true;
  }
  // A peer that can't be told any more is no failure.
  const Attempt sent = engine_->wire().Push();
  if (sent.would_block()) return OutputStays(sent);
  const Attempt shut = below_.TryShutdown(ShutdownMode::kWrite);
  if (shut.would_block()) {
    return Attempt::WouldBlock(writer_.For(shut.wait()));
  }
  return Attempt::Transferred(0);
}

Attempt TlsTransport::TryPeerEnd(PeerEnd at_least) {
  return below_.TryPeerEnd(at_least);
}

void TlsTransport::Abort() {
  aborted_.store(true);
  below_.Abort();
}

absl::Status TlsTransport::Close() {
  absl::MutexLock lock(&mu_);
  if (!aborted_.load() && !engine_->failed()) {
    // What can be sent without waiting; the end mark only behind all of it.
    const TlsWire::Use use(engine_->wire(), 0);
    if (engine_->wire().Push().transferred() && !close_sent_ &&
        engine_->Shutdown() == Result::kDone) {
      close_sent_ = true;
      engine_->wire().Push();
    }
  }
  return below_.Close();
}

void TlsTransport::CloseAfterFork() { below_.CloseAfterFork(); }

// ------------------------------------------------------------------- failures

Attempt TlsTransport::TellFailure(Told& told) {
  const absl::Status& failure = engine_->failure();
  Tell(told, failure);
  return Attempt::Failed(
      engine_->was_cut() ? ErrorKind::kTruncated : ErrorKind::kOther,
      ErrorScope::kFlow);
}

Attempt TlsTransport::TellBelow(const Attempt& failed, Told& told) {
  Tell(told, engine_->wire().words());
  return failed;
}

void TlsTransport::Tell(Told& told, const absl::Status& words) {
  const std::thread::id self = std::this_thread::get_id();
  for (Told* each : {&reader_told_, &writer_told_}) {
    if (each->who == self) *each = Told();
  }
  told = {self, words};
}

// "Asked for once, right after the failure, by the thread that met it": the
// other direction's thread may meet another at the same time.
absl::Status TlsTransport::last_error() const {
  absl::MutexLock lock(&mu_);
  return reader_told_.who == std::this_thread::get_id() ? reader_told_.words
                                                        : writer_told_.words;
}

}  // namespace internal
}  // namespace flow
