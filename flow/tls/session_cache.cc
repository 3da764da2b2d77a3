#include "flow/tls/session_cache.h"

#include <cstddef>
#include <ctime>
#include <iterator>
#include <utility>

namespace flow {
namespace internal {
namespace {

constexpr size_t kMostOfOneServer = 4;

// The certificate is not shown again when a session is resumed, so its own end
// counts too.
bool IsGood(SSL_SESSION* session) {
  if (SSL_SESSION_is_resumable(session) != 1) return false;
  const long now = static_cast<long>(time(nullptr));
  const long begin = SSL_SESSION_get_time(session);
  if (now < begin || now - begin >= SSL_SESSION_get_timeout(session)) {
    return false;
  }
  const X509* const peer = SSL_SESSION_get0_peer(session);
  return peer == nullptr || X509_cmp_current_time(X509_get0_notAfter(peer)) > 0;
}

}  // namespace

void TlsSessionCache::Put(const std::string& server, UniqueSslSession session) {
  absl::MutexLock lock(&mu_);
  // A server gives as many as it likes; the others' shall not go for that.
  size_t same = 1;
  for (auto it = newest_first_.begin(); it != newest_first_.end();) {
    it = it->first == server && ++same > kMostOfOneServer
             ? newest_first_.erase(it)
             : std::next(it);
  }
  newest_first_.emplace_front(server, std::move(session));
  if (newest_first_.size() > max_) newest_first_.pop_back();
}

UniqueSslSession TlsSessionCache::Take(const std::string& server) {
  absl::MutexLock lock(&mu_);
  for (auto it = newest_first_.begin(); it != newest_first_.end();) {
    if (it->first != server) {
      ++it;
      continue;
    }
    SSL_SESSION* const kept = it->second.get();
    const bool good = IsGood(kept);
    // A server gives a new one with each connection of TLS 1.3 only.
    if (good && SSL_SESSION_get_protocol_version(kept) != TLS1_3_VERSION) {
      SSL_SESSION_up_ref(kept);
      return UniqueSslSession(kept);
    }
    UniqueSslSession session = std::move(it->second);
    it = newest_first_.erase(it);
    if (good) return session;
  }
  return nullptr;
}

size_t TlsSessionCache::size() const {
  absl::MutexLock lock(&mu_);
  return newest_first_.size();
}

}  // namespace internal
}  // namespace flow
