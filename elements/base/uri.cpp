// SPDX-License-Identifier: LGPL-2.1-or-later
// Parsing of URIs; the errors are sentences.
#include "base/uri.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <utility>

namespace npc {
namespace {

constexpr std::string_view kSpace = " \t\r\n\v\f";
constexpr std::string_view kHidden = "***";

// Why a text is no URI: the text itself may hold a secret, so it is not part of this.
struct Fault {
  std::string error;
};

// Under which name a secret is typed where it must not be, and what it is.
struct SecretName {
  std::string_view name;
  std::string_view what;
};
constexpr SecretName kSecretNames[] = {
    {"password", "password"}, {"passwd", "password"}, {"pass", "password"}, {"pwd", "password"},
    {"p", "password"},        {"secret", "password"}, {"token", "token"}};

// What follows them is no host, but may have a colon and an @.
constexpr std::string_view kLocalSchemes[] = {"file", "gpio", "lora", "unix"};

// Before their host there may be a user, who may be shown.
constexpr std::string_view kNetworkSchemes[] = {"influxdb", "influxdbs", "mqtt",
                                                "mqtts",    "ws",        "wss"};

// What these parameters hold may be shown. A name that is not here may be that of a secret,
// mistyped.
constexpr std::string_view kShownParameters[] = {"ack",
                                                 "active",
                                                 "bandwidth",
                                                 "board",
                                                 "bucket",
                                                 "ca-file",
                                                 "camera",
                                                 "cameras",
                                                 "cert-file",
                                                 "client-id",
                                                 "discovery",
                                                 "discovery-form",
                                                 "discovery-prefix",
                                                 "expiry",
                                                 "format",
                                                 "frequency",
                                                 "fsync",
                                                 "gaps",
                                                 "gpio-chip",
                                                 "group",
                                                 "history",
                                                 "insecure",
                                                 "key-file",
                                                 "lines",
                                                 "off",
                                                 "on",
                                                 "org",
                                                 "password-file",
                                                 "period",
                                                 "pins",
                                                 "power",
                                                 "pulse",
                                                 "qos",
                                                 "region",
                                                 "resend",
                                                 "rp",
                                                 "session",
                                                 "sf",
                                                 "site",
                                                 "speed",
                                                 "stale",
                                                 "state-file",
                                                 "token-file",
                                                 "topic-prefix",
                                                 "topics"};

/// A parameter's name and a space, or nothing: of a mistyped one the name may be part of a secret.
std::string shown(const std::string &name) {
  const bool known = std::find(std::begin(kShownParameters), std::end(kShownParameters), name) !=
                     std::end(kShownParameters);
  return known ? name + " " : std::string();
}

bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return result;
}

std::string decode(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); i++) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2]))
        throw Fault{"a % must be followed by two hexadecimal digits; write %25 for a %"};
      unsigned value = 0;
      std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
      c = static_cast<char>(value);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      throw Fault{"it contains a control character"};
    result += c;
  }
  return result;
}

std::uint16_t parse_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port < 1 || port > 65535)
    throw Fault{"the port must be a number from 1 to 65535"};
  return static_cast<std::uint16_t>(port);
}

// What the parameter holds, if it is a secret.
std::string_view secret_in(std::string_view name) {
  const std::string lowered = lower(name);
  const auto found = std::find_if(std::begin(kSecretNames), std::end(kSecretNames),
                                  [&](const SecretName &each) { return each.name == lowered; });
  return found == std::end(kSecretNames) ? std::string_view() : found->what;
}

// An address of one link needs the interface that leads there: after %25, as RFC 6874 has it.
// Returns it as it stands before an address for the system, with its %.
std::string take_zone(std::string_view &host) {
  constexpr std::string_view kMark = "%25";
  const auto percent = host.find('%');
  if (percent == std::string_view::npos)
    return {};
  std::string_view zone = host.substr(percent);
  host = host.substr(0, percent);
  const bool marked = zone.starts_with(kMark);
  zone.remove_prefix(marked ? kMark.size() : 1);
  if (!marked || zone.empty() || !std::all_of(zone.begin(), zone.end(), [](char c) {
        return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
      }))
    throw Fault{"the interface of an IPv6 address is written after %25, as in [fe80::1%25eth0]"};
  return "%" + std::string(zone);
}

bool is_host(std::string_view host, bool bracketed) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [bracketed](char c) {
    if (bracketed)
      return is_hex(c) || c == ':' || c == '.';
    return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
  });
}

