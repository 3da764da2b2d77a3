#include "flow/net/open.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "flow/changed_fields.h"
#include "flow/fd/fd.h"
#include "flow/net/activation.h"
#include "flow/net/opening.h"
#include "flow/status.h"
#include "flow/sys/syscalls.h"

namespace flow {
namespace {

using S = Address::Scheme;

absl::Status Bad(const Address& address, absl::string_view why) {
  return InvalidArgument(
      absl::StrCat("bad address \"", address.ToString(), "\": ", why));
}

// The scheme that has made `address` out of a text; null if it was not passed
// along.
const Scheme* AddedScheme(const Address& address, const OpenOptions& options) {
  return options.schemes == nullptr
             ? nullptr
             : options.schemes->Find(address.scheme_name);
}

absl::Status NotPassed(const Address& address) {
  return Bad(address, absl::StrCat("there is no scheme \"", address.scheme_name,
                                   "\" in the options"));
}

absl::StatusOr<Flow> HandThrough(Flow accepted, const Limits&) {
  return accepted;
}

// Listens where `address` says: it is of a scheme that is built in.
absl::StatusOr<OpenedListener> ListenOn(const Address& address,
                                        const OpenOptions& options,
                                        FlowUpgrade upgrade) {
  absl::StatusOr<Listener> listener =
      Listen(address.ToString(), options.listen);
  if (!listener.ok()) return listener.status();
  std::string where = listener->address();
  return OpenedListener{*std::move(listener), std::move(upgrade),
                        std::move(where)};
}

absl::StatusOr<OpenedListener> Activate(const Address& address,
                                        const OpenOptions& options) {
  ActivationOptions activation;
  activation.sys = options.listen.sys;
  absl::StatusOr<Listener> listener =
      ListenerFromEnvironment(address.path, activation);
  if (!listener.ok()) return listener.status();
  std::string where = listener->address();
  return OpenedListener{*std::move(listener), HandThrough, std::move(where)};
}

}  // namespace

absl::StatusOr<Flow> Open(const Address& address, const Limits& limits,
                          const OpenOptions& options) {
  Syscalls* const sys =
      options.net.sys != nullptr ? options.net.sys : Syscalls::Real();
  if (address.listens()) {
    return Bad(address, "it listens; flows come from it by being accepted");
  }
  switch (address.scheme) {
    case S::kTcp:
    case S::kUnix:
    case S::kUnixAbstract:
      return Dial(address.ToString(), limits, options.net);
    case S::kFd:
      return internal::OpenFds(address, sys);
    case S::kFile:
      return internal::OpenFile(address, limits, sys);
    case S::kStdio: {
      FdOptions fd_options;
      fd_options.sys = sys;
      return Stdio(fd_options);
    }
    case S::kPty:
      return internal::OpenTerminal(address, sys);
    case S::kExec:
      return internal::OpenCommand(address, sys);
    case S::kOther: {
      const Scheme* const scheme = AddedScheme(address, options);
      if (scheme == nullptr) return NotPassed(address);
      return scheme->open(address, limits, options);
    }
    case S::kTcpListen:
    case S::kUnixListen:
    case S::kUnixAbstractListen:
    case S::kActivate:
      break;
  }
  return Bad(address, "it listens");
}

absl::StatusOr<Flow> Open(absl::string_view address, const Limits& limits,
                          const OpenOptions& options) {
  const absl::StatusOr<Address> parsed = ParseAddress(address, options.schemes);
  if (!parsed.ok()) return parsed.status();
  return Open(*parsed, limits, options);
}

absl::StatusOr<OpenedListener> OpenListener(absl::string_view address,
                                            const OpenOptions& options) {
  const absl::StatusOr<Address> parsed =
      ParseListenAddress(address, options.schemes);
  if (!parsed.ok()) return parsed.status();
  switch (parsed->scheme) {
    case S::kTcpListen:
    case S::kUnixListen:
    case S::kUnixAbstractListen:
      return ListenOn(*parsed, options, HandThrough);
    case S::kActivate:
      return Activate(*parsed, options);
    case S::kOther: {
      if (!parsed->listens()) break;
      const Scheme* const scheme = AddedScheme(*parsed, options);
      if (scheme == nullptr) return NotPassed(*parsed);
      absl::StatusOr<FlowUpgrade> upgrade = scheme->upgrade(*parsed, options);
      if (!upgrade.ok()) return upgrade.status();
      absl::StatusOr<OpenedListener> opened =
          ListenOn(parsed->AsTcp(), options, *std::move(upgrade));
      if (!opened.ok()) return opened.status();
      opened->address =
          absl::StrCat(absl::StripSuffix(parsed->scheme_name, "-listen"), ":",
                       absl::StripPrefix(opened->address, "tcp:"));
      return opened;
    }
    case S::kTcp:
    case S::kUnix:
    case S::kUnixAbstract:
    case S::kFd:
    case S::kFile:
    case S::kStdio:
    case S::kPty:
    case S::kExec:
      break;
  }
  return Bad(*parsed,
             absl::StrCat(parsed->scheme_name, ": can't be listened on"));
}

absl::StatusOr<OpenedListener> OpenListener(const Address& address,
                                            const OpenOptions& options) {
  return OpenListener(address.ToString(), options);
}

absl::StatusOr<Flow> OpenedListener::Accept(const Limits& limits) {
  absl::StatusOr<Flow> accepted = listener.Accept(limits);
  if (!accepted.ok() || upgrade == nullptr) return accepted;
  return upgrade(*std::move(accepted), limits);
}

std::string OpenedListener::ToString() const { return address; }

std::string OpenOptions::ToString() const {
  const OpenOptions usual;
  return internal::ChangedFields()
      .Nest("schemes", schemes == nullptr ? "" : schemes->ToString(), "")
      .Nest("net", net.ToString(), usual.net.ToString())
      .Nest("listen", listen.ToString(), usual.listen.ToString())
      .Text();
}

}  // namespace flow
