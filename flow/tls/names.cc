#include "flow/tls/names.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/x509v3.h>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "flow/status.h"
#include "flow/tls/failure.h"
#include "flow/tls/openssl_ptr.h"

namespace flow {
namespace internal {
namespace {

constexpr size_t kMaxNames = 100;
constexpr size_t kMaxNameLength = 253;
constexpr size_t kMaxSubject = 512;
constexpr size_t kMaxLabelLength = 63;

// Names of services stand in the alternative names alone (RFC 9525, 1.4); a
// wildcard is a label, not a part of one (6.3).
constexpr unsigned int kHostFlags =
    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;

bool IsAddress(const std::string& text) {
  if (text.find('\0') != std::string::npos) return false;
  in6_addr any;
  return inet_pton(AF_INET, text.c_str(), &any) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &any) == 1;
}

bool IsLabel(absl::string_view label) {
  if (label.empty() || label.size() > kMaxLabelLength) return false;
  for (const char c : label) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-' &&
        c != '_') {
      return false;
    }
  }
  return true;
}

bool IsDnsName(absl::string_view name) {
  if (name.empty() || name.size() > kMaxNameLength) return false;
  for (const absl::string_view label : absl::StrSplit(name, '.')) {
    if (!IsLabel(label)) return false;
  }
  return true;
}

std::string AddressText(const ASN1_OCTET_STRING* address) {
  char text[INET6_ADDRSTRLEN];
  const int length = ASN1_STRING_length(address);
  const int family = length == 4 ? AF_INET : AF_INET6;
  if (length != 4 && length != 16) return "(bad address)";
  inet_ntop(family, ASN1_STRING_get0_data(address), text, sizeof(text));
  return text;
}

void FreeNames(GENERAL_NAMES* names) { GENERAL_NAMES_free(names); }

std::string TextOf(const X509_NAME* name) {
  const UniqueBio bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr) return "";
  // RFC 2253 with escapes: no control character, no byte above 127.
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &text);
  if (length <= 0) return "";
  const absl::string_view all(text, static_cast<size_t>(length));
  // As long as the peer likes, before it has proved anything.
  return all.size() <= kMaxSubject
             ? std::string(all)
             : absl::StrCat(all.substr(0, kMaxSubject), "...");
}

// `otherwise` if it is none.
absl::Time TimeOf(const ASN1_TIME* time, absl::Time otherwise) {
  std::tm parts = {};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) {
    ClearTlsErrors();
    return otherwise;
  }
  return absl::FromTM(parts, absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<ServerName> ParseServerName(absl::string_view name) {
  ServerName parsed;
  absl::string_view bare = name;
  if (bare.size() > 2 && bare.front() == '[' && bare.back() == ']') {
    bare = bare.substr(1, bare.size() - 2);
    parsed.is_address = true;
  }
  parsed.text = std::string(bare);
  if (IsAddress(parsed.text)) {
    parsed.is_address = true;
    return parsed;
  }
  if (!parsed.text.empty() && parsed.text.back() == '.') parsed.text.pop_back();
  if (parsed.is_address || !IsDnsName(parsed.text)) {
    return InvalidArgument(
        absl::StrCat("not the name of a server (host name or IP address): \"",
                     absl::CEscape(name.substr(0, kMaxNameLength)), "\""));
  }
  return parsed;
}

absl::Status ExpectName(SSL* ssl, const ServerName& name) {
  X509_VERIFY_PARAM* const param = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(param, kHostFlags);
  const int done = name.is_address
                       ? X509_VERIFY_PARAM_set1_ip_asc(param, name.text.c_str())
                       : X509_VERIFY_PARAM_set1_host(param, name.text.data(),
                                                     name.text.size());
  if (done != 1) return TakeLoadFailure("the server's name can't be used");
  return absl::OkStatus();
}

bool IsFor(const X509* certificate, const std::string& name) {
  // OpenSSL takes it as it is not const, and doesn't change it.
  return X509_check_host(const_cast<X509*>(certificate), name.data(),
                         name.size(), kHostFlags, nullptr) == 1;
}

std::vector<std::string> NamesOf(const X509* certificate) {
  std::vector<std::string> names;
  const std::unique_ptr<GENERAL_NAMES, OpensslFree<GENERAL_NAMES, FreeNames>>
      all(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(
          certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (all == nullptr) {
    ClearTlsErrors();
    return names;
  }
  const int count = sk_GENERAL_NAME_num(all.get());
  for (int i = 0; i < count && names.size() < kMaxNames; ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type == GEN_DNS) {
      const absl::string_view text(
          reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
          static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
      names.push_back(absl::CEscape(text.substr(0, kMaxNameLength)));
    } else if (name->type == GEN_IPADD) {
      names.push_back(AddressText(name->d.iPAddress));
    }
  }
  return names;
}

std::string SubjectOf(const X509* certificate) {
  return TextOf(X509_get_subject_name(certificate));
}

std::string IssuerOf(const X509* certificate) {
  return TextOf(X509_get_issuer_name(certificate));
}

absl::Time NotBefore(const X509* certificate) {
  return TimeOf(X509_get0_notBefore(certificate), absl::InfinitePast());
}

absl::Time NotAfter(const X509* certificate) {
  return TimeOf(X509_get0_notAfter(certificate), absl::InfiniteFuture());
}

}  // namespace internal
}  // namespace flow
