#include "flow/net/stale_path.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/endpoint.h"
#include "flow/limits.h"
#include "flow/sleeper.h"
#include "flow/status.h"
#include "flow/sys/errno_table.h"
#include "flow/sys/mono_time.h"
#include "flow/transport.h"

namespace flow {
namespace internal {
namespace {

constexpr absl::Duration kBetween = absl::Milliseconds(20);
constexpr absl::Duration kLockPause = absl::Milliseconds(60);
constexpr absl::Duration kLockLimit = absl::Seconds(2);

void Pause(Syscalls* sys, absl::Duration pause) {
  const Limits none;
  Sleeper sleeper(sys, none, nullptr);
  const MonoTime over = sys->Now() + pause;
  while (sys->Now() < over) sleeper.Sleep(Wait::Until(over));
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// The same file, and not another that got its inode.
bool Same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino &&
         a.st_ctim.tv_sec == b.st_ctim.tv_sec &&
         a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

}  // namespace

StalePath::~StalePath() {
  // Said, since a child forked meanwhile shares the lock.
  if (folder_.valid()) sys_->Flock(folder_.get(), LOCK_UN);
}

absl::Status StalePath::InUse(const std::string& why) const {
  const Endpoint name = at_.name();
  return ErrnoStatus(
      EADDRINUSE, "bind",
      absl::StrCat(name.scheme(), " ", name.ToString(), " ", why));
}

absl::Status StalePath::Remove() {
  struct stat before;
  if (sys_->Lstat(path_.c_str(), &before) != 0) {
    return errno == ENOENT ? absl::OkStatus() : InUse("can't be looked at");
  }
  if (!S_ISSOCK(before.st_mode)) return InUse("is no socket");
  for (int i = 0; i < 2; ++i) {
    if (i > 0) Pause(sys_, kBetween);
    const absl::StatusOr<Look> look = Ask();
    if (!look.ok()) return look.status();
    if (*look == Look::kGone) return absl::OkStatus();
    if (*look == Look::kLive) return InUse("is listened on");
  }
  struct stat now;
  if (sys_->Lstat(path_.c_str(), &now) != 0 || !Same(before, now)) {
    return InUse("has just been made anew");
  }
  if (sys_->Unlink(path_.c_str()) != 0 && errno != ENOENT) {
    return ErrnoStatus(errno, "unlink", at_.name().ToString());
  }
  return absl::OkStatus();
}

absl::Status StalePath::Lock() {
  folder_ = UniqueFd(sys_->Open(FolderOf(path_).c_str(),
                                O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0),
                     sys_);
  if (!folder_.valid()) return absl::OkStatus();
  const MonoTime give_up = sys_->Now() + kLockLimit;
  while (sys_->Flock(folder_.get(), LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    if (error != EWOULDBLOCK && error != EINTR) {
      folder_.reset();
      return absl::OkStatus();
    }
    if (sys_->Now() >= give_up) {
      folder_.reset();
      return InUse("can't be reclaimed while another holds its folder");
    }
    Pause(sys_, kLockPause);
  }
  return absl::OkStatus();
}

// What is there, by connecting to it.
absl::StatusOr<StalePath::Look> StalePath::Ask() const {
  const UniqueFd probe(sys_->Socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0),
                       sys_);
  if (!probe.valid()) {
    return ErrnoStatus(errno, "socket", at_.name().ToString());
  }
  if (sys_->Connect(probe.get(), at_.generic(), at_.length) == 0) {
    return Look::kLive;
  }
  switch (errno) {
    case ECONNREFUSED:
      return Look::kStale;
    case ENOENT:
      return Look::kGone;
    case EAGAIN:  // its queue is full
    case EINPROGRESS:
    case EINTR:
      return Look::kLive;
    default:
      // EPROTOTYPE, a live socket of another type; EACCES, ...
      return InUse(absl::StrCat("can't be asked: ", ErrnoText(errno)));
  }
}

}  // namespace internal
}  // namespace flow
