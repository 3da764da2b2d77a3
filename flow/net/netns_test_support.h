// File: netns_test_support.h (testonly)
//
// TwoMachines: a network of two, as far as the kernel's network namespaces go:
// what can't be had over loopback, such as a cable that is pulled.
//
//   near, 10.1.0.1 (near0) ------------------ (far0) 10.1.0.2, far
//
// As near sees it: nobody has 10.1.0.66, whose frames are lost (a black hole);
// there is no way to 198.51.100.0/24 (an unreachable route), and no route at
// all to anywhere else.
//
// Linux: a namespace is a thread's; threads have that of their maker, sockets
// keep the one that they were made in.

#ifndef FLOW_NET_NETNS_TEST_SUPPORT_H_
#define FLOW_NET_NETNS_TEST_SUPPORT_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "flow/sys/unique_fd.h"

namespace flow_testing {

class TwoMachines {
 public:
  static constexpr char kFar[] = "10.1.0.2";
  static constexpr uint32_t kFarNumber = 0x0a010002;
  static constexpr char kBlackHole[] = "10.1.0.66";
  static constexpr uint32_t kBlackHoleNumber = 0x0a010042;
  static constexpr char kNoWay[] = "198.51.100.1";
  static constexpr char kNoRoute[] = "192.0.2.1";

  // Puts the calling thread on near, for good. If that can't be done without
  // other rights than this process has, it must have no other thread.
  TwoMachines();

  // Why there are none: which call was refused, in the words in which a test
  // is skipped. Empty if there are.
  const std::string& missing() const { return missing_; }

  // Runs `task` on far, in a thread of its own.
  void OnFar(absl::FunctionRef<void()> task) const;

  // Pulls the cable, at the far end: near's frames are lost without a word.
  void CutLink() const;

 private:
  bool Check(bool ok, const std::string& call);
  void MakeNamespaces();
  void MakeLink();

  std::string missing_;
  flow::UniqueFd far_;
};

}  // namespace flow_testing

#endif  // FLOW_NET_NETNS_TEST_SUPPORT_H_
