// SPDX-License-Identifier: LGPL-2.1-or-later
// HTTP requests that a stop ends at once: libcurl behind one class.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/status.h"

namespace npc::http {

/// How a server is spoken to.
struct HttpSettings {
  std::string server;     ///< host and port, for sentences
  std::string user;       ///< for basic authentication; empty for none
  std::string password;   ///< of the user
  std::string token;      ///< goes into `Authorization: Token …`; empty for none
  std::string ca_file;    ///< the only authorities that are trusted; empty for those of the system
  bool insecure = false;  ///< anybody may answer in the name of the server
  /// How long a request may take in all, besides a second for each KiB of it.
  std::chrono::milliseconds timeout{30000};
};

/// What came back.
struct HttpAnswer {
  Status result;         ///< whether there was an answer
  long status = 0;       ///< of HTTP; 0: there was no answer
  std::string body;      ///< at most its first 2 MiB
  std::string redirect;  ///< where it sends us; we do not go there
  std::chrono::seconds retry_after{0};
  bool slow = false;  ///< there was no answer in the time that a request may take in all
};

/// Sends requests one after the other, over one connection as long as it lasts. Used by one thread.
class HttpClient {
 public:
  /// Throws std::runtime_error if libcurl cannot be set up.
  explicit HttpClient(HttpSettings settings);
  ~HttpClient();

  /// Posts a body of plain text to an address without credentials. A server that says nothing is
  /// given up after 20 s, and one that takes the request or answers too slowly after
  /// HttpSettings::timeout and a second for each KiB of the request.
  HttpAnswer post(const std::string &url, std::string_view body, bool gzipped,
                  std::stop_token stop);

 private:
  class Curl;
  const HttpSettings settings_;
  const std::unique_ptr<Curl> curl_;
};

/// `text` as it may stand in a part of an address.
std::string percent_encoded(std::string_view text);

/// What a stranger said, fit for a sentence: one line of at most 200 printable characters.
std::string printable(std::string_view text);

/// Throws std::bad_alloc.
std::string gzipped(std::string_view text);

}  // namespace npc::http
