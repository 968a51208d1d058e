// SPDX-License-Identifier: LGPL-2.1-or-later
// TLS with a broker: who is trusted, and what to say if nobody is.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "base/status.h"

namespace npc::mqtt {

/// How the remote proves who it is, and we who we are. Files hold PEM and are read anew for each
/// connection.
struct TlsSettings {
  std::string host;       ///< the name or address that its certificate must be for
  std::string ca_file;    ///< who may have signed it; empty for those that the system trusts
  std::string cert_file;  ///< our certificate, with what is between it and its CA; empty for none
  std::string key_file;   ///< its key
  bool insecure = false;  ///< takes any certificate
};

/// The settings of OpenSSL for one connection, and its errors.
class TlsContext {
 public:
  /// `broker` is its host and port, for sentences.
  TlsContext(TlsSettings settings, std::string broker);
  TlsContext(const TlsContext &) = delete;
  TlsContext &operator=(const TlsContext &) = delete;
  ~TlsContext();

  /// Takes the settings over. Fails if they cannot be used.
  Status prepare();
  /// What speaks TLS on `socket`, for the caller to free; nothing if there is no memory.
  SSL *start(int socket) const;
  /// Takes note of OpenSSL's error on this thread.
  void note_error();
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

}  // namespace npc::mqtt
