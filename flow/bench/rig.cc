#include "flow/bench/rig.h"

#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "flow/fd/fd.h"

namespace flow_bench {

using flow::UniqueFd;

void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

void Must(const absl::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  std::exit(1);
}

const char* NameOf(Kind kind) {
  switch (kind) {
    case Kind::kUnix:
      return "unix";
    case Kind::kTcp:
      return "tcp";
    case Kind::kPipe:
      return "pipe";
  }
  return "";
}

Ends MakeTcpEnds() {
  const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  Must(bind(listener.get(), generic, length) == 0, "bind");
  Must(listen(listener.get(), 1) == 0, "listen");
  Must(getsockname(listener.get(), generic, &length) == 0, "getsockname");
  Ends ends;
  ends.near.in_owned = UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  Must(connect(ends.near.in(), generic, length) == 0, "connect");
  ends.far.in_owned =
      UniqueFd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  Must(ends.far.in() >= 0, "accept");
  const int on = 1;
  for (const int fd : {ends.near.in(), ends.far.in()}) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  return ends;
}

Ends MakeEnds(Kind kind) {
  if (kind == Kind::kTcp) return MakeTcpEnds();
  Ends ends;
  int fds[2];
  if (kind == Kind::kUnix) {
    Must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0,
         "socketpair");
    ends.near.in_owned = UniqueFd(fds[0]);
    ends.far.in_owned = UniqueFd(fds[1]);
    return ends;
  }
  Must(pipe2(fds, O_CLOEXEC) == 0, "pipe");
  ends.near.in_owned = UniqueFd(fds[0]);
  ends.far.out_owned = UniqueFd(fds[1]);
  Must(pipe2(fds, O_CLOEXEC) == 0, "pipe");
  ends.far.in_owned = UniqueFd(fds[0]);
  ends.near.out_owned = UniqueFd(fds[1]);
  return ends;
}

flow::Flow FlowOn(End end) {
  if (end.is_socket()) return Must(flow::Adopt(std::move(end.in_owned)));
  return Must(flow::Adopt(std::move(end.in_owned), std::move(end.out_owned)));
}

void RaiseFdLimit() {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::vector<int> Cpus() {
  // Of the process, whatever this thread is pinned to: threads that it makes
  // would inherit that.
  static const std::vector<int>* const all = [] {
    auto* const found = new std::vector<int>();
    cpu_set_t set;
    CPU_ZERO(&set);
    Must(sched_getaffinity(getpid(), sizeof(set), &set) == 0, "affinity");
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &set)) found->push_back(cpu);
    }
    return found;
  }();
  return *all;
}

void PinTo(size_t index) {
  const std::vector<int> all = Cpus();
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(all[index % all.size()], &set);
  Must(sched_setaffinity(0, sizeof(set), &set) == 0, "sched_setaffinity");
}

OurThread::OurThread(absl::AnyInvocable<void() &&> body) {
  Must(thread_.Start("bench", std::move(body)), "pthread_create");
}

void OnOurThread(absl::FunctionRef<void()> body) {
  const OurThread thread([body] { body(); });
}

Hogs::Hogs(int count) : threads_(static_cast<size_t>(count)) {
  for (flow::OwnThread& thread : threads_) {
    Must(thread.Start("hog",
                      [this] {
                        PinTo(0);
                        while (!stop_.load(std::memory_order_relaxed)) {
                        }
                      }),
         "pthread_create");
  }
}

Hogs::~Hogs() {
  stop_ = true;
  for (flow::OwnThread& thread : threads_) thread.JoinUnlessSelf();
}

namespace {
double CpuSeconds(int of) {
  rusage use;
  getrusage(of, &use);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) +
           static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(use.ru_utime) + seconds(use.ru_stime);
}
}  // namespace

double ThreadCpuSeconds() { return CpuSeconds(RUSAGE_THREAD); }
double ProcessCpuSeconds() { return CpuSeconds(RUSAGE_SELF); }

double ProcStatus(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    absl::string_view rest = line;
    if (!absl::ConsumePrefix(&rest, key)) continue;
    rest = absl::StripAsciiWhitespace(rest);
    double value = 0;
    if (absl::SimpleAtod(rest.substr(0, rest.find(' ')), &value)) return value;
  }
  return 0;
}

double ResidentKib() {
  malloc_trim(0);
  return ProcStatus("VmRSS:");
}

Armed::Armed(bool with_token) : limits(absl::Hours(1)) {
  if (with_token) limits.cancel = source.token();
}

}  // namespace flow_bench
