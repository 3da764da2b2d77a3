// File: openssl_ptr.h (internal)
//
// Owners of OpenSSL's objects: each is freed once, whatever returns early.

#ifndef FLOW_TLS_OPENSSL_PTR_H_
#define FLOW_TLS_OPENSSL_PTR_H_

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

namespace flow {
namespace internal {

template <typename T, void (*kFree)(T*)>
struct OpensslFree {
  void operator()(T* object) const { kFree(object); }
};

using UniqueBio = std::unique_ptr<BIO, OpensslFree<BIO, BIO_free_all>>;
using UniqueKey =
    std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY, EVP_PKEY_free>>;
using UniqueSsl = std::unique_ptr<SSL, OpensslFree<SSL, SSL_free>>;
using UniqueSslCtx =
    std::unique_ptr<SSL_CTX, OpensslFree<SSL_CTX, SSL_CTX_free>>;
using UniqueSslSession =
    std::unique_ptr<SSL_SESSION, OpensslFree<SSL_SESSION, SSL_SESSION_free>>;
using UniqueX509 = std::unique_ptr<X509, OpensslFree<X509, X509_free>>;

}  // namespace internal
}  // namespace flow

#endif  // FLOW_TLS_OPENSSL_PTR_H_
