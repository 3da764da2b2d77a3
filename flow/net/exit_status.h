// File: exit_status.h
//
// ExitStatus: how a process ended.
//
//   if (!status.success()) LogLine("make: ", status);  // "exit code 2"
//
// Guarantees: a value; nothing here blocks or fails.

#ifndef FLOW_NET_EXIT_STATUS_H_
#define FLOW_NET_EXIT_STATUS_H_

#include <ostream>
#include <string>

namespace flow {

class ExitStatus {
 public:
  // Ended by itself with `code`, 0 to 255.
  static ExitStatus Exited(int code) { return {false, code, false}; }
  // Ended by `signal`.
  static ExitStatus Signalled(int signal, bool dumped_core = false) {
    return {true, signal, dumped_core};
  }

  // Ended by itself with code 0.
  bool success() const { return !signalled_ && value_ == 0; }

  // Either it has an exit code, or a signal has ended it. The other one's
  // number is -1.
  bool exited() const { return !signalled_; }
  int code() const { return signalled_ ? -1 : value_; }
  bool signalled() const { return signalled_; }
  int signal() const { return signalled_ ? value_ : -1; }
  bool dumped_core() const { return dumped_core_; }

  // "exit code 3", "signal 9 (Killed)", "signal 11 (Segmentation fault), core
  // dumped".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const ExitStatus& status) {
    sink.Append(status.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const ExitStatus& status) {
    return os << status.ToString();
  }
  friend bool operator==(const ExitStatus& a, const ExitStatus& b) {
    return a.signalled_ == b.signalled_ && a.value_ == b.value_;
  }
  friend bool operator!=(const ExitStatus& a, const ExitStatus& b) {
    return !(a == b);
  }

 private:
  ExitStatus(bool signalled, int value, bool dumped_core)
      : value_(value), signalled_(signalled), dumped_core_(dumped_core) {}

  int value_;
  bool signalled_;
  bool dumped_core_;
};

}  // namespace flow

#endif  // FLOW_NET_EXIT_STATUS_H_
