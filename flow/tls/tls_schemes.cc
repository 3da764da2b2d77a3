#include "flow/tls/tls_schemes.h"

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/net/address.h"
#include "flow/net/dial.h"
#include "flow/net/open.h"
#include "flow/status.h"
#include "flow/tls/tls.h"
#include "flow/tls/tls_options.h"

namespace flow {
namespace {

constexpr char kInsecure[] = "insecurely-accept-any-certificate";

std::string Text(const Address& address, absl::string_view option) {
  const std::string* const value = address.FindOption(option);
  return value == nullptr ? "" : *value;
}

TlsIdentity IdentityOf(const Address& address) {
  TlsIdentity identity;
  identity.chain.file = Text(address, "cert");
  identity.key.file = Text(address, "key");
  return identity;
}

void SetCommon(const Address& address, TlsCommonOptions& options) {
  const std::string alpn = Text(address, "alpn");
  if (!alpn.empty()) options.alpn = absl::StrSplit(alpn, ':');
  if (Text(address, "min") == "1.3") options.min_version = TlsVersion::kTls13;
}

absl::StatusOr<Flow> OpenTls(const Address& address, const Limits& limits,
                             const OpenOptions& options) {
  // First what is wrong here, then what may be wrong there.
  absl::StatusOr<TlsClient> client =
      TlsClient::Create(TlsClientOptionsOf(address));
  if (!client.ok()) return client.status();
  absl::StatusOr<Flow> tcp =
      Dial(address.AsTcp().ToString(), limits, options.net);
  if (!tcp.ok()) return tcp.status();
  absl::StatusOr<TlsFlow> made =
      TlsConnect(*std::move(tcp), *client, TlsServerNameOf(address), limits);
  if (!made.ok()) return made.status();
  return std::move(made->flow);
}

absl::StatusOr<FlowUpgrade> ServeTls(const Address& address,
                                     const OpenOptions&) {
  for (const absl::string_view option : {"cert", "key"}) {
    if (address.FindOption(option) != nullptr) continue;
    return InvalidArgument(absl::StrCat("bad address \"", address.ToString(),
                                        "\": option \"", option,
                                        "\" is missing"));
  }
  TlsServerOptions tls;
  SetCommon(address, tls);
  tls.identities = {IdentityOf(address)};
  tls.client_roots.file = Text(address, "ca");
  if (!tls.client_roots.empty()) {
    tls.client_certificate = TlsClientCertificate::kRequired;
  }
  absl::StatusOr<TlsServer> server = TlsServer::Create(tls);
  if (!server.ok()) return server.status();
  return FlowUpgrade(
      [server = *std::move(server)](
          Flow accepted, const Limits& limits) -> absl::StatusOr<Flow> {
        absl::StatusOr<TlsFlow> made =
            TlsAccept(std::move(accepted), server, limits);
        if (!made.ok()) return made.status();
        return std::move(made->flow);
      });
}

}  // namespace

TlsClientOptions TlsClientOptionsOf(const Address& address) {
  TlsClientOptions tls;
  SetCommon(address, tls);
  tls.roots.file = Text(address, "ca");
  tls.identity = IdentityOf(address);
  tls.insecurely_accept_any_certificate = address.IsOn(kInsecure);
  return tls;
}

std::string TlsServerNameOf(const Address& address) {
  const std::string name = Text(address, "servername");
  return name.empty() ? address.host : name;
}

absl::Status AddTlsSchemes(Schemes& schemes) {
  const SchemeOption min = {"min", OptionValue::kChoice, {"1.2", "1.3"}};
  Scheme dials;
  dials.name = "tls";
  dials.options = {{"ca"},
                   {"cert"},
                   {"key"},
                   {"servername"},
                   {"alpn"},
                   min,
                   {kInsecure, OptionValue::kSwitch}};
  dials.open = OpenTls;
  Scheme listens;
  listens.name = "tls-listen";
  listens.options = {{"ca"}, {"cert"}, {"key"}, {"alpn"}, min};
  listens.upgrade = ServeTls;
  // Both or none.
  if (schemes.Find(listens.name) != nullptr) {
    return schemes.Add(std::move(listens));
  }
  if (absl::Status s = schemes.Add(std::move(dials)); !s.ok()) return s;
  return schemes.Add(std::move(listens));
}

}  // namespace flow
