#include <chrono>
#include <thread>
#include "flow/async_flow.h"
#include "flow/thread_pool.h"
#include "flow/testing/memory_pair.h"
#include "gtest/gtest.h"
namespace {
TEST(Smoke, PingPong) {
  flow::ThreadPool pool(1);
  flow::AsyncContext context(pool);
  auto [a, b] = flow_testing::MemoryPair(16);
  auto fa = flow::AsyncFlow::From(std::move(a), context);
  auto fb = flow::AsyncFlow::From(std::move(b), context);
  ASSERT_TRUE(fa.ok() && fb.ok());
  auto r = fb->Read();
  auto w = fa->Write(std::string(100, 'x'));
  size_t got = 0;
  for (;;) {
    auto x = r.get();
    ASSERT_TRUE(x.ok()) << x.status();
    if (x->is_eof()) break;
    got += x->data().size();
    if (got == 100) { ASSERT_TRUE(w.get().ok()); ASSERT_TRUE(fa->Shutdown(flow::ShutdownMode::kWrite).get().ok()); }
    r = fb->Read();
  }
  EXPECT_EQ(got, 100u);
  auto blocked = fa->Read();
  auto timed = fb->Read(absl::Milliseconds(50));
  EXPECT_TRUE(timed.get()->is_eof());
  auto timed2 = fa->Read(absl::Milliseconds(50));
  EXPECT_EQ(timed2.get().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(fa->Close().get().ok());
  EXPECT_EQ(blocked.get().status().code(), absl::StatusCode::kCancelled);
}
}
