#include "flow/testing/call_trace.h"

#include <fcntl.h>
#include <poll.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace flow_testing {
namespace {

// True for calls whose result is a descriptor.
bool MakesFd(const Request& request) {
  if (request.call == Call::kFcntl) {
    return request.command == F_DUPFD || request.command == F_DUPFD_CLOEXEC;
  }
  return request.call == Call::kEventfd || request.call == Call::kEpollCreate ||
         request.call == Call::kOpen || request.call == Call::kSocket ||
         request.call == Call::kAccept;
}

std::string EventNames(int events) {
  std::vector<absl::string_view> names;
  if (events & POLLIN) names.push_back("IN");
  if (events & POLLOUT) names.push_back("OUT");
  if (events & POLLPRI) names.push_back("PRI");
  if (events & POLLERR) names.push_back("ERR");
  if (events & POLLHUP) names.push_back("HUP");
  if (events & POLLNVAL) names.push_back("NVAL");
#ifdef POLLRDHUP
  if (events & POLLRDHUP) names.push_back("RDHUP");
#endif
  return names.empty() ? "-" : absl::StrJoin(names, "|");
}

}  // namespace

std::string CallRecord::ToString() const {
  std::vector<std::string> arguments;
  if (fd != 0) arguments.push_back(absl::StrCat("#", fd));
  if (CallSet::Moving().contains(call)) {
    arguments.push_back(absl::StrCat(requested));
  }
  if (!detail.empty()) arguments.push_back(detail);
  std::string text =
      absl::StrCat(CallName(call), "(", absl::StrJoin(arguments, ", "),
                   ") = ", made_fd ? "#" : "", result);
  if (error != 0) absl::StrAppend(&text, " ", ErrnoName(error));
  if (!note.empty()) absl::StrAppend(&text, " [", note, "]");
  return text;
}

void CallTrace::Add(const Request& request, int64_t result, int error,
                    absl::string_view note) {
  absl::MutexLock lock(&mu_);
  CallRecord record;
  record.call = request.call;
  record.fd = request.fd < 0 ? 0 : Number(request.fd);
  record.requested = request.bytes();
  record.result = result;
  record.error = result < 0 ? error : 0;
  record.note = std::string(note);
  if (request.call == Call::kPoll) record.detail = DescribePoll(request);
  if (result >= 0 && MakesFd(request)) {
    record.made_fd = true;
    record.result = Number(static_cast<int>(result));
  }
  // The kernel gives the number to somebody else from here on.
  if (request.call == Call::kClose) numbers_.erase(request.fd);

  ++total_;
  ++counts_[static_cast<int>(request.call)];
  records_.push_back(std::move(record));
  if (records_.size() > capacity_) records_.pop_front();
}

int64_t CallTrace::count() const {
  absl::MutexLock lock(&mu_);
  return total_;
}

int64_t CallTrace::count(Call call) const {
  absl::MutexLock lock(&mu_);
  return counts_[static_cast<int>(call)];
}

std::vector<CallRecord> CallTrace::records() const {
  absl::MutexLock lock(&mu_);
  return {records_.begin(), records_.end()};
}

std::string CallTrace::ToString() const {
  absl::MutexLock lock(&mu_);
  std::string text;
  const int64_t dropped = total_ - static_cast<int64_t>(records_.size());
  if (dropped > 0) {
    absl::StrAppend(&text, "... ", dropped, " earlier calls\n");
  }
  for (const CallRecord& record : records_) {
    absl::StrAppend(&text, record.ToString(), "\n");
  }
  return text;
}

int CallTrace::Number(int fd) {
  const auto [found, is_new] = numbers_.try_emplace(fd, next_number_);
  if (is_new) ++next_number_;
  return found->second;
}

std::string CallTrace::DescribePoll(const Request& request) {
  std::vector<std::string> parts;
  for (const pollfd& p : request.polled) {
    if (p.fd < 0) continue;
    parts.push_back(absl::StrCat("#", Number(p.fd), ":", EventNames(p.events)));
  }
  parts.push_back(request.timeout_ms == 0  ? "look"
                  : request.timeout_ms < 0 ? "forever"
                                           : "timed");
  return absl::StrJoin(parts, ", ");
}

}  // namespace flow_testing
