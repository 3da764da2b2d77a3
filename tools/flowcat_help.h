// File: flowcat_help.h
//
// What `flowcat --help` prints: by examples first.

#ifndef FLOW_TOOLS_FLOWCAT_HELP_H_
#define FLOW_TOOLS_FLOWCAT_HELP_H_

namespace flow_tools {

inline constexpr char kFlowcatHelp[] =
    R"(flowcat FROM TO: bytes both ways between two ends, each way until its end.

Examples:
  flowcat
      A demonstration on loopback: 64 MiB through an echo server and a relay,
      checked by SHA-256.
  flowcat - tcp:example.org:80
      Standard input to a server, its answer to standard output. When the input
      ends, the server is told so, and its answer is still waited for.
  flowcat tcp-listen:127.0.0.1:8080 tcp:10.0.0.5:80
      Waits for one connection and relays it to another machine.
  flowcat tcp-listen:127.0.0.1:0 unix:/run/app.sock
      The same to a unix socket, on any free port; prints "listening on
      tcp:127.0.0.1:34567".
  cat file | flowcat - unix:box        flowcat unix-listen:box - > copy
      A file from one program to another.

Ends:
  tcp:HOST:PORT         connects; HOST is a name, an IPv4 address or [IPv6]
  tcp-listen:HOST:PORT  listens and accepts one connection; PORT 0: any free one
  unix:PATH             connects to a unix socket
  unix-listen:PATH      makes one and accepts one connection; the path must not
                        exist, and is removed again
  unix-abstract:NAME, unix-abstract-listen:NAME
                        the same without a file
  tls:HOST:PORT         connects, over TLS; the server has to be HOST
  tls-listen:HOST:PORT,cert=FILE,key=FILE
  -                     standard input and output
  fd:N, fd:IN:OUT       descriptors that are open already; ,own gives them away
  file:PATH             reads it; ,write ,append ,truncate ,create
  exec:COMMAND          a command of the shell's; ,pty gives it a terminal
  pty:                  a new terminal, whose name is printed
  activate:NAME         a listening socket that was passed (LISTEN_FDS)

Options stand behind commas: tcp:h:80,keepalive=60s,bind=10.0.0.1
  A wrong one is answered with those that there are. A comma or a percent sign
  that means itself is written %2C or %25.

When one end has no more to send, the other is told (half-close), and nothing
more: the other direction goes on. When an end fails, the other is cut off
so that it can tell (over TCP by a reset), and the exit code says so.

Flags (dashes or underscores, --name=value or --name value):
  --timeout=TIME          for all of it: 90s, 1.5h; default: none
  --connect-timeout=TIME  for connecting to an end; default: none
  --quiet                 nothing on standard error but errors
  --help                  this text

Exit codes:
  0   both directions ended in order
  1   an end failed (for the demonstration: or the bytes differ)
  2   the command line makes no sense
  3   an end could not be connected, listened on or used
  4   --timeout was over while relaying
  128 + N: ended by signal N (SIGINT, SIGTERM). A second one kills.
)";

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_HELP_H_
