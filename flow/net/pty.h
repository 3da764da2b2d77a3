// File: pty.h
//
// Pseudo-terminals: a flow to what believes that it is on a terminal.
//
//   absl::StatusOr<flow::Subprocess> shell = flow::SpawnOnPty({"bash"});
//   shell->stdio_flow().Write("stty size\n");
//   flow::SetWindowSize(shell->stdio_flow(), {50, 132});   // it gets SIGWINCH
//
// A pty has two sides. What is written to the *master*, a flow here, is typed
// at the terminal; what is read from it is what the program prints. The *slave*
// is the program's. It echoes, edits lines and turns \n into \r\n as terminals
// do, unless it is `raw`.
//
// - The master's Eof: nobody has the slave open any more. (The kernel says EIO,
//   and may drop what was typed and not yet read.)
// - A terminal has no half-close: Shutdown(kWrite) of the master tells nobody.
//   Who wants the program to see an end of input types "\x04" at the beginning
//   of a line, if it is not raw.
// - Closing the master hangs up: the program's session gets SIGHUP.
//
// The terminal of this process, if it has one, is neither used nor changed, and
// no pty becomes its controlling terminal.
//
// Guarantees: any thread; nothing here blocks. All descriptors are
// close-on-exec from birth.

#ifndef FLOW_NET_PTY_H_
#define FLOW_NET_PTY_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "flow/flow.h"
#include "flow/net/subprocess.h"
#include "flow/sys/syscalls.h"
#include "flow/sys/unique_fd.h"

namespace flow {

// In characters, and in pixels where somebody cares (0: not known).
struct WindowSize {
  uint16_t rows = 24;     // lines
  uint16_t columns = 80;  // characters in each
  uint16_t width = 0;     // pixels
  uint16_t height = 0;    // pixels

  friend bool operator==(const WindowSize& a, const WindowSize& b) {
    return a.rows == b.rows && a.columns == b.columns && a.width == b.width &&
           a.height == b.height;
  }
  friend bool operator!=(const WindowSize& a, const WindowSize& b) {
    return !(a == b);
  }

  // "24 x 80".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const WindowSize& size) {
    sink.Append(size.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const WindowSize& size) {
    return os << size.ToString();
  }
};

// How a pseudo-terminal is made.
struct PtyOptions {
  // Makes the system calls; null is the real kernel. Must outlive the flow.
  Syscalls* sys = nullptr;
  WindowSize size;
  // Bytes pass as they are, both ways: no echo, no lines, no signals from keys.
  bool raw = false;

  // "size=50 x 132, raw=yes": what differs from the defaults.
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const PtyOptions& options) {
    sink.Append(options.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const PtyOptions& options) {
    return os << options.ToString();
  }
};

// Both sides of a pseudo-terminal.
struct Pty {
  // Its peer() names the other side: "pty /dev/pts/5".
  Flow master;
  // Blocking, as programs expect. Whoever wants a flow on it too adopts it; as
  // long as it is open here, the master meets no Eof.
  UniqueFd slave;

  // "master: flow ...; slave: fd 7".
  std::string ToString() const;
  template <typename Sink>
  friend void AbslStringify(Sink& sink, const Pty& pty) {
    sink.Append(pty.ToString());
  }
  friend std::ostream& operator<<(std::ostream& os, const Pty& pty) {
    return os << pty.ToString();
  }
};

// A new pair. RESOURCE_EXHAUSTED: no descriptors or ptys left; NOT_FOUND: this
// system has none.
[[nodiscard]] absl::StatusOr<Pty> OpenPty(const PtyOptions& options = {});

// Spawn (flow/net/subprocess.h) on a new pty, which is the terminal of the
// program's own session and its stdin, stdout and stderr. stdio_flow() is the
// master. Streams, `duplex`, `own_group` and `own_session` are not looked at;
// `sys` is that of the SpawnOptions. Dropping the Subprocess hangs up.
[[nodiscard]] absl::StatusOr<Subprocess> SpawnOnPty(
    const std::vector<std::string>& argv, const PtyOptions& pty = {},
    const SpawnOptions& options = {});

// The size of the terminal behind a flow on either side of it. A change tells
// the programs in the foreground (SIGWINCH). INVALID_ARGUMENT: no terminal.
[[nodiscard]] absl::StatusOr<WindowSize> GetWindowSize(const Flow& terminal);
[[nodiscard]] absl::Status SetWindowSize(const Flow& terminal,
                                         const WindowSize& size);

}  // namespace flow

#endif  // FLOW_NET_PTY_H_
