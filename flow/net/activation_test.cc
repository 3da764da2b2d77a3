// Sockets that a process was started with. The tests run themselves again as
// that process: what it finds and says comes back by its output.

#include "flow/net/activation.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "flow/fd/raw_fds_for_test.h"
#include "flow/flow.h"
#include "flow/net/activation_environment.h"
#include "flow/net/dial.h"
#include "flow/net/listener.h"
#include "flow/net/subprocess.h"
#include "flow/status.h"
#include "flow/sys/unique_fd.h"
#include "flow/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace flow_testing {
namespace {

using flow::Flow;
using flow::Listener;
using flow::internal::ActivationVariables;
using flow::internal::ParseActivation;
using testing::HasSubstr;

constexpr absl::Duration kLong = absl::Seconds(30);

// Prints a status in one line, and what it found.
void Tell(absl::string_view what, const absl::Status& status) {
  std::cout << what << " " << absl::StatusCodeToString(status.code()) << " "
            << status.message() << std::endl;
}

// Serves one client on each of the sockets that have one name.
int ServeAllOfAName(const flow::ActivationOptions& options) {
  absl::StatusOr<Listener> web = flow::ListenerFromEnvironment("web", options);
  if (!web.ok()) return 1;
  for (size_t i = 0; i < web->addresses().size(); ++i) {
    absl::StatusOr<Flow> client = web->Accept(kLong);
    if (!client.ok() || !client->Write("served", kLong).ok()) return 1;
    if (!client->CloseGracefully(kLong).ok()) return 1;
  }
  return web->Close().ok() ? 0 : 1;
}

// The process that was started with sockets, in its several parts.
int RunAsServer(const std::string& part) {
  flow::ActivationOptions options;
  options.unset_environment = true;
  if (part == "all-of-a-name") return ServeAllOfAName(options);
  if (part == "by-name") {
    options.unset_environment = false;
    Tell("none", flow::ListenerFromEnvironment("none", options).status());
    absl::StatusOr<Listener> web =
        flow::ListenerFromEnvironment("web", options);
    Tell("web", web.status());
    Tell("again", flow::ListenerFromEnvironment("web", options).status());
    if (!web.ok()) return 1;
    std::cout << web->address() << " " << FdFlags(web->native_handle())
              << std::endl;
    absl::StatusOr<Flow> client = web->Accept(kLong);
    if (!client.ok() || !client->Write("served", kLong).ok()) return 1;
    return client->CloseGracefully(kLong).ok() && web->Close().ok() ? 0 : 1;
  }
  auto all = flow::ListenersFromEnvironment(options);
  Tell("all", all.status());
  if (all.ok()) {
    for (const flow::ActivatedListener& one : *all) {
      std::cout << one.name << " " << one.listener.address() << std::endl;
    }
  }
  std::cout << (getenv("LISTEN_FDS") == nullptr ? "unset" : "set") << std::endl;
  return 0;
}

// This test as a process that was started with `fds`, `names` as theirs.
absl::StatusOr<flow::Subprocess> Activate(const std::string& part,
                                          const std::vector<int>& fds,
                                          const std::string& names,
                                          const std::string& pid = "$$") {
  flow::SpawnOptions options;
  for (int fd : fds) {
    options.pass.emplace_back(fd, 3 + static_cast<int>(options.pass.size()));
  }
  // Only a shell can say its number and then become the program.
  return flow::Spawn(
      {"/bin/sh", "-c",
       absl::StrCat("LISTEN_PID=", pid, " LISTEN_FDS=", fds.size(), " ",
                    names.empty() ? "" : "LISTEN_FDNAMES=", names,
                    " exec /proc/", getpid(), "/exe --server=", part)},
      options);
}

std::string ReadAll(Flow& from) {
  std::string all;
  for (;;) {
    auto got = from.Read(kLong);
    if (!got.ok() || got->is_eof()) return all;
    all += std::string(got->data().view());
  }
}

TEST(ActivationTest, ASocketIsTakenByItsNameOnce) {
  const ShortTempDir folder;
  const std::string address = absl::StrCat("unix:", folder.Path("s"));
  absl::StatusOr<Listener> listener = flow::Listen(address);
  absl::StatusOr<Listener> other = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(listener, IsOk());
  ASSERT_THAT(other, IsOk());
  absl::StatusOr<flow::Subprocess> server =
      Activate("by-name", {other->native_handle(), listener->native_handle()},
               "admin:web");
  ASSERT_THAT(server, IsOk());
  absl::StatusOr<Flow> client = flow::Dial(address, kLong);
  ASSERT_THAT(client, IsOk());
  EXPECT_THAT(client->Read(kLong), IsData("served"));
  EXPECT_THAT(client->Close(), IsOk());
  EXPECT_EQ(ReadAll(server->stdout_flow()),
            absl::StrCat("none NOT_FOUND no socket called \"none\" is left of "
                         "the 2 that this process was started with\n"
                         "web OK \n"
                         "again NOT_FOUND no socket called \"web\" is left of "
                         "the 2 that this process was started with\n",
                         address, " ", FD_CLOEXEC, "\n"));
  EXPECT_THAT(server->Wait(kLong), IsOkAndHolds(flow::ExitStatus::Exited(0)));
  // The path is whoever's made it, and so is the socket.
  EXPECT_EQ(access(folder.Path("s").c_str(), F_OK), 0);
  EXPECT_THAT(flow::Dial(address, kLong), IsOk());
}

// sd_listen_fds(3): all sockets of a unit have one name.
TEST(ActivationTest, AllSocketsOfANameAreOneListener) {
  absl::StatusOr<Listener> one = flow::Listen("tcp:127.0.0.1:0");
  absl::StatusOr<Listener> two = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(one, IsOk());
  ASSERT_THAT(two, IsOk());
  absl::StatusOr<flow::Subprocess> server = Activate(
      "all-of-a-name", {one->native_handle(), two->native_handle()}, "web:web");
  ASSERT_THAT(server, IsOk());
  for (const Listener* listener : {&*one, &*two}) {
    absl::StatusOr<Flow> client = flow::Dial(listener->address(), kLong);
    ASSERT_THAT(client, IsOk());
    EXPECT_THAT(client->Read(kLong), IsData("served"));
    EXPECT_THAT(client->Close(), IsOk());
  }
  EXPECT_THAT(server->Wait(kLong), IsOkAndHolds(flow::ExitStatus::Exited(0)));
}

TEST(ActivationTest, AllAreGivenWithTheirNames) {
  absl::StatusOr<Listener> a = flow::Listen("tcp:127.0.0.1:0");
  absl::StatusOr<Listener> b = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(a, IsOk());
  ASSERT_THAT(b, IsOk());
  const std::vector<int> fds = {a->native_handle(), b->native_handle()};
  auto named = Activate("all", fds, "x:y");
  ASSERT_THAT(named, IsOk());
  EXPECT_EQ(ReadAll(named->stdout_flow()),
            absl::StrCat("all OK \nx ", a->address(), "\ny ", b->address(),
                         "\nunset\n"));
  auto unnamed = Activate("all", fds, "");
  ASSERT_THAT(unnamed, IsOk());
  EXPECT_EQ(ReadAll(unnamed->stdout_flow()),
            absl::StrCat("all OK \nunknown ", a->address(), "\nunknown ",
                         b->address(), "\nunset\n"));
}

TEST(ActivationTest, WhatIsSaidToAnotherProcessGivesNothing) {
  absl::StatusOr<Listener> a = flow::Listen("tcp:127.0.0.1:0");
  ASSERT_THAT(a, IsOk());
  auto server = Activate("all", {a->native_handle()}, "x", "1");
  ASSERT_THAT(server, IsOk());
  EXPECT_EQ(ReadAll(server->stdout_flow()), "all OK \nunset\n");
  auto none =
      flow::Spawn({absl::StrCat("/proc/", getpid(), "/exe"), "--server=all"});
  ASSERT_THAT(none, IsOk());
  EXPECT_EQ(ReadAll(none->stdout_flow()), "all OK \nunset\n");
}

TEST(ActivationTest, WhatDoesNotListenIsAnErrorThatNamesIt) {
  const RawPair pair = RawSocketPair();
  auto server = Activate("all", {pair.first.get()}, "log");
  ASSERT_THAT(server, IsOk());
  EXPECT_EQ(ReadAll(server->stdout_flow()),
            "all INVALID_ARGUMENT socket activation, \"log\": fd 3 is a "
            "socket that does not listen\nunset\n");
  auto pipe = Activate("all", {0}, "log");
  ASSERT_THAT(pipe, IsOk());
  EXPECT_THAT(ReadAll(pipe->stdout_flow()),
              HasSubstr("INVALID_ARGUMENT socket activation, \"log\": "));
}

TEST(ActivationTest, VariablesThatMakeNoSenseAreRefused) {
  const auto parse = [](const char* pid, const char* fds, const char* names) {
    ActivationVariables variables;
    variables.pid = pid;
    variables.fds = fds;
    variables.names = names;
    return ParseActivation(variables, 77);
  };
  const auto refused = StatusIs(absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(parse("77x", "1", nullptr), refused);
  EXPECT_THAT(parse("", "1", nullptr), refused);
  EXPECT_THAT(parse("77", "-1", nullptr), refused);
  EXPECT_THAT(parse("77", "", nullptr), refused);
  EXPECT_THAT(parse("77", "99999999999", nullptr), refused);
  EXPECT_THAT(parse("77", "2", "one"), refused);
  EXPECT_THAT(parse("77", "1", "one:two"), refused);
  const auto size = [](size_t n) { return IsOkAndHolds(testing::SizeIs(n)); };
  EXPECT_THAT(parse("77", "2", "one:two"), size(2));
  EXPECT_THAT(parse("77", "0", ""), size(0));
  EXPECT_THAT(parse("78", "1", nullptr), size(0));
  EXPECT_THAT(parse(nullptr, "1", nullptr), size(0));
  EXPECT_THAT(parse("77", nullptr, nullptr), size(0));
  EXPECT_EQ(parse("77", "2", "one:")->at(1).name, "");
  EXPECT_EQ(parse("77", "2", nullptr)->at(1).fd, 4);
}

// P1: "as Dial would be told", whatever bytes the name has.
TEST(ActivationTest, AnAdoptedListenersAddressIsTheOneThatDialReads) {
  const ShortTempDir folder;
  for (const std::string& where :
       {absl::StrCat("unix:", folder.Path("a%2Cb%25c%0A%5C"), "\\\"'%FF@"),
        absl::StrCat("unix-abstract:flow%00%2C%25\\%01", getpid())}) {
    absl::StatusOr<Listener> listener = flow::Listen(where);
    ASSERT_THAT(listener, IsOk());
    absl::StatusOr<Listener> adopted =
        flow::AdoptListener(flow::UniqueFd(dup(listener->native_handle())));
    ASSERT_THAT(adopted, IsOk());
    EXPECT_EQ(adopted->address(), listener->address());
    EXPECT_THAT(flow::Dial(adopted->address(), kLong), IsOk());
    EXPECT_THAT(adopted->Accept(kLong), IsOk());
  }
}

// P5: an adopted listener owns its descriptor, whatever comes of it.
TEST(ActivationTest, AdoptListenerTakesWhatListensAndClosesTheRest) {
  const int fds = CountOpenFds();
  RawPair pair = RawSocketPair();
  EXPECT_THAT(flow::AdoptListener(std::move(pair.first)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  RawPair pipe = RawPipe();
  EXPECT_THAT(
      flow::AdoptListener(std::move(pipe.first)),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no socket")));
  EXPECT_THAT(flow::AdoptListener(flow::UniqueFd(12345)),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(flow::AdoptListener(flow::UniqueFd(
                  RawSocketPair(SOCK_SEQPACKET).first.release())),
              StatusIs(absl::StatusCode::kInvalidArgument));
  pair.second.reset();
  pipe.second.reset();
  // (Those of the reaper of the programs above may go at any time.)
  EXPECT_LE(CountOpenFds(), fds);
}

}  // namespace
}  // namespace flow_testing

int main(int argc, char** argv) {
  constexpr absl::string_view kServer = "--server=";
  if (argc == 2 && std::string(argv[1]).rfind(std::string(kServer), 0) == 0) {
    return flow_testing::RunAsServer(argv[1] + kServer.size());
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
