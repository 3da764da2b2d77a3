#include "tools/flowcat/manual.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace flow_tools {
namespace {

constexpr char kTime[] = "How long";
constexpr char kBytes[] = "What passes";
constexpr char kTold[] = "What is told";
constexpr char kMany[] = "Many connections";
constexpr char kFaults[] = "Faults (chaos)";
constexpr char kFigures[] = "Figures (bench, probe)";
constexpr char kOther[] = "Others";

constexpr unsigned kMoves = kRelay | kChaos;
constexpr unsigned kServes = kRelay | kChaos | kEcho;

constexpr CommandText kCommands[] = {
    {kRelay, "", "FROM TO",
     "Bytes both ways between two ends, each way until its own end."},
    {kEcho, "echo", "ADDR",
     "Sends back what comes: to everybody who connects, if ADDR listens."},
    {kProbe, "probe", "ADDR",
     "Connects and says how long the name, each address and TLS took, and who "
     "is there."},
    {kBench, "bench", "ADDR | --self",
     "Measures throughput and latency against whoever echoes at ADDR, or "
     "against itself."},
    {kChaos, "chaos", "FROM TO",
     "Relays with faults: delay, crumbs, resets, cuts, corrupted bytes, the "
     "same with each run."},
    {kDemo, "demo", "",
     "64 MiB through an echo server and a relay on loopback, checked by "
     "SHA-256. Also what flowcat does without arguments."},
    {kPrint, "man", "", "Prints the manual as roff: flowcat man | man -l -"},
    {kPrint, "completion", "",
     "Prints bash's completion: source <(flowcat completion)"},
    {kPrint, "help", "[COMMAND]", "Prints this, or what COMMAND has."},
};

constexpr FlagText kFlags[] = {
    {"timeout", "TIME", "", kAll & ~kPrint, kTime,
     "for all of it: 90s, 1.5h; with --serve of each connection; default: "
     "none"},
    {"connect-timeout", "TIME", "", kServes | kProbe | kBench, kTime,
     "for connecting to an end; default: none"},
    {"stall-timeout", "TIME", "", kServes, kTime,
     "the longest time without a byte, either way; default: none"},
    {"half-close-timeout", "TIME", "", kMoves, kTime,
     "how long one direction may go on after the other has ended; default: "
     "none"},
    {"drain", "TIME", "", kServes, kTime,
     "how long what is under way may take to end after a signal; default: 5s, "
     "but one connection only for as long as bytes move"},
    {"policy", "WORD", "half-close close-both fail-fast", kMoves, kBytes,
     "what one direction's end means for the other: nothing (half-close, the "
     "default), that it ends too (close-both), that something is wrong "
     "(fail-fast)"},
    {"method", "WORD", "auto buffered splice sendfile copy-file-range", kServes,
     kBytes,
     "how bytes are moved; default: auto, in the kernel where it helps"},
    {"rate", "BYTES", "", kServes, kBytes,
     "at most so many bytes a second each way: 100k, 1.5M"},
    {"limit", "BYTES", "", kMoves, kBytes,
     "each direction ends after so many bytes"},
    {"dump", "FORMAT", "text hex json", kServes, kBytes,
     "prints what passes, > from FROM to TO, < back, on standard error"},
    {"tee", "FILE", "", kServes, kBytes,
     "a copy of what goes from FROM to TO; with many connections to FILE.1, "
     "FILE.2, ..."},
    {"tee-back", "FILE", "", kServes, kBytes, "the same of what comes back"},
    {"quiet", "", "", kAll & ~kPrint, kTold,
     "nothing on standard error but errors"},
    {"stats", "FORMAT", "text json", kServes, kTold,
     "what became of each connection, on standard error"},
    {"progress", "", "", kServes, kTold,
     "how far it has come; on by itself where standard error is a terminal "
     "that nothing else uses; --noprogress"},
    {"progress-interval", "TIME", "", kServes, kTold,
     "how often; default: 250ms on a terminal, else 5s"},
    {"size", "BYTES", "", kRelay, kTold,
     "how much will come from FROM, for the progress; known of files"},
    {"serve", "", "", kMoves, kMany,
     "everybody who connects to FROM, not only the first; TO is opened for "
     "each"},
    {"max-connections", "N", "", kServes, kMany,
     "so many at once, the others wait; default: 1000"},
    {"seed", "N", "", kChaos, kFaults,
     "the same seed, the same faults; default: 1"},
    {"delay", "TIME", "", kChaos, kFaults, "bytes come so much later"},
    {"jitter", "TIME", "", kChaos, kFaults, "and at random so much more"},
    {"max-step", "BYTES", "", kChaos, kFaults,
     "bytes come in crumbs of 1 to so many"},
    {"corrupt", "P", "", kChaos, kFaults,
     "flips a bit of each byte with this probability"},
    {"corrupt-at", "BYTE", "", kChaos, kFaults,
     "flips a bit of this one; the first is 0"},
    {"reset-at", "BYTE", "", kChaos, kFaults,
     "resets the connection after so many bytes of a direction"},
    {"cut-at", "BYTE", "", kChaos, kFaults,
     "ends a direction in order after so many bytes, whatever was still to "
     "come; with --policy=close-both the connection"},
    {"direction", "WORD", "up down both", kChaos, kFaults,
     "faults from FROM to TO (up), from TO to FROM (down), or both (the "
     "default)"},
    {"self", "", "", kBench, kFigures,
     "measures an echo of its own on loopback"},
    {"duration", "TIME", "", kBench, kFigures,
     "of each of the two measurements; default: 2s"},
    {"message", "BYTES", "", kBench, kFigures,
     "what goes there and back for the latency; default: 64"},
    {"json", "", "", kBench | kProbe, kFigures, "the result as JSON"},
    {"svg", "FILE", "", kBench, kFigures, "draws the latencies"},
    {"help", "", "", kAll, kOther, "this text; of a command: what it has"},
    {"version", "", "", kAll, kOther, "prints the version"},
};

constexpr Example kExamples[] = {
    {kDemo, "flowcat", "A demonstration on loopback."},
    {kRelay, "flowcat - tcp:example.org:80",
     "Standard input to a server, its answer to standard output. When the "
     "input ends, the server is told so, and its answer is still waited for."},
    {kRelay, "flowcat tcp-listen:127.0.0.1:8080 tcp:10.0.0.5:80",
     "Waits for one connection and relays it to another machine."},
    {kRelay, "flowcat --serve tcp-listen:0.0.0.0:8080 unix:/run/app.sock",
     "The same for everybody, to a unix socket; SIGTERM lets the last ones "
     "end."},
    {kRelay,
     "flowcat --serve tls-listen:0.0.0.0:8443,cert=chain.pem,key=key.pem "
     "tcp:localhost:80",
     "TLS in front of a server that has none."},
    {kRelay, "flowcat --rate=1M --progress file:disk.img tcp:backup:7000",
     "A file at 1 MiB a second, and when it will be there."},
    {kRelay, "flowcat --dump=hex - tcp:localhost:6379",
     "What passes, byte for "
     "byte."},
    {kRelay,
     "cat file | flowcat - unix:box    flowcat unix-listen:box - > copy",
     "A file from one program to another."},
    {kEcho, "flowcat echo tcp-listen:127.0.0.1:7000", "An echo server."},
    {kProbe, "flowcat probe tls:example.org:443",
     "Is it there, how fast, with which certificate?"},
    {kBench, "flowcat bench --self --svg=latency.svg",
     "How fast this machine is by itself, drawn."},
    {kChaos,
     "flowcat chaos --serve --delay=100ms --reset-at=1M "
     "tcp-listen:127.0.0.1:8080 tcp:localhost:80",
     "How does the client of a slow server take a reset?"},
};

constexpr Row kAddresses[] = {
    {"tcp:HOST:PORT", "connects; HOST is a name, an IPv4 address or [IPv6]"},
    {"tcp-listen:HOST:PORT",
     "listens and accepts one connection; PORT 0: any free one"},
    {"unix:PATH", "connects to a unix socket"},
    {"unix-listen:PATH",
     "makes one and accepts one connection; the path must not exist (,reclaim "
     "takes over a dead server's), and is removed again"},
    {"unix-abstract:NAME, unix-abstract-listen:NAME",
     "the same without a file"},
    {"tls:HOST:PORT", "connects, over TLS; the server has to be HOST"},
    {"tls-listen:HOST:PORT,cert=FILE,key=FILE", "listens, over TLS"},
    {"-", "standard input and output"},
    {"fd:N, fd:IN:OUT",
     "descriptors that are open already; ,own gives them "
     "away"},
    {"file:PATH", "reads it; ,write ,append ,truncate ,create"},
    {"exec:COMMAND", "a command of the shell's; ,pty gives it a terminal"},
    {"pty:", "a new terminal, whose name is printed"},
    {"activate:NAME", "a listening socket that was passed (LISTEN_FDS)"},
};

constexpr Row kExits[] = {
    {"0",
     "both directions ended in order; a server was stopped, and all of "
     "its connections had ended"},
    {"1", "an end failed (for the demonstration: or the bytes differ)"},
    {"2", "the command line makes no sense"},
    {"3", "an end could not be connected, listened on or used"},
    {"4",
     "--timeout, --stall-timeout or --half-close-timeout was over while "
     "relaying"},
    {"5",
     "a server was stopped, and connections that had not ended within "
     "--drain were cut"},
    {"128 + N", "ended by signal N (SIGINT, SIGTERM)"},
};

constexpr Row kSignals[] = {
    {"SIGINT, SIGTERM",
     "after the first, nothing new is begun, and what is under way may end for "
     "--drain; the next cuts it off; one more kills"},
    {"SIGUSR1", "prints what each connection is doing, on standard error"},
};

constexpr const char* kNotes[] = {
    "Options stand behind commas: tcp:h:80,keepalive=60s,bind=10.0.0.1. A "
    "wrong one is answered with those that there are. A comma or a percent "
    "sign that means itself is written %2C or %25.",
    "When one end has no more to send, the other is told (half-close), and "
    "nothing more: the other direction goes on. When an end fails, the other "
    "is cut off so that it can tell (over TCP by a reset), and the exit code "
    "says so.",
    "Under systemd: sockets by activate:NAME, readiness by Type=notify.",
};

}  // namespace

absl::Span<const CommandText> Commands() { return kCommands; }
absl::Span<const FlagText> Flags() { return kFlags; }
absl::Span<const Example> Examples() { return kExamples; }
absl::Span<const Row> AddressRows() { return kAddresses; }
absl::Span<const Row> ExitRows() { return kExits; }
absl::Span<const Row> SignalRows() { return kSignals; }
absl::Span<const char* const> Notes() { return kNotes; }

const CommandText* FindCommand(absl::string_view name) {
  for (const CommandText& command : kCommands) {
    if (command.name == name && !name.empty()) return &command;
  }
  return nullptr;
}

const FlagText* FindFlagText(absl::string_view name) {
  const std::string dashed = absl::StrReplaceAll(name, {{"_", "-"}});
  for (const FlagText& flag : kFlags) {
    if (flag.name == dashed) return &flag;
  }
  return nullptr;
}

std::string FlagUsage(const FlagText& flag) {
  std::string value = absl::StrReplaceAll(flag.choices, {{" ", "|"}});
  if (value.empty()) value = flag.value;
  return absl::StrCat("--", flag.name, value.empty() ? "" : "=", value);
}

}  // namespace flow_tools
