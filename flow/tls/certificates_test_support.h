// File: certificates_test_support.h
//
// Certificates for tests, made when they are needed: no file, no fixed date, no
// program.
//
//   TestCa ca;
//   TestIdentity server = ca.Issue({"localhost", "127.0.0.1"});
//   options.identities = {server.AsOption()};
//   client_options.roots.text = ca.pem();

#ifndef FLOW_TLS_CERTIFICATES_TEST_SUPPORT_H_
#define FLOW_TLS_CERTIFICATES_TEST_SUPPORT_H_

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "flow/tls/openssl_ptr.h"
#include "flow/tls/tls_options.h"

namespace flow_testing {

struct TestIdentity {
  std::string chain_pem;
  std::string key_pem;

  flow::TlsIdentity AsOption() const {
    flow::TlsIdentity identity;
    identity.chain.text = chain_pem;
    identity.key.text = key_pem;
    return identity;
  }
};

// What a certificate says.
struct TestCertificate {
  std::vector<std::string> names;  // DNS names, and IP addresses
  std::string common_name = "test";
  absl::Duration begins_in = -absl::Hours(1);
  absl::Duration ends_in = absl::Hours(24);
  bool rsa = false;  // else P-256

  TestCertificate() = default;
  TestCertificate(std::initializer_list<std::string> list) : names(list) {}
};

class TestCa {
 public:
  explicit TestCa(const std::string& common_name = "test root");

  const std::string& pem() const { return pem_; }
  TestIdentity Issue(const TestCertificate& certificate) const;
  // One that vouches for itself.
  static TestIdentity SelfSigned(const TestCertificate& certificate);

 private:
  flow::internal::UniqueKey key_;
  flow::internal::UniqueX509 certificate_;
  std::string pem_;
};

}  // namespace flow_testing

#endif  // FLOW_TLS_CERTIFICATES_TEST_SUPPORT_H_
