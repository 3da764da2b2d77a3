#include "flow/net/resolver.h"

#include <netdb.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "flow/limits.h"
#include "flow/signal.h"
#include "flow/sleeper.h"
#include "flow/status.h"
#include "flow/sys/fork_generation.h"
#include "flow/sys/own_thread.h"

namespace flow {
namespace internal {
namespace {

constexpr char kOperation[] = "lookup";

// The helpers that there are, in the lower half; above it the generation of the
// process they are in, since a forked child has none of its parent's.
std::atomic<uint64_t> helpers{0};

bool CountHelper() {
  const uint64_t generation = uint64_t{ForkGeneration()} << 32;
  uint64_t now = helpers.load(std::memory_order_relaxed);
  for (;;) {
    const uint64_t mine = std::max(now, generation);
    if (mine - generation >= kMostLookUps) return false;
    if (helpers.compare_exchange_weak(now, mine + 1,
                                      std::memory_order_relaxed)) {
      return true;
    }
  }
}

void UncountHelper() { helpers.fetch_sub(1, std::memory_order_relaxed); }

// What getaddrinfo said.
struct Answer {
  int error = 0;         // EAI_...
  int system_error = 0;  // errno, if `error` is EAI_SYSTEM
  Addresses addresses;
};

}  // namespace

// Everything that getaddrinfo needs, and its result.
struct LookUp {
  LookUp(Syscalls* the_sys, const Address& address, bool to_listen)
      : sys(the_sys), host(address.host), port(address.port) {
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    if (to_listen) hints.ai_flags = AI_PASSIVE;
  }

  // Blocks for as long as the resolver likes, but for numbers.
  Answer Run(int more_flags) const;

  Syscalls* const sys;
  const std::string host;
  const std::string port;
  addrinfo hints = {};

  Signal done;
  absl::Mutex mu;
  std::unique_ptr<Answer> answer ABSL_GUARDED_BY(mu);
};

Answer LookUp::Run(int more_flags) const {
  addrinfo wanted = hints;
  wanted.ai_flags |= more_flags;
  addrinfo* found = nullptr;
  Answer said;
  said.error = sys->GetAddrInfo(host.c_str(), port.c_str(), &wanted, &found);
  if (said.error != 0) {
    said.system_error = errno;
    return said;
  }
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    SocketAddress address;
    if (each->ai_addrlen > sizeof(address.storage)) continue;
    std::memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
    address.length = each->ai_addrlen;
    said.addresses.push_back(address);
  }
  sys->FreeAddrInfo(found);
  return said;
}

namespace {

absl::StatusOr<Addresses> FromAnswer(Answer answer, const Address& address) {
  if (answer.error == 0 && !answer.addresses.empty()) {
    return std::move(answer.addresses);
  }
  ErrorDetail detail;
  detail.kind = ErrorKind::kSystem;
  detail.operation = kOperation;
  std::string words = "no address";
  if (answer.error == EAI_SYSTEM) {
    detail.error = answer.system_error;
    words = ErrnoText(answer.system_error);
  } else if (answer.error != 0) {
    words = gai_strerror(answer.error);
  }
  return MakeStatus(
      absl::StatusCode::kUnavailable,
      absl::StrCat(kOperation, "() failed: ", words, "; ", address.ToString()),
      detail);
}

void Help(LookUp& look_up) {
  auto answer = std::make_unique<Answer>(look_up.Run(0));
  {
    absl::MutexLock lock(&look_up.mu);
    look_up.answer = std::move(answer);
  }
  look_up.done.Notify();
}

// Starts a detached thread that runs `look_up`, and has been counted. False:
// there is none to be had.
bool StartHelper(const std::shared_ptr<LookUp>& look_up) {
  OwnThread helper;
  if (!helper.StartWithoutSignals(
          "flow resolver",
          [look_up] {
            Help(*look_up);
            UncountHelper();
          },
          look_up->sys)) {
    UncountHelper();
    return false;
  }
  helper.Detach();
  return true;
}

// unix(7): a path has an end mark; an abstract name begins with a NUL, and ends
// where `length` says.
SocketAddress UnixSocketAddress(const std::string& name, bool abstract) {
  sockaddr_un un = {};
  un.sun_family = AF_UNIX;
  // ParseAddress has let nothing longer through; what is not written is NUL.
  std::memcpy(un.sun_path + (abstract ? 1 : 0), name.data(), name.size());
  SocketAddress address;
  address.length =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + 1);
  std::memcpy(&address.storage, &un, address.length);
  return address;
}

}  // namespace

Resolution::Resolution(Syscalls* sys, Address address, bool to_listen)
    : address_(std::move(address)),
      look_up_(std::make_shared<LookUp>(sys, address_, to_listen)) {}

std::optional<absl::StatusOr<Addresses>> Resolution::Begin() {
  if (address_.is_unix()) {
    return Addresses{
        UnixSocketAddress(address_.path, address_.is_unix_abstract())};
  }
  if (address_.numeric_port().has_value()) {
    Answer numeric = look_up_->Run(AI_NUMERICHOST | AI_NUMERICSERV);
    const bool is_name = numeric.error == EAI_NONAME;
    if (!is_name) return FromAnswer(std::move(numeric), address_);
  }
  if (!CountHelper()) {
    return MakeStatus(
        absl::StatusCode::kResourceExhausted,
        absl::StrCat(kOperation, "() refused: ", kMostLookUps,
                     " names are being looked up already, as many as a process "
                     "may (a resolver that does not answer keeps each); ",
                     address_.ToString()),
        {ErrorKind::kOther, 0, kOperation, "", "", 0});
  }
  if (!StartHelper(look_up_)) {
    // pthread_create(3) says nothing else.
    return MakeStatus(
        absl::StatusCode::kResourceExhausted,
        absl::StrCat("pthread_create() failed: ", ErrnoText(EAGAIN), "; ",
                     address_.ToString()),
        {ErrorKind::kSystem, EAGAIN, kOperation, "", "", 0});
  }
  return Look();
}

std::optional<absl::StatusOr<Addresses>> Resolution::Look() {
  // The number first: an answer that comes after the look has moved it.
  wait_ = Wait::For(&look_up_->done, look_up_->done.seq());
  absl::MutexLock lock(&look_up_->mu);
  if (look_up_->answer == nullptr) return std::nullopt;
  return FromAnswer(std::move(*look_up_->answer), address_);
}

absl::StatusOr<Addresses> ResolveToListen(Syscalls* sys,
                                          const Address& address) {
  Resolution resolution(sys, address, /*to_listen=*/true);
  const Limits none;
  Sleeper sleeper(sys, none, nullptr);
  std::optional<absl::StatusOr<Addresses>> answer = resolution.Begin();
  while (!answer.has_value()) {
    sleeper.Sleep(resolution.wait());
    answer = resolution.Look();
  }
  return *std::move(answer);
}

}  // namespace internal
}  // namespace flow