void parse_authority(std::string_view authority, Uri &uri) {
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    const std::string_view user = authority.substr(0, at);
    if (user.empty())
      throw Fault{"there is no user name before the @"};
    uri.user = decode(user);
    authority.remove_prefix(at + 1);
  }

  const bool bracketed = authority.starts_with('[');
  const auto host_end = bracketed ? authority.find(']') : authority.find(':');
  if (bracketed && host_end == std::string_view::npos)
    throw Fault{"the ] after the IPv6 address is missing"};
  std::string_view host =
      bracketed ? authority.substr(1, host_end - 1) : authority.substr(0, host_end);
  authority.remove_prefix(std::min(authority.size(), bracketed ? host_end + 1 : host.size()));
  const std::string zone = bracketed ? take_zone(host) : std::string();
  if (!authority.empty() && authority.front() != ':')
    throw Fault{"only :port may follow the ] of an IPv6 address"};
  if (!authority.empty() && authority.find(':', 1) != std::string_view::npos)
    throw Fault{"an IPv6 address must be in brackets, as in mqtt://[::1]:1883"};
  if (!authority.empty())
    uri.port = parse_port(authority.substr(1));
  if ((!host.empty() || !zone.empty()) && !is_host(host, bracketed)) {
    throw Fault{bracketed ? "what is in brackets is not an IPv6 address"
                          : "the host name may have only letters, digits, -, . and _"};
  }
  uri.host = lower(host) + zone;
}

void parse_query(std::string_view query, Uri &uri) {
  while (!query.empty()) {
    const auto end = query.find('&');
    const std::string_view item = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    const auto equals = item.find('=');
    if (equals == std::string_view::npos || equals == 0)
      throw Fault{"after the ? there must be name=value, separated by &"};
    if (const std::string what(secret_in(item.substr(0, equals))); !what.empty()) {
      throw Fault{"a " + what +
                  " must not be written here, where others can read it; put it in "
                  "a file and give its name with " +
                  what + "-file=/path/to/file"};
    }
    std::string name = decode(item.substr(0, equals));
    std::string value = decode(item.substr(equals + 1));
    if (value.empty())
      throw Fault{(shown(name).empty() ? "a parameter " : "the parameter ") + shown(name) +
                  "has no value"};
    if (!uri.parameters.emplace(name, std::move(value)).second)
      throw Fault{(shown(name).empty() ? "a parameter " : "the parameter ") + shown(name) +
                  "is given twice"};
  }
}

bool is_local(std::string_view scheme) {
  return std::find(std::begin(kLocalSchemes), std::end(kLocalSchemes), scheme) !=
         std::end(kLocalSchemes);
}

bool is_network(std::string_view scheme) {
  return std::find(std::begin(kNetworkSchemes), std::end(kNetworkSchemes), scheme) !=
         std::end(kNetworkSchemes);
}

// Whatever a password has in it, be it / ? # @ or a colon, it stands between a colon and an @.
void refuse_password(std::string_view scheme, std::string_view rest) {
  if (is_local(scheme) && (!rest.starts_with("//") || rest.starts_with("///")))
    return;
  const auto at = rest.rfind('@');
  if (at == std::string_view::npos || rest.find(':') > at)
    return;
  throw Fault{
      "a password must not be written here, where others can read it; put it in a file and give "
      "its name with ?password-file=/path/to/file. (If this is none, write %40 for the last @)"};
}

Uri take_apart(std::string_view text) {
  Uri uri;
  uri.scheme = scheme_of(text);
  if (uri.scheme.empty())
    throw Fault{"it does not begin with a scheme and a colon"};
  std::string_view rest = text.substr(uri.scheme.size() + 1);
  refuse_password(uri.scheme, rest);
  if (rest.find('#') != std::string_view::npos)
    throw Fault{"a # has no meaning here; write %23 for a #"};

  std::string_view query;
  if (const auto mark = rest.find('?'); mark != std::string_view::npos) {
    query = rest.substr(mark + 1);
    rest = rest.substr(0, mark);
  }
  if (rest.starts_with("//")) {
    uri.has_authority = true;
    rest.remove_prefix(2);
    const auto end = std::min(rest.find('/'), rest.size());
    parse_authority(rest.substr(0, end), uri);
    rest.remove_prefix(end);
  }
  uri.path = decode(rest);
  parse_query(query, uri);
  return uri;
}

// Whether nothing but the values of unknown parameters can be a secret. What has no host after its
// scheme is a password as likely as not: user:password. A password may begin with // too: what is
// before an @ is a user's name only after a scheme that has one.
bool may_be_shown(std::string_view text) {
  try {
    const Uri uri = take_apart(text);
    const bool harmless = is_network(uri.scheme) || text.find('@') == std::string_view::npos;
    return is_local(uri.scheme) || (uri.has_authority && harmless);
  } catch (const Fault &) {
    return false;
  }
}

