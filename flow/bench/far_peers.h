// File: far_peers.h (testonly)
//
// N stream sockets whose other ends are a child process's, so that ten thousand
// connections need no more descriptors here than their own.
//
//   const FarPeers peers(10000);            // before other threads are made
//   ... somebody echoes on peers.ours() ...
//   double seconds = peers.ProbeSeconds(17);
//   peers.Echo();                           // from now on the child echoes

#ifndef FLOW_BENCH_FAR_PEERS_H_
#define FLOW_BENCH_FAR_PEERS_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace flow_bench {

class FarPeers {
 public:
  explicit FarPeers(size_t count);
  // The child is gone, too.
  ~FarPeers();
  FarPeers(const FarPeers&) = delete;
  FarPeers& operator=(const FarPeers&) = delete;

  // Our ends; whoever uses them closes them.
  const std::vector<int>& ours() const { return ours_; }

  // The child sends a byte to that one and waits for its echo: how long that
  // took.
  double ProbeSeconds(uint32_t index) const;

  // The child sends back whatever comes, on any of them. For good.
  void Echo() const;

 private:
  [[noreturn]] void Serve(int via, size_t count) const;

  int command_[2];
  int answer_[2];
  pid_t child_ = -1;
  std::vector<int> ours_;
};

}  // namespace flow_bench

#endif  // FLOW_BENCH_FAR_PEERS_H_
