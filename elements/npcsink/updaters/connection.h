// SPDX-License-Identifier: LGPL-2.1-or-later
// A TCP connection, with TLS if wanted, whose waits end when they should.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace npc {

/// How the far side proves who it is, and we who we are. Files hold PEM and are read anew for each
/// connection.
struct TlsSettings {
  std::string host;       ///< the name or address that its certificate must be for
  std::string ca_file;    ///< who may have signed it; empty for those that the system trusts
  std::string cert_file;  ///< our certificate, with what is between it and its CA; empty for none
  std::string key_file;   ///< its key
  bool insecure = false;  ///< takes any certificate
};

/// Why a file with a secret cannot be used, as a sentence that begins with `what` and its name;
/// nothing if it can. One that everybody on the machine may read keeps no secret.
std::string check_secret_file(std::string_view what, const std::string &name);

/// One connection at a time. Used by one thread.
class Connection {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Where to, and what to call it in sentences.
  struct Target {
    std::string name;                  ///< as in `broker at host:1883`
    std::vector<std::string> numbers;  ///< addresses, tried in turn
    std::uint16_t port;
  };

  /// Throws std::system_error if there are no more file handles.
  Connection();
  ~Connection();
  Connection(const Connection &) = delete;

  /// Connects, with TLS if there are settings for it. Returns why it failed, as a sentence, or
  /// nothing, also if a stop ended it.
  std::string open(const Target &target, const TlsSettings *tls, Time until, std::stop_token stop);

  /// Sends what goes at once. Returns how many bytes that was.
  std::size_t write(std::string_view bytes);
  /// Appends what has come to `bytes`. Returns how many bytes that was.
  std::size_t read(std::string &bytes);
  /// Tells the far side at once that what was read has arrived: it may hold back more until then.
  void acknowledge();
  /// Waits until there is something to read, or until write() could go on if `writing`, or until
  /// stop is requested. Returns false if it was the time that ended it.
  bool wait(bool writing, Time until, std::stop_token stop);

  /// Whether the connection has ended; it then stays so until open().
  bool ended() const { return ended_; }
  /// Why, if there is more to say than that it ended: a sentence.
  const std::string &why() const { return why_; }

 private:
  struct Freed {
    void operator()(SSL *ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX *context) const { SSL_CTX_free(context); }
  };

  void close();
  bool connect_to(const std::string &number, std::uint16_t port, Time until, std::stop_token stop);
  std::string prepare(const TlsSettings &tls);
  std::string shake_hands(const TlsSettings &tls, Time until, std::stop_token stop);
  std::string hear_out(std::stop_token stop);
  bool blocked(int result, short *wanted);
  std::string tls_failure(bool shaking_hands) const;
  bool poll_for(short events, Time until, std::stop_token stop);

  Target target_;
  int socket_ = -1;
  int woken_;  // an eventfd that a stop request writes to
  bool ended_ = true;
  bool has_certificate_ = false;
  short read_needs_ = 0;  // what poll() must wait for: TLS may have to read before it can write
  short write_needs_ = 0;
  std::string why_;
  std::unique_ptr<SSL_CTX, Freed> context_;
  std::unique_ptr<SSL, Freed> ssl_;
};

}  // namespace npc
