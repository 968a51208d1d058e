// SPDX-License-Identifier: LGPL-2.1-or-later
// TLS with a broker: who is trusted, and what to say if nobody is.
#pragma once

#include <openssl/ssl.h>

#include <string>
#include <string_view>

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

/// What OpenSSL is told for one connection, and what it says of it. The library that connects tells
/// of OpenSSL's errors in its log only.
class TlsContext {
 public:
  /// `broker` is its host and port, for sentences.
  TlsContext(TlsSettings settings, std::string broker);
  TlsContext(const TlsContext &) = delete;
  TlsContext &operator=(const TlsContext &) = delete;
  ~TlsContext();

  /// Returns why the settings cannot be used, as a sentence, or nothing.
  std::string prepare();
  SSL_CTX *get() const { return context_; }

  /// Takes note of OpenSSL's first error, if `line` tells of one.
  void note_log(std::string_view line);
  /// Why TLS failed, as a sentence; empty if it did not.
  std::string failure() const;
  /// What is to be said of a connection that ended without a reason before it was there.
  std::string cut_off() const;

 private:
  static int note_verdict(int good, X509_STORE_CTX *store);

  const TlsSettings settings_;
  const std::string broker_;
  SSL_CTX *context_ = nullptr;
  int verdict_ = X509_V_OK;
  unsigned long error_ = 0;
};

}  // namespace npc
