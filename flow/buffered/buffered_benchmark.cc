// What gathering small writes and reads gains, beside the same work by system
// calls, in the same run:
//
//   tools/bazelw run -c opt --dynamic_mode=off
//   //flow/buffered:buffered_benchmark
//     -- --benchmark_repetitions=5 --benchmark_report_aggregates_only=true
//     --benchmark_enable_random_interleaving=true
//
// Records of 64 B, in one thread, over a socketpair: a block of them goes in,
// is taken out by the other side in large steps (which all variants of a line
// share, and whose time counts), and so on. The ratios that matter are of
// items_per_second within Write/* and Read/*:
//
// - Write/OneEach: a send for each record. Write/RawWritev: 1024 of them, the
//   most there can be, in one writev, from where they are. Write/Writer: one
//   Writer::Write for each, a Flush for each block.
// - Read/OneEach: a recv for each record. Read/RawBatch: recv of all that is
//   there, and memcpy. Read/Reader: ReadExactly for each. Read/ReaderLines:
//   records that are lines, by ReadLine.

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "benchmark/benchmark.h"
#include "flow/buffered/line.h"
#include "flow/buffered/reader.h"
#include "flow/buffered/writer.h"
#include "flow/fd/fd.h"
#include "flow/flow.h"
#include "flow/or_eof.h"
#include "flow/sys/unique_fd.h"

namespace flow {
namespace {

constexpr size_t kRecord = 64;
// A block fits into the buffer of a socket, also as single messages, each of
// which the kernel counts as several times its size.
constexpr size_t kRecords = 256;
constexpr size_t kBlock = kRecord * kRecords;

void Must(bool holds, const char* what) {
  if (holds) return;
  std::perror(what);
  std::exit(1);
}

void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

// The two ends, and a block of records of which each ends a line.
struct Rig {
  Rig() : block(kBlock, 'x'), scratch(kBlock) {
    Must(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "socketpair");
    for (size_t i = kRecord; i <= kBlock; i += kRecord) block[i - 1] = '\n';
  }
  ~Rig() {
    close(fds[0]);
    close(fds[1]);
  }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  const char* record(size_t i) const { return block.data() + i * kRecord; }
  // A flow of its own over one end.
  Flow FlowOn(int end) {
    absl::StatusOr<Flow> flow = Adopt(UniqueFd(dup(fds[end])));
    Must(flow.status());
    return *std::move(flow);
  }
  void Fill() {
    Must(send(fds[0], block.data(), kBlock, MSG_NOSIGNAL) == kBlock, "send");
  }
  // In large steps: what single messages leave comes in several.
  void Drain() {
    for (size_t got = 0; got < kBlock;) {
      const ssize_t n = recv(fds[1], scratch.data(), scratch.size(), 0);
      Must(n > 0, "recv");
      got += static_cast<size_t>(n);
    }
  }

  int fds[2];
  std::string block;
  std::vector<char> scratch;
};

void Count(benchmark::State& state) {
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kRecords));
}

// ------------------------------------------------------------------ Write

void WriteOneEach(benchmark::State& state) {
  Rig rig;
  for (auto _ : state) {
    for (size_t i = 0; i < kRecords; ++i) {
      Must(send(rig.fds[0], rig.record(i), kRecord, MSG_NOSIGNAL) == kRecord,
           "send");
    }
    rig.Drain();
  }
  Count(state);
}
BENCHMARK(WriteOneEach)->Name("Write/OneEach");

void WriteRawWritev(benchmark::State& state) {
  Rig rig;
  std::vector<iovec> pieces(kRecords);
  for (auto _ : state) {
    for (size_t i = 0; i < kRecords; ++i) {
      pieces[i] = {const_cast<char*>(rig.record(i)), kRecord};
    }
    Must(writev(rig.fds[0], pieces.data(), kRecords) == kBlock, "writev");
    rig.Drain();
  }
  Count(state);
}
BENCHMARK(WriteRawWritev)->Name("Write/RawWritev");

void WriteWriter(benchmark::State& state) {
  Rig rig;
  Writer out(rig.FlowOn(0));
  for (auto _ : state) {
    for (size_t i = 0; i < kRecords; ++i) {
      Must(out.Write(absl::string_view(rig.record(i), kRecord)));
    }
    Must(out.Flush());
    rig.Drain();
  }
  Count(state);
}
BENCHMARK(WriteWriter)->Name("Write/Writer");

// ------------------------------------------------------------------- Read

void ReadOneEach(benchmark::State& state) {
  Rig rig;
  char record[kRecord];
  for (auto _ : state) {
    rig.Fill();
    for (size_t i = 0; i < kRecords; ++i) {
      Must(recv(rig.fds[1], record, kRecord, 0) == kRecord, "recv");
      benchmark::DoNotOptimize(record);
    }
  }
  Count(state);
}
BENCHMARK(ReadOneEach)->Name("Read/OneEach");

void ReadRawBatch(benchmark::State& state) {
  Rig rig;
  char record[kRecord];
  for (auto _ : state) {
    rig.Fill();
    rig.Drain();
    for (size_t i = 0; i < kRecords; ++i) {
      std::memcpy(record, rig.scratch.data() + i * kRecord, kRecord);
      benchmark::DoNotOptimize(record);
    }
  }
  Count(state);
}
BENCHMARK(ReadRawBatch)->Name("Read/RawBatch");

void ReadReader(benchmark::State& state) {
  Rig rig;
  Reader in(rig.FlowOn(1));
  char record[kRecord];
  for (auto _ : state) {
    rig.Fill();
    for (size_t i = 0; i < kRecords; ++i) {
      Must(in.ReadExactly(absl::MakeSpan(record)).status());
      benchmark::DoNotOptimize(record);
    }
  }
  Count(state);
}
BENCHMARK(ReadReader)->Name("Read/Reader");

void ReadReaderLines(benchmark::State& state) {
  Rig rig;
  Reader in(rig.FlowOn(1));
  for (auto _ : state) {
    rig.Fill();
    for (size_t i = 0; i < kRecords; ++i) {
      const absl::StatusOr<OrEof<Line>> line = in.ReadLine();
      Must(line.status());
      benchmark::DoNotOptimize(line->data().text.data());
    }
  }
  Count(state);
}
BENCHMARK(ReadReaderLines)->Name("Read/ReaderLines");

}  // namespace
}  // namespace flow
