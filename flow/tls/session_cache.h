// File: session_cache.h (internal)
//
// TlsSessionCache: the sessions that one client may resume. It alone knows
// which of them is for which server, and when one is too old.
//
// A cache belongs to one TlsClient: a session that was verified by one set of
// rules is never resumed under another. The newest is used first, and one of
// TLS 1.3 once (RFC 8446, C.4).
//
// Guarantees: any thread.

#ifndef FLOW_TLS_SESSION_CACHE_H_
#define FLOW_TLS_SESSION_CACHE_H_

#include <cstddef>
#include <list>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "flow/tls/openssl_ptr.h"

namespace flow {
namespace internal {

class TlsSessionCache {
 public:
  explicit TlsSessionCache(size_t max_sessions) : max_(max_sessions) {}

  void Put(const std::string& server, UniqueSslSession session);
  // Null if there is none that is still good.
  UniqueSslSession Take(const std::string& server);
  size_t size() const;

 private:
  using Entry = std::pair<std::string, UniqueSslSession>;

  const size_t max_;
  mutable absl::Mutex mu_;  // a leaf
  std::list<Entry> newest_first_ ABSL_GUARDED_BY(mu_);
};

}  // namespace internal
}  // namespace flow

#endif  // FLOW_TLS_SESSION_CACHE_H_
