#include "flow/tls/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "flow/status.h"
#include "flow/tls/failure.h"

namespace flow {
namespace internal {
namespace {

using X509Stack = STACK_OF(X509);
void FreeStack(X509Stack* stack) { sk_X509_free(stack); }

// OpenSSL would ask on the terminal.
int NoPassword(char* /*buffer*/, int /*size*/, int /*writing*/,
               void* /*user*/) {
  return -1;
}

std::string Where(const TlsPem& pem, absl::string_view what) {
  return pem.file.empty()
             ? std::string(what)
             : absl::StrCat(what, " in \"", absl::CEscape(pem.file), "\"");
}

absl::StatusOr<UniqueBio> Open(const TlsPem& pem, absl::string_view what) {
  if (pem.empty()) return InvalidArgument(absl::StrCat(what, ": none given"));
  if (!pem.file.empty() && !pem.text.empty()) {
    return InvalidArgument(
        absl::StrCat(what, ": given both as a file and as text"));
  }
  if (pem.text.size() > std::numeric_limits<int>::max()) {
    return InvalidArgument(absl::StrCat(what, ": too long"));
  }
  ClearTlsErrors();
  UniqueBio bio(
      pem.file.empty()
          ? BIO_new_mem_buf(pem.text.data(), static_cast<int>(pem.text.size()))
          : BIO_new_file(pem.file.c_str(), "r"));
  if (bio == nullptr) return TakeLoadFailure(Where(pem, what));
  return bio;
}

absl::StatusOr<UniqueKey> LoadKey(const TlsPem& pem, absl::string_view what) {
  absl::StatusOr<UniqueBio> bio = Open(pem, what);
  if (!bio.ok()) return bio.status();
  UniqueKey key(
      PEM_read_bio_PrivateKey(bio->get(), nullptr, NoPassword, nullptr));
  if (key == nullptr) {
    return TakeLoadFailure(
        absl::StrCat("no usable private key for ", Where(pem, what)));
  }
  ClearTlsErrors();
  return key;
}

using UniqueX509Stack =
    std::unique_ptr<X509Stack, OpensslFree<X509Stack, FreeStack>>;

// All but the first, not owned.
UniqueX509Stack RestOf(const LoadedIdentity& identity) {
  UniqueX509Stack rest(sk_X509_new_null());
  for (size_t i = 1; rest != nullptr && i < identity.chain.size(); ++i) {
    if (sk_X509_push(rest.get(), identity.chain[i].get()) == 0) return nullptr;
  }
  return rest;
}

}  // namespace

absl::StatusOr<std::vector<UniqueX509>> LoadCertificates(
    const TlsPem& pem, absl::string_view what) {
  absl::StatusOr<UniqueBio> bio = Open(pem, what);
  if (!bio.ok()) return bio.status();
  std::vector<UniqueX509> all;
  for (;;) {
    UniqueX509 one(PEM_read_bio_X509(bio->get(), nullptr, NoPassword, nullptr));
    if (one == nullptr) break;
    all.push_back(std::move(one));
  }
  // The end of the file shows as a missing begin of the next.
  const bool at_end =
      ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (all.empty() && at_end) {
    ClearTlsErrors();
    return InvalidArgument(
        absl::StrCat("no certificate (PEM) for ", Where(pem, what)));
  }
  if (!at_end) {
    return TakeLoadFailure(
        absl::StrCat("bad certificate for ", Where(pem, what)));
  }
  ClearTlsErrors();
  return all;
}

absl::StatusOr<LoadedIdentity> LoadIdentity(const TlsIdentity& identity,
                                            absl::string_view what) {
  LoadedIdentity loaded;
  absl::StatusOr<std::vector<UniqueX509>> chain =
      LoadCertificates(identity.chain, absl::StrCat(what, ".chain"));
  if (!chain.ok()) return chain.status();
  loaded.chain = *std::move(chain);
  absl::StatusOr<UniqueKey> key =
      LoadKey(identity.key, absl::StrCat(what, ".key"));
  if (!key.ok()) return key.status();
  loaded.key = *std::move(key);
  if (X509_check_private_key(loaded.chain[0].get(), loaded.key.get()) != 1) {
    ClearTlsErrors();
    return InvalidArgument(
        absl::StrCat(what, ": the key is not that of the first certificate"));
  }
  return loaded;
}

absl::Status UseIdentity(SSL_CTX* context, const LoadedIdentity& identity) {
  const UniqueX509Stack rest = RestOf(identity);
  if (rest == nullptr ||
      SSL_CTX_use_cert_and_key(context, identity.chain[0].get(),
                               identity.key.get(), rest.get(), 1) != 1) {
    return TakeLoadFailure("the certificate can't be used");
  }
  return absl::OkStatus();
}

absl::Status UseIdentity(SSL* ssl, const LoadedIdentity& identity) {
  const UniqueX509Stack rest = RestOf(identity);
  if (rest == nullptr ||
      SSL_use_cert_and_key(ssl, identity.chain[0].get(), identity.key.get(),
                           rest.get(), 1) != 1) {
    return TakeLoadFailure("the certificate can't be used");
  }
  return absl::OkStatus();
}

absl::Status TrustOnly(SSL_CTX* context, const TlsPem& roots,
                       absl::string_view what) {
  absl::StatusOr<std::vector<UniqueX509>> all = LoadCertificates(roots, what);
  if (!all.ok()) return all.status();
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  for (const UniqueX509& root : *all) {
    if (X509_STORE_add_cert(store, root.get()) != 1) {
      return TakeLoadFailure(absl::StrCat("bad root in ", what));
    }
  }
  return absl::OkStatus();
}

}  // namespace internal
}  // namespace flow
