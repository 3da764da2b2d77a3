#include "flow/tls/certificates_test_support.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <atomic>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::internal::UniqueBio;
using flow::internal::UniqueKey;
using flow::internal::UniqueX509;

std::string TextOf(const UniqueBio& bio) {
  const char* text = nullptr;
  const long length =
      BIO_ctrl(bio.get(), BIO_CTRL_INFO, 0, static_cast<void*>(&text));
  return std::string(text, static_cast<size_t>(length));
}

std::string PemOf(X509* certificate) {
  UniqueBio bio(BIO_new(BIO_s_mem()));
  EXPECT_EQ(PEM_write_bio_X509(bio.get(), certificate), 1);
  return TextOf(bio);
}

std::string PemOf(EVP_PKEY* key) {
  UniqueBio bio(BIO_new(BIO_s_mem()));
  EXPECT_EQ(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0,
                                     nullptr, nullptr),
            1);
  return TextOf(bio);
}

UniqueKey NewKey(bool rsa) {
  UniqueKey key(rsa ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{2048})
                    : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  EXPECT_NE(key, nullptr);
  return key;
}

void AddExtension(X509* certificate, X509* issuer, int nid,
                  const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension =
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  EXPECT_NE(extension, nullptr) << value;
  EXPECT_EQ(X509_add_ext(certificate, extension, -1), 1);
  X509_EXTENSION_free(extension);
}

bool IsAddress(const std::string& name) {
  return name.find(':') != std::string::npos ||
         name.find_first_not_of("0123456789.") == std::string::npos;
}

std::string AlternativeNames(const std::vector<std::string>& names) {
  return absl::StrJoin(names, ",", [](std::string* out, const std::string& n) {
    absl::StrAppend(out, IsAddress(n) ? "IP:" : "DNS:", n);
  });
}

// Not signed yet.
UniqueX509 Fill(const TestCertificate& what, EVP_PKEY* key) {
  static std::atomic<int> serial{1};
  UniqueX509 made(X509_new());
  X509* const x = made.get();
  X509_set_version(x, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
  X509_gmtime_adj(X509_getm_notBefore(x),
                  static_cast<long>(absl::ToInt64Seconds(what.begins_in)));
  X509_gmtime_adj(X509_getm_notAfter(x),
                  static_cast<long>(absl::ToInt64Seconds(what.ends_in)));
  X509_set_pubkey(x, key);
  X509_NAME_add_entry_by_txt(
      X509_get_subject_name(x), "CN", MBSTRING_UTF8,
      reinterpret_cast<const unsigned char*>(what.common_name.data()),
      static_cast<int>(what.common_name.size()), -1, 0);
  return made;
}

TestIdentity Sign(const TestCertificate& what, X509* issuer,
                  EVP_PKEY* issuer_key) {
  const UniqueKey key = NewKey(what.rsa);
  const UniqueX509 made = Fill(what, key.get());
  X509* const by = issuer == nullptr ? made.get() : issuer;
  X509_set_issuer_name(made.get(), X509_get_subject_name(by));
  AddExtension(made.get(), by, NID_basic_constraints, "critical,CA:FALSE");
  if (!what.names.empty()) {
    AddExtension(made.get(), by, NID_subject_alt_name,
                 AlternativeNames(what.names));
  }
  EXPECT_GT(X509_sign(made.get(), issuer == nullptr ? key.get() : issuer_key,
                      EVP_sha256()),
            0);
  return {PemOf(made.get()), PemOf(key.get())};
}

}  // namespace

TestCa::TestCa(const std::string& common_name) : key_(NewKey(false)) {
  TestCertificate root;
  root.common_name = common_name;
  certificate_ = Fill(root, key_.get());
  X509* const x = certificate_.get();
  X509_set_issuer_name(x, X509_get_subject_name(x));
  AddExtension(x, x, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign");
  AddExtension(x, x, NID_subject_key_identifier, "hash");
  EXPECT_GT(X509_sign(x, key_.get(), EVP_sha256()), 0);
  pem_ = PemOf(x);
}

TestIdentity TestCa::Issue(const TestCertificate& certificate) const {
  return Sign(certificate, certificate_.get(), key_.get());
}

TestIdentity TestCa::SelfSigned(const TestCertificate& certificate) {
  return Sign(certificate, nullptr, nullptr);
}

}  // namespace flow_testing