std::string hide(std::string_view text) {
  const std::string scheme = scheme_of(text);
  return (scheme.empty() ? "" : scheme + ":").append(kHidden);
}

// From the first unknown one to the end: an & may be part of what it holds.
std::string hide_unknown_parameters(std::string_view text) {
  for (auto begin = text.find('?'); begin < text.size(); begin = text.find('&', begin)) {
    begin++;
    const auto equals = std::min(text.find('=', begin), text.size());
    if (equals < text.size() &&
        std::find(std::begin(kShownParameters), std::end(kShownParameters),
                  text.substr(begin, equals - begin)) == std::end(kShownParameters))
      return std::string(text.substr(0, equals + 1)).append(kHidden);
  }
  return std::string(text);
}

}  // namespace

UriError::UriError(std::string_view text, std::string_view error)
    : UriError("updater", redact(text), std::string(error)) {}

UriError::UriError(std::string_view role, std::string shown, std::string error)
    : std::runtime_error("The " + std::string(role) + " \"" + shown + "\" is refused: " + error +
                         "."),
      shown_(std::move(shown)),
      error_(std::move(error)) {}

std::string scheme_of(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || !is_alpha(text.front()))
    return {};
  const std::string_view scheme = text.substr(0, colon);
  const bool valid = std::all_of(scheme.begin(), scheme.end(), [](char c) {
    return is_alpha(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
  });
  return valid ? lower(scheme) : std::string();
}

Uri parse_uri(std::string_view text) {
  try {
    Uri uri = take_apart(text);
    uri.text = redact(text);
    return uri;
  } catch (const Fault &error) {
    throw UriError(text, error.error);
  }
}

void Uri::allow_parameters(std::span<const std::string_view> names) const {
  std::string known;
  for (std::string_view name : names)
    known.append(known.empty() ? "" : ", ").append(name);
  const std::string taken = known.empty() ? scheme + ": takes none" : "there are " + known;
  bool all_known = true;
  for (const auto &[name, value] : parameters) {
    if (std::find(names.begin(), names.end(), name) != names.end())
      continue;
    all_known = false;
    // Only the first that is not known is shown: what follows it may be part of a secret.
    if (text.find("?" + name + "=") != std::string::npos ||
        text.find("&" + name + "=") != std::string::npos)
      throw UriError(text, "it has no parameter " + name + "; " + taken);
  }
  if (!all_known)
    throw UriError(text, "it has a parameter that there is not; " + taken);
}

std::string Uri::parameter(const std::string &name, std::string_view otherwise) const {
  const auto found = parameters.find(name);
  return found == parameters.end() ? std::string(otherwise) : found->second;
}

std::string Uri::file_parameter(const std::string &name) const {
  std::string file = parameter(name, "");
  if (!file.empty() && !file.starts_with('/'))
    throw UriError(text, "the path of " + name + " must begin with a /");
  return file;
}

std::string Uri::local_path(const std::string &what, const std::string &example) const {
  if (!user.empty() || !host.empty() || port)
    throw UriError(text, "a " + what + " has no host; write " + scheme + ":/path/to/" + what);
  if (!path.starts_with('/'))
    throw UriError(text, "the path must begin with a /, as in " + example);
  std::string normal = std::filesystem::path(path).lexically_normal().string();
  if (normal.ends_with('/'))
    throw UriError(text, "this is a directory; add the name of a " + what);
  return normal;
}

std::string host_and_port(const std::string &host, std::uint16_t port) {
  std::string text = host;
  if (const auto zone = text.find('%'); zone != std::string::npos)
    text.insert(zone + 1, "25");
  const bool ipv6 = text.find(':') != std::string::npos;
  return (ipv6 ? "[" + text + "]" : text) + ":" + std::to_string(port);
}

std::string redact(std::string_view text) {
  // A password with white space in it is more than one word here, and the first may look harmless.
  std::istringstream words{std::string(text)};
  const bool good = std::all_of(std::istream_iterator<std::string>(words), {}, may_be_shown);
  std::string result;
  while (!text.empty()) {
    const auto begin = std::min(text.find_first_not_of(kSpace), text.size());
    result.append(text.substr(0, begin));
    text.remove_prefix(begin);
    const auto end = std::min(text.find_first_of(kSpace), text.size());
    const std::string_view word = text.substr(0, end);
    if (!word.empty())
      result.append(good ? hide_unknown_parameters(word) : hide(word));
    text.remove_prefix(end);
  }
  return result;
}

}  // namespace npc
