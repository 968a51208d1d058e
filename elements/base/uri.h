// SPDX-License-Identifier: LGPL-2.1-or-later
// The URI that names an updater or a receiver, taken apart.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace npc {

/// Why a URI is refused: a sentence for the user, with as much of `text` as redact() leaves.
class UriError : public std::runtime_error {
 public:
  UriError(std::string_view text, std::string_view error);
  /// The same, where what the URI names is no updater: it is called `role` then.
  UriError as(std::string_view role) const { return UriError(role, shown_, error_); }

 private:
  UriError(std::string_view role, std::string shown, std::string error);

  std::string shown_, error_;
};

/// `scheme:[//[user@]host[:port]][path][?name=value&…]`, percent-decoded.
struct Uri {
  std::string text;    ///< what redact() leaves, for messages
  std::string scheme;  ///< in lower case
  bool has_authority = false;
  std::string user;
  /// In lower case, an IPv6 address without its brackets; the interface of one, as it is written,
  /// follows after a %.
  std::string host;
  std::optional<std::uint16_t> port;
  std::string path;
  std::map<std::string, std::string> parameters;

  /// Refuses parameters that are not among `names`, by name. Throws UriError.
  void allow_parameters(std::span<const std::string_view> names) const;
  void allow_parameters(std::initializer_list<std::string_view> names) const {
    allow_parameters(std::span(names.begin(), names.size()));
  }
  /// The value of a parameter, or `otherwise` if it is not given.
  std::string parameter(const std::string &name, std::string_view otherwise) const;
  /// The file that a parameter names, or nothing if it is not given. Throws UriError if the path
  /// would depend on where the process was started.
  std::string file_parameter(const std::string &name) const;
  /// The normal form of a path on this device that stands after the scheme. `what` is there, as in
  /// "file", and `example` is what users should have written. Throws UriError.
  std::string local_path(const std::string &what, const std::string &example) const;
};

/// The scheme of `text` in lower case, or nothing if it does not begin with one.
std::string scheme_of(std::string_view text);

/// Takes `text` apart. Throws UriError, also if there is a password in it, or what may be one: an @
/// that follows a colon.
Uri parse_uri(std::string_view text);

/// As in a URI: an IPv6 address in brackets, with %25 before its interface.
std::string host_and_port(const std::string &host, std::uint16_t port);

/// What may be shown of what a user typed, URIs separated by white space: all of them, without the
/// values of parameters that there are not. If one is no URI, or may have a password in it, only
/// their schemes. Whatever shows a URI, anywhere, goes through this.
std::string redact(std::string_view text);

}  // namespace npc
