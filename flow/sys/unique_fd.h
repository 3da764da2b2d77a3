// File: unique_fd.h
//
// UniqueFd: owns one file descriptor and closes it exactly once.
//
// An fd is a number that the kernel hands to somebody else as soon as it is
// closed, so that a second close, or a use after close, hits a stranger's file.
// UniqueFd is therefore move-only and has no conversion to int: misuse does not
// compile. Not thread-safe: like a pointer, it belongs to one thread at a time.
//
// Who closes its number all the same is found by //flow/testing:fd_guard, which
// is told of each number that is taken over and given away, where it is linked.

#ifndef FLOW_SYS_UNIQUE_FD_H_
#define FLOW_SYS_UNIQUE_FD_H_

#include <ostream>
#include <string>
#include <utility>

namespace flow {

class Syscalls;

class UniqueFd {
 public:
  // Owns nothing.
  UniqueFd() = default;

  // Takes ownership of `fd`; -1 owns nothing. `sys` closes it and must outlive
  // this object; null means the real kernel.
  explicit UniqueFd(int fd, Syscalls* sys = nullptr);

  UniqueFd(UniqueFd&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), sys_(other.sys_) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
      sys_ = other.sys_;
    }
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  // The number, still owned here; -1 when nothing is owned.
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

  // Gives ownership away; the caller closes the number returned.
  [[nodiscard]] int release();

  // Closes now. Returns 0, or the errno of close(2). The number is gone either
  // way: Linux frees it before it reports an error (close(2), "Dealing with
  // error returns"), so a close is never tried again.
  int reset();

  // close(fd) would close the number twice: this makes it not compile. Found by
  // argument-dependent look-up alone, so that ::close stays what it is.
  friend int close(const UniqueFd&) = delete;

  // "fd 7"; "no fd".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const UniqueFd& fd) {
    sink.Append(fd.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const UniqueFd& fd) {
    return os << fd.ToString();
  }

 private:
  int fd_ = -1;
  Syscalls* sys_ = nullptr;
};

}  // namespace flow

#endif  // FLOW_SYS_UNIQUE_FD_H_
