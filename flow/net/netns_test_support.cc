#include "flow/net/netns_test_support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "flow/sys/errno_table.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

constexpr char kNear[] = "10.1.0.1";
constexpr char kNearDevice[] = "near0";
constexpr char kFarDevice[] = "far0";
constexpr unsigned char kNobody[] = {0x02, 0, 0, 0, 0, 0x42};

// A request of rtnetlink(7) to the calling thread's namespace.
class Request {
 public:
  template <typename Body>
  Request(uint16_t type, int flags, const Body& body) : bytes_() {
    nlmsghdr header = {};
    header.nlmsg_type = type;
    header.nlmsg_flags =
        static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    Append(&header, sizeof(header));
    Append(&body, sizeof(body));
  }

  void Add(int type, const void* data, size_t size) {
    const size_t at = Open(type);
    Append(data, size);
    Shut(at);
  }
  void Add(int type, absl::string_view text) {
    Add(type, std::string(text).c_str(), text.size() + 1);
  }
  void AddIpv4(int type, const char* address) {
    in_addr number = {};
    EXPECT_EQ(inet_pton(AF_INET, address, &number), 1);
    Add(type, &number, sizeof(number));
  }
  // An attribute that has others in it.
  size_t Open(int type) {
    const size_t at = bytes_.size();
    rtattr attribute = {};
    attribute.rta_type = static_cast<uint16_t>(type);
    Append(&attribute, sizeof(attribute));
    return at;
  }
  void Shut(size_t at) {
    const auto length = static_cast<uint16_t>(bytes_.size() - at);
    std::memcpy(&bytes_[at], &length, sizeof(length));
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
  }
  void Append(const void* data, size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
  }

  // 0, or the errno.
  int Send() {
    const auto length = static_cast<uint32_t>(bytes_.size());
    std::memcpy(&bytes_[0], &length, sizeof(length));
    const flow::UniqueFd fd(
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (!fd.valid() || send(fd.get(), bytes_.data(), bytes_.size(), 0) < 0) {
      return errno;
    }
    char answer[4096];
    const ssize_t n = recv(fd.get(), answer, sizeof(answer), 0);
    nlmsgerr error;
    if (n < static_cast<ssize_t>(NLMSG_HDRLEN + sizeof(error))) return EIO;
    std::memcpy(&error, answer + NLMSG_HDRLEN, sizeof(error));
    return -error.error;
  }

 private:
  std::string bytes_;
};

int MakeVeth(int far_namespace) {
  Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  request.Add(IFLA_IFNAME, kNearDevice);
  const size_t info = request.Open(IFLA_LINKINFO);
  request.Add(IFLA_INFO_KIND, "veth");
  const size_t data = request.Open(IFLA_INFO_DATA);
  const size_t peer = request.Open(VETH_INFO_PEER);
  const ifinfomsg none = {};
  request.Append(&none, sizeof(none));
  request.Add(IFLA_IFNAME, kFarDevice);
  request.Add(IFLA_NET_NS_FD, &far_namespace, sizeof(far_namespace));
  request.Shut(peer);
  request.Shut(data);
  request.Shut(info);
  return request.Send();
}

int SetUp(const char* device, bool up) {
  ifinfomsg link = {};
  link.ifi_index = static_cast<int>(if_nametoindex(device));
  link.ifi_change = IFF_UP;
  link.ifi_flags = up ? IFF_UP : 0;
  return Request(RTM_NEWLINK, 0, link).Send();
}

int AddAddress(const char* device, const char* address) {
  ifaddrmsg own = {};
  own.ifa_family = AF_INET;
  own.ifa_prefixlen = 24;
  own.ifa_index = if_nametoindex(device);
  Request request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, own);
  request.AddIpv4(IFA_LOCAL, address);
  request.AddIpv4(IFA_ADDRESS, address);
  return request.Send();
}

int AddUnreachable(const char* network) {
  rtmsg route = {};
  route.rtm_family = AF_INET;
  route.rtm_dst_len = 24;
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_protocol = RTPROT_STATIC;
  route.rtm_scope = RT_SCOPE_UNIVERSE;
  route.rtm_type = RTN_UNREACHABLE;
  Request request(RTM_NEWROUTE, NLM_F_CREATE, route);
  request.AddIpv4(RTA_DST, network);
  return request.Send();
}

int AddNeighbour(const char* device, const char* address) {
  ndmsg neighbour = {};
  neighbour.ndm_family = AF_INET;
  neighbour.ndm_ifindex = static_cast<int>(if_nametoindex(device));
  neighbour.ndm_state = NUD_PERMANENT;
  Request request(RTM_NEWNEIGH, NLM_F_CREATE, neighbour);
  request.AddIpv4(NDA_DST, address);
  request.Add(NDA_LLADDR, kNobody, sizeof(kNobody));
  return request.Send();
}

}  // namespace

TwoMachines::TwoMachines() {
  MakeNamespaces();
  if (missing_.empty()) MakeLink();
}

bool TwoMachines::Check(bool ok, const std::string& call) {
  if (!ok && missing_.empty()) {
    missing_ = absl::StrCat("kernel forbids a network of our own: ", call,
                            " failed: ", flow::ErrnoText(errno));
  }
  return ok;
}

void TwoMachines::MakeNamespaces() {
  // Without rights: as the root of a namespace of users.
  if (unshare(CLONE_NEWNET) != 0 &&
      !Check(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0,
             "unshare(CLONE_NEWUSER | CLONE_NEWNET)")) {
    return;
  }
  std::thread([this] {
    if (!Check(unshare(CLONE_NEWNET) == 0, "unshare(CLONE_NEWNET)")) return;
    far_ =
        flow::UniqueFd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    Check(far_.valid(), "open(/proc/thread-self/ns/net)");
  }).join();
}

void TwoMachines::MakeLink() {
  const auto made = [this](int error, const char* what) {
    errno = error;
    return Check(error == 0, what);
  };
  if (!made(MakeVeth(far_.get()), "RTM_NEWLINK of a veth pair")) return;
  made(AddAddress(kNearDevice, kNear), "RTM_NEWADDR");
  made(SetUp(kNearDevice, true), "IFF_UP");
  OnFar([&] {
    made(AddAddress(kFarDevice, kFar), "RTM_NEWADDR");
    made(SetUp(kFarDevice, true), "IFF_UP");
  });
  made(AddNeighbour(kNearDevice, kBlackHole), "RTM_NEWNEIGH");
  made(AddUnreachable("198.51.100.0"), "RTM_NEWROUTE");
}

void TwoMachines::OnFar(absl::FunctionRef<void()> task) const {
  std::thread([&] {
    if (setns(far_.get(), CLONE_NEWNET) != 0) {
      ADD_FAILURE() << "setns() failed: " << flow::ErrnoText(errno);
      return;
    }
    task();
  }).join();
}

void TwoMachines::CutLink() const {
  OnFar([] { EXPECT_EQ(SetUp(kFarDevice, false), 0); });
}

}  // namespace flow_testing
