#include "tools/flowcat/probe_report.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "tools/flowcat/format.h"
#include "tools/flowcat/report.h"

namespace flow_tools {
namespace {

std::string Date(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d", time, absl::UTCTimeZone());
}

int64_t Days(absl::Duration time) {
  return absl::IDivDuration(time, absl::Hours(24), &time);
}

// "good until 2027-01-31 (69 days)", "EXPIRED since 2026-01-01 (326 days)".
std::string Validity(const flow::TlsFacts& facts, absl::Time now) {
  if (facts.peer_not_before > now) {
    return absl::StrCat("NOT GOOD BEFORE ", Date(facts.peer_not_before));
  }
  if (facts.peer_not_after == absl::InfiniteFuture()) return "good for ever";
  if (facts.peer_not_after < now) {
    return absl::StrCat("EXPIRED since ", Date(facts.peer_not_after), " (",
                        Days(now - facts.peer_not_after), " days)");
  }
  return absl::StrCat("good until ", Date(facts.peer_not_after), " (",
                      Days(facts.peer_not_after - now), " days)");
}

void AppendTls(const ProbeResult& result, absl::Time now, std::string* out) {
  const flow::TlsFacts& facts = *result.tls;
  absl::StrAppend(out, "tls      ", flow::TlsVersionName(facts.version), ", ",
                  facts.cipher, ", alpn ",
                  facts.alpn.empty() ? "none" : facts.alpn, ", in ",
                  FormatElapsed(*result.handshake), "\n");
  absl::StrAppend(
      out, "cert     ", facts.peer_subject, "; for ",
      facts.peer_names.empty() ? "nobody"
                               : absl::StrJoin(facts.peer_names, ", "),
      "\n         by ", facts.peer_issuer, "; ", Validity(facts, now), "\n");
  absl::StrAppend(out, "verified ", result.status.ok() ? "" : "NO: ",
                  !result.status.ok()   ? Words(result.status)
                  : facts.peer_verified ? "yes"
                                        : "nobody asked",
                  "\n");
}

std::string TlsJson(const flow::TlsFacts& facts, const ProbeResult& result) {
  std::vector<std::string> names;
  for (const std::string& name : facts.peer_names) {
    names.push_back(JsonString(name));
  }
  return absl::StrCat(
      R"({"version":)", JsonString(flow::TlsVersionName(facts.version)),
      R"(,"cipher":)", JsonString(facts.cipher), R"(,"alpn":)",
      JsonString(facts.alpn), R"(,"subject":)", JsonString(facts.peer_subject),
      R"(,"names":[)", absl::StrJoin(names, ","), R"(],"issuer":)",
      JsonString(facts.peer_issuer), R"(,"not_before":)",
      JsonString(Date(facts.peer_not_before)), R"(,"not_after":)",
      JsonString(Date(facts.peer_not_after)), R"(,"verified":)",
      facts.peer_verified && result.status.ok() ? "true" : "false", "}");
}

std::string Seconds(absl::Duration time) {
  return absl::StrFormat("%.6f", absl::ToDoubleSeconds(time));
}

}  // namespace

std::string ProbeAsText(const ProbeResult& result, absl::Time now) {
  std::string out;
  if (result.look_up.has_value() && !result.addresses.empty()) {
    absl::StrAppend(&out, "name     ", absl::StrJoin(result.addresses, ", "),
                    " in ", FormatElapsed(*result.look_up), "\n");
  }
  for (const ProbeResult::Connection& each : result.connections) {
    absl::StrAppend(&out, "connect  ", each.address, " in ",
                    FormatElapsed(each.took),
                    each.status.ok() ? "" : ", FAILED: ",
                    each.status.ok() ? "" : Words(each.status), "\n");
  }
  if (result.peer.has_value()) {
    absl::StrAppend(&out, "peer     process ", result.peer->pid, ", user ",
                    result.peer->uid, ", group ", result.peer->gid, "\n");
  }
  if (result.tls.has_value()) AppendTls(result, now, &out);
  return out;
}

std::string ProbeAsJson(const ProbeResult& result) {
  std::vector<std::string> tries;
  for (const ProbeResult::Connection& each : result.connections) {
    tries.push_back(absl::StrCat(
        R"({"address":)", JsonString(each.address), R"(,"seconds":)",
        Seconds(each.took), R"(,"error":)",
        each.status.ok() ? "null" : JsonString(Words(each.status)), "}"));
  }
  std::string out =
      absl::StrCat(R"({"address":)", JsonString(result.name), R"(,"ok":)",
                   result.status.ok() ? "true" : "false");
  if (result.look_up.has_value()) {
    absl::StrAppend(&out, R"(,"look_up_seconds":)", Seconds(*result.look_up));
  }
  absl::StrAppend(&out, R"(,"connections":[)", absl::StrJoin(tries, ","), "]");
  if (result.handshake.has_value()) {
    absl::StrAppend(&out, R"(,"handshake_seconds":)",
                    Seconds(*result.handshake));
  }
  if (result.peer.has_value()) {
    absl::StrAppendFormat(&out, R"(,"peer":{"pid":%d,"uid":%d,"gid":%d})",
                          result.peer->pid, result.peer->uid, result.peer->gid);
  }
  if (result.tls.has_value()) {
    absl::StrAppend(&out, R"(,"tls":)", TlsJson(*result.tls, result));
  }
  absl::StrAppend(
      &out, R"(,"error":)",
      result.status.ok() ? "null" : JsonString(Words(result.status)), "}\n");
  return out;
}

}  // namespace flow_tools
