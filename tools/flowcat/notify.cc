#include "tools/flowcat/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "flow/sys/unique_fd.h"

namespace flow_tools {

Notifier::Notifier() {
  constexpr char kName[] = "NOTIFY_SOCKET";
  const char* const path = std::getenv(kName);
  if (path == nullptr) return;
  path_ = path;
  unsetenv(kName);
  // A path, or "@" and an abstract name; what else there may be is not for us.
  if (path_.size() < 2 || path_.size() >= sizeof(sockaddr_un::sun_path) ||
      (path_[0] != '/' && path_[0] != '@')) {
    path_.clear();
  }
}

void Notifier::Tell(absl::string_view state) const {
  if (path_.empty()) return;
  const flow::UniqueFd fd(
      socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return;
  sockaddr_un to = {};
  to.sun_family = AF_UNIX;
  std::copy(path_.begin(), path_.end(), to.sun_path);
  if (path_[0] == '@') to.sun_path[0] = '\0';
  const size_t length = offsetof(sockaddr_un, sun_path) + path_.size();
  // Nobody there to be told: it has no bearing on what we do.
  static_cast<void>(sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL,
                           reinterpret_cast<const sockaddr*>(&to),
                           static_cast<socklen_t>(length)));
}

void Notifier::Ready(absl::string_view status) const {
  Tell(absl::StrCat("READY=1\nSTATUS=", status));
}

}  // namespace flow_tools
