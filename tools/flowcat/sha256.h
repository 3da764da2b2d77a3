// File: sha256.h
//
// SHA-256 (FIPS 180-4), for the demonstration and for tests that compare
// streams too long to keep.
//
//   flow_tools::Sha256 hash;
//   hash.Update("ab");
//   hash.Update("c");
//   hash.HexDigest();   // "ba7816bf..."
//
// Our own hundred lines, though OpenSSL has it: who uses flow without TLS needs
// no OpenSSL to build it, and `tools/bazelw run //tools:flowcat` must work on a
// machine that has none. It makes no claim against side channels: nothing here
// is secret.
//
// Guarantees: a value, belongs to one thread at a time; never fails.

#ifndef FLOW_TOOLS_FLOWCAT_SHA256_H_
#define FLOW_TOOLS_FLOWCAT_SHA256_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace flow_tools {

class Sha256 {
 public:
  Sha256();

  // Adds `bytes` to what is hashed.
  void Update(absl::string_view bytes);

  // The hash of all that was added so far, as 64 lower-case hex digits. More
  // may be added afterwards.
  std::string HexDigest() const;

 private:
  static constexpr size_t kBlock = 64;

  void Compress(const unsigned char* block);

  std::array<uint32_t, 8> state_;
  std::array<unsigned char, kBlock> pending_ = {};
  uint64_t size_ = 0;
};

}  // namespace flow_tools

#endif  // FLOW_TOOLS_FLOWCAT_SHA256_H_
