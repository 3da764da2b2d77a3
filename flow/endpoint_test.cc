// Endpoint: names of what is at the ends, as a person knows them.

#include "flow/endpoint.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace flow {
namespace {

Endpoint V4(const char* address, uint16_t port, socklen_t length) {
  sockaddr_in in = {};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  inet_pton(AF_INET, address, &in.sin_addr);
  return Endpoint::FromSockaddr(reinterpret_cast<const sockaddr*>(&in), length);
}

Endpoint V6(const char* address, uint16_t port, uint32_t scope,
            socklen_t length) {
  sockaddr_in6 in6 = {};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port);
  in6.sin6_scope_id = scope;
  inet_pton(AF_INET6, address, &in6.sin6_addr);
  return Endpoint::FromSockaddr(reinterpret_cast<const sockaddr*>(&in6),
                                length);
}

// `length` counts the bytes of the path that the kernel says it filled in.
Endpoint Unix(absl::string_view path, size_t length) {
  sockaddr_un un;
  std::memset(&un, 'Z', sizeof(un));  // what is not filled in is garbage
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path.data(), path.size());
  return Endpoint::FromSockaddr(
      reinterpret_cast<const sockaddr*>(&un),
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
}

TEST(EndpointTest, Ipv4IsAddressAndPort) {
  const Endpoint e = V4("127.0.0.1", 5432, sizeof(sockaddr_in));
  EXPECT_EQ(e.kind(), Endpoint::Kind::kTcp4);
  EXPECT_EQ(e.port(), 5432);
  EXPECT_EQ(e.scheme(), "tcp");
  EXPECT_EQ(e.ToString(), "127.0.0.1:5432");
}

TEST(EndpointTest, Ipv6IsInBracketsWithItsScope) {
  const socklen_t whole = sizeof(sockaddr_in6);
  EXPECT_EQ(V6("::1", 80, 0, whole).ToString(), "[::1]:80");
  EXPECT_EQ(V6("::1", 80, 0, whole).kind(), Endpoint::Kind::kTcp6);
  EXPECT_EQ(V6("fe80::1", 80, 4'000'000, whole).ToString(),
            "[fe80::1%4000000]:80");
  const uint32_t lo = if_nametoindex("lo");
  if (lo != 0) {
    EXPECT_EQ(V6("fe80::1", 80, lo, whole).ToString(), "[fe80::1%lo]:80");
  }
}

TEST(EndpointTest, UnixIsAPathAnAbstractNameOrNothing) {
  EXPECT_EQ(Unix(absl::string_view("/run/x.sock", 12), 12).ToString(),
            "/run/x.sock");
  EXPECT_EQ(Unix(absl::string_view("/a\0bc", 5), 5).ToString(), "/a");
  EXPECT_EQ(Unix(absl::string_view("\0abs", 4), 4).ToString(), "@abs");
  EXPECT_EQ(Unix("", 0).ToString(), "(unnamed)");
  EXPECT_EQ(Unix("", 0).kind(), Endpoint::Kind::kUnix);
  EXPECT_EQ(Unix("", 0).scheme(), "unix");
  // A path may fill all of sun_path, without a NUL; a length may be too long.
  const std::string full(sizeof(sockaddr_un::sun_path), 'p');
  EXPECT_EQ(Unix(full, full.size()).ToString(), full);
  EXPECT_EQ(Unix(full, full.size() + 100).ToString(), full);
}

TEST(EndpointTest, WhatIsTooShortOrUnknownIsAQuestionMark) {
  EXPECT_EQ(V4("1.2.3.4", 1, sizeof(sockaddr_in) - 1).ToString(), "?");
  EXPECT_EQ(V6("::1", 1, 0, sizeof(sockaddr_in6) - 1).ToString(), "?");
  EXPECT_EQ(V4("1.2.3.4", 1, 0).ToString(), "?");
  EXPECT_EQ(V4("1.2.3.4", 1, 1).ToString(), "?");
  EXPECT_EQ(Endpoint::FromSockaddr(nullptr, 100).ToString(), "?");
  sockaddr other = {};
  other.sa_family = 250;
  EXPECT_EQ(Endpoint::FromSockaddr(&other, sizeof(other)).kind(),
            Endpoint::Kind::kUnknown);
  EXPECT_EQ(Endpoint().ToString(), "?");
  EXPECT_EQ(Endpoint().scheme(), "");
  EXPECT_EQ(Endpoint().port(), 0);
}

// P6: "no NUL or newline from the peer".
TEST(EndpointTest, AHostileNameCannotForgeLines) {
  const absl::string_view evil("\0x\n\r\x1b[2Jroot:\"\\\x7f\xff", 17);
  for (const std::string& text :
       {Unix(evil, evil.size()).ToString(), Endpoint::Named(evil).ToString(),
        Unix(evil.substr(1), evil.size() - 1).ToString()}) {
    for (const char c : text) {
      EXPECT_TRUE(c >= ' ' && c < 0x7f) << static_cast<int>(c);
    }
  }
}

TEST(EndpointTest, IsAValue) {
  const Endpoint path = Endpoint::Named("pipe fd 3");
  Endpoint copy = path;
  EXPECT_EQ(copy, path);
  EXPECT_EQ(copy.kind(), Endpoint::Kind::kOther);
  Endpoint moved = std::move(copy);
  EXPECT_EQ(moved.ToString(), "pipe fd 3");
  moved = V4("1.2.3.4", 5, sizeof(sockaddr_in));
  EXPECT_NE(moved, path);
  EXPECT_EQ(moved.ToString(), "1.2.3.4:5");
  Endpoint& same = moved;
  moved = same;
  EXPECT_EQ(moved.ToString(), "1.2.3.4:5");
  EXPECT_NE(Endpoint::Named("?"), Endpoint()) << "other kinds, same text";
  std::ostringstream os;
  os << moved;
  EXPECT_EQ(os.str(), "1.2.3.4:5");
}

TEST(EndpointTest, APairSaysTheSchemeOnce) {
  const Endpoint a = V4("127.0.0.1", 5432, sizeof(sockaddr_in));
  const Endpoint b = V4("127.0.0.1", 40112, sizeof(sockaddr_in));
  EXPECT_EQ(EndpointPair(a, b), "tcp 127.0.0.1:5432 -> 127.0.0.1:40112");
  EXPECT_EQ(EndpointPair(Endpoint(), b), "tcp ? -> 127.0.0.1:40112");
  EXPECT_EQ(EndpointPair(Endpoint::Named("a"), Endpoint::Named("b")), "a -> b");
}

}  // namespace
}  // namespace flow
