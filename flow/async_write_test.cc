// What an AsyncFlow's writes own, in each of their forms, and what of it
// arrives when they are cut (P2, P9).

#include <cstddef>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/time/time.h"
#include "flow/async_context.h"
#include "flow/async_flow.h"
#include "flow/async_test_support.h"
#include "flow/buffer.h"
#include "flow/cancel.h"
#include "flow/flow.h"
#include "flow/limits.h"
#include "flow/status.h"
#include "flow/testing/matchers.h"
#include "flow/testing/memory_pair.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::AsyncFlow;

enum class Form { kString, kBuffer, kCord, kPieces };
enum class Cut { kToken, kDeadline, kClose, kContext, kHandle };

// In a form whose source is gone by the time that it is sent.
std::future<absl::Status> WriteAs(Form form, AsyncFlow& flow, std::string bytes,
                                  const flow::Limits& limits) {
  switch (form) {
    case Form::kString:
      return flow.Write(std::move(bytes), limits);
    case Form::kBuffer: {
      flow::Buffer source = flow::Buffer::CopyOf(bytes);
      return flow.Write(std::move(source), limits);
    }
    case Form::kCord:
      return flow.Write(absl::Cord(bytes), limits);
    case Form::kPieces:
      break;
  }
  const size_t half = bytes.size() / 2;
  return flow.Writev({bytes.substr(0, half), "", bytes.substr(half)}, limits);
}

// Of `size` bytes, more than are read before it is cut.
void ExpectAnExactPrefix(Form form, Cut cut, size_t size) {
  auto context = std::make_unique<flow::AsyncContext>();
  auto [near, far] = MemoryPair(/*capacity=*/8);
  AsyncFlow async = On(*context, std::move(near));
  std::string bytes(size, '.');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + i % 26);
  flow::CancelSource source;
  flow::Limits limits = source.token();
  auto first = WriteAs(form, async, bytes, limits);
  auto second = WriteAs(form, async, "never sent", limits);
  std::string arrived;
  while (arrived.size() < 10) {
    arrived += far.Read(absl::Seconds(30)).value()->ToString();
  }
  if (cut == Cut::kToken) source.Cancel();
  if (cut == Cut::kDeadline) source.SetDeadline(absl::ZeroDuration());
  if (cut == Cut::kClose) async.Close().get().IgnoreError();
  if (cut == Cut::kContext) context.reset();
  if (cut == Cut::kHandle) async = AsyncFlow();
  const absl::Status told = first.get();
  EXPECT_FALSE(told.ok());
  EXPECT_FALSE(second.get().ok());
  async = AsyncFlow();
  for (auto got = far.Read(); got.ok() && !got->is_eof(); got = far.Read()) {
    arrived += got->data().ToString();
  }
  EXPECT_EQ(arrived, bytes.substr(0, flow::BytesDone(told))) << told;
}

TEST(AsyncWriteTest, WhatIsCutIsAnExactPrefixWhateverFormItHas) {
  for (const Form form :
       {Form::kString, Form::kBuffer, Form::kCord, Form::kPieces}) {
    for (const Cut cut : {Cut::kToken, Cut::kDeadline, Cut::kClose,
                          Cut::kContext, Cut::kHandle}) {
      for (const size_t size : {50, 5'000}) {
        SCOPED_TRACE(testing::Message() << static_cast<int>(form) << " cut by "
                                        << static_cast<int>(cut));
        ExpectAnExactPrefix(form, cut, size);
      }
    }
  }
}

// "Empty: OK if the side is open", in its place or not; a moved-from source is
// an empty one.
TEST(AsyncWriteTest, AnEmptyOneOfAnyFormIsOk) {
  flow::AsyncContext context;
  auto [a, b] = MemoryOn(context, 4);
  std::string moved = "01234567";
  auto waits = a.Write(std::move(moved));
  moved.clear();
  EXPECT_THAT(a.Write(std::move(moved)).get(), IsOk());
  EXPECT_THAT(a.Write(flow::Buffer()).get(), IsOk());
  EXPECT_THAT(a.Write(absl::Cord()).get(), IsOk());
  EXPECT_THAT(a.Writev({}).get(), IsOk());
  EXPECT_THAT(a.Close().get(), IsOk());
  EXPECT_THAT(a.Write(flow::Buffer()).get(),
              IsKind(flow::ErrorKind::kClosedLocally));
  EXPECT_FALSE(waits.get().ok());
}

}  // namespace
}  // namespace flow_testing
