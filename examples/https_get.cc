// https_get HOST[:PORT] [PATH [ROOTS.pem]]: fetches a page over TLS.
//
//   https_get example.org /index.html
//
// The purpose: a client that verifies whom it talks to, under one time limit,
// and tells a page that is complete from one that was cut.

#include <iostream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/dial.h"
#include "flow/tls/tls.h"

namespace {

absl::Status Get(const std::string& host, const std::string& port,
                 const std::string& path, const std::string& roots) {
  const flow::Limits limits = absl::Seconds(10);  // for all of it
  flow::TlsClientOptions options;
  options.roots.file = roots;  // none: the system's
  options.alpn = {"http/1.1"};
  absl::StatusOr<flow::TlsClient> client = flow::TlsClient::Create(options);
  if (!client.ok()) return client.status();
  absl::StatusOr<flow::Flow> tcp =
      flow::Dial(absl::StrCat("tcp:", host, ":", port), limits);
  if (!tcp.ok()) return tcp.status();
  absl::StatusOr<flow::TlsFlow> tls =
      flow::TlsConnect(*std::move(tcp), *client, host, limits);
  if (!tls.ok()) return tls.status();
  std::cerr << tls->facts << std::endl;
  flow::Flow& web = tls->flow;
  absl::Status sent =
      web.Write(absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: ", host,
                             "\r\nConnection: close\r\n", "\r\n"),
                limits);
  if (!sent.ok()) return sent;
  for (;;) {
    absl::StatusOr<flow::OrEof<flow::Buffer>> got = web.Read(limits);
    if (!got.ok()) return got.status();          // cut, reset, too late, ...
    if (got->is_eof()) return absl::OkStatus();  // the server said so
    std::cout << got->data().view();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 4) {
    std::cerr << "usage: https_get HOST[:PORT] [PATH [ROOTS.pem]]" << std::endl;
    return 2;
  }
  const std::string where = argv[1];
  size_t colon = where.rfind(':');
  if (where.find(']', colon) != std::string::npos) colon = std::string::npos;
  const absl::Status status =
      Get(where.substr(0, colon),
          colon == std::string::npos ? "443" : where.substr(colon + 1),
          argc > 2 ? argv[2] : "/", argc > 3 ? argv[3] : "");
  if (!status.ok()) std::cerr << status << std::endl;
  return status.ok() ? 0 : 1;
}
