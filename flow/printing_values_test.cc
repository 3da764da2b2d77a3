// Every value of what prints has words of its own, and results tell all that
// they know (relay/relay_result.h, tls/tls_facts.h, layers/fault.h).

#include <set>
#include <sstream>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "flow/buffered/encoding.h"
#include "flow/layers/fault.h"
#include "flow/layers/logging.h"
#include "flow/net/schemes.h"
#include "flow/net/subprocess.h"
#include "flow/relay/relay_options.h"
#include "flow/relay/relay_result.h"
#include "flow/status.h"
#include "flow/tls/tls_facts.h"
#include "flow/tls/tls_options.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

// From the first to `last`: how many different words there are.
template <typename Enum>
int WordsUpTo(Enum last) {
  std::set<std::string> words;
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    std::ostringstream os;
    os << static_cast<Enum>(i);
    EXPECT_FALSE(os.str().empty());
    words.insert(os.str());
  }
  return static_cast<int>(words.size());
}

TEST(PrintingValuesTest, EachHasWordsOfItsOwn) {
  EXPECT_EQ(WordsUpTo(CopySide::kSink), 3);
  EXPECT_EQ(WordsUpTo(CopyEnd::kRefused), 8);
  EXPECT_EQ(WordsUpTo(CopyMethod::kCopyFileRange), 5);
  EXPECT_EQ(WordsUpTo(RelayPolicy::kFailFast), 3);
  EXPECT_EQ(WordsUpTo(LengthPrefix::kU64Little), 8);
  EXPECT_EQ(WordsUpTo(Endian::kLittle), 2);
  EXPECT_EQ(WordsUpTo(LogFormat::kJsonLines), 3);
  EXPECT_EQ(WordsUpTo(OptionValue::kChoice), 4);
  EXPECT_EQ(WordsUpTo(ChildStream::kStdout), 4);
  EXPECT_EQ(WordsUpTo(TlsVersion::kTls13), 2);
  EXPECT_EQ(WordsUpTo(TlsClientCertificate::kRequired), 3);
}

absl::Status Failure(absl::StatusCode code, ErrorKind kind) {
  ErrorDetail detail;
  detail.kind = kind;
  return MakeStatus(code, "why", detail);
}

// P10: "neither direction's failure is hidden by the other's".
TEST(PrintingValuesTest, ACopyTellsHowItEnded) {
  CopyResult result;
  result.bytes = 7;
  EXPECT_EQ(result.end(), CopyEnd::kInOrder);
  EXPECT_EQ(result.ToString(), "7 B in order");
  result.by_policy = true;
  EXPECT_EQ(result.end(), CopyEnd::kPolicy);
  EXPECT_EQ(result.ToString(), "7 B, ended since the other had");
  result.by_policy = false;
  result.read_status =
      Failure(absl::StatusCode::kFailedPrecondition, ErrorKind::kClosedLocally);
  EXPECT_EQ(result.end(), CopyEnd::kClosedHere);
  EXPECT_EQ(result.status().message(),
            "reading from the source failed after 7 B: why");
  result.read_status =
      Failure(absl::StatusCode::kUnavailable, ErrorKind::kReset);
  EXPECT_EQ(result.end(), CopyEnd::kFailed);
  result.cut = true;
  EXPECT_EQ(result.end(), CopyEnd::kOtherFailed);
  EXPECT_EQ(result.ToString(), "7 B, cut since the other direction failed");
  EXPECT_EQ(result.status().message(),
            "cut after 7 B, since the other direction failed");
  EXPECT_EQ(BytesDone(result.status()), 7u);
}

// P10, case 94: "both directions' errors kept".
TEST(PrintingValuesTest, ARelayTellsOfTheDirectionThatFailedByItself) {
  const absl::Status reset =
      Failure(absl::StatusCode::kUnavailable, ErrorKind::kReset);
  RelayResult relay;
  EXPECT_TRUE(relay.status().ok());
  relay.a_to_b.read_status = reset;
  EXPECT_EQ(relay.status().message(),
            "a -> b: reading from the source failed after 0 B: why");
  relay.a_to_b.cut = true;
  EXPECT_EQ(relay.status().message(),
            "a -> b: cut after 0 B, since the other direction failed");
  relay.b_to_a.write_status = reset;
  EXPECT_EQ(relay.status().message(),
            "b -> a: writing to the sink failed after 0 B: why");
  relay.a_to_b.cut = false;
  EXPECT_EQ(relay.status().message(),
            "a -> b: reading from the source failed after 0 B: why; "
            "b -> a: writing to the sink failed after 0 B: why");
}

TEST(PrintingValuesTest, AHandshakeTellsWithWhomAndWhetherItIsSure) {
  TlsFacts facts;
  facts.cipher = "C";
  EXPECT_EQ(facts.ToString(), "TLS 1.3, C");
  facts.version = TlsVersion::kTls12;
  facts.alpn = "h2\n";
  facts.resumed = true;
  facts.peer_names = {"example.org"};
  EXPECT_EQ(facts.ToString(),
            "TLS 1.2, C, alpn h2\\n, resumed, peer example.org (not verified)");
  facts.peer_subject = "CN=x";
  facts.peer_verified = true;
  EXPECT_EQ(facts.ToString(), "TLS 1.2, C, alpn h2\\n, resumed, peer CN=x");
}

TEST(PrintingValuesTest, FaultsAreToldWhole) {
  DirectionFaults faults;
  EXPECT_EQ(faults.ToString(), "none");
  faults.jitter = absl::Milliseconds(3);
  faults.corrupt_at = {1, 2};
  faults.corrupt = 0.5;
  faults.cut_at = 9;
  EXPECT_EQ(faults.ToString(),
            "delay 0 to 3ms, 2 bytes corrupted, corrupt 0.5, cut at 9");
}

}  // namespace
}  // namespace flow
