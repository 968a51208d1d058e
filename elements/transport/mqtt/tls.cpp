// SPDX-License-Identifier: LGPL-2.1-or-later
// OpenSSL's settings for a broker, and what its codes mean, as sentences.
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <string_view>
#include <utility>

#include "base/secretfile.h"
#include "transport/mqtt/tls.h"

namespace npc::mqtt {
namespace {

// A prompt on somebody's terminal would block the thread for ever.
int no_pass_phrase(char *, int, int, void *) {
  return 0;
}

std::string quoted(std::string_view what, const std::string &name) {
  return std::string(what) + " \"" + name + "\"";
}

bool is_address(const std::string &host) {
  return host.find(':') != std::string::npos ||
         host.find_first_not_of("0123456789.") == std::string::npos;
}

Status load_identity(SSL_CTX *context, const TlsSettings &tls) {
  if (Status status = check_file("The certificate file", tls.cert_file); !status.is_ok())
    return status;
  if (SSL_CTX_use_certificate_chain_file(context, tls.cert_file.c_str()) != 1)
    return Status::failed(quoted("The certificate file", tls.cert_file) +
                          " holds no certificate in PEM.");
  if (Status status = check_secret_file("The key file", tls.key_file); !status.is_ok())
    return status;
  if (SSL_CTX_use_PrivateKey_file(context, tls.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    const unsigned long error = ERR_peek_last_error();
    if (ERR_GET_LIB(error) == ERR_LIB_X509 && ERR_GET_REASON(error) == X509_R_KEY_VALUES_MISMATCH)
      return Status::failed(quoted("The key file", tls.key_file) +
                            " belongs to another certificate.");
    return Status::failed(
        quoted("The key file", tls.key_file) +
        " holds no key in PEM without a pass phrase: take that off with openssl pkey.");
  }
  return {};
}

// What the remote's certificate lacks.
std::string certificate_failure(const std::string &name, long result) {
  const std::string certificate = "The certificate of the broker at " + name;
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return certificate + " has expired: renew it there, or set the clock here.";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return certificate + " is not valid yet: set the clock here.";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return certificate + " is for another host: write the name that is in it.";
    case X509_V_ERR_CERT_REVOKED:
      return certificate + " was revoked.";
    default:
      return certificate + " is not trusted (" + X509_verify_cert_error_string(result) +
             "): name the file of who signed it with ca-file=.";
  }
}

// What the remote says of ours.
std::string alert_failure(const std::string &name, int reason, bool has_certificate) {
  const std::string broker = "The broker at " + name;
  switch (reason) {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_SSLV3_ALERT_NO_CERTIFICATE:
      if (!has_certificate)
        return broker +
               " wants a certificate of ours: name its files with cert-file= and key-file=.";
      [[fallthrough]];
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
      return broker + " does not trust our certificate: check cert-file= and who signed it.";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return broker + " says that our certificate has expired: renew what is in cert-file=.";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
      return broker + " says that our certificate was revoked: get another one.";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
      return broker + " does not speak TLS on this port: check the port, or write mqtt://.";
    default:
      return {};
  }
}

}  // namespace

TlsContext::TlsContext(TlsSettings settings, std::string broker)
    : settings_(std::move(settings)), broker_(std::move(broker)) {}

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

int TlsContext::note_verdict(int good, X509_STORE_CTX *store) {
  if (good == 0) {
    const auto *ssl =
        static_cast<SSL *>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto *self = static_cast<TlsContext *>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    self->verdict_ = X509_STORE_CTX_get_error(store);
  }
  return good;
}

Status TlsContext::prepare() {
  ERR_clear_error();
  context_ = SSL_CTX_new(TLS_client_method());
  if (context_ == nullptr)
    return Status::failed("There is no memory for TLS.");
  SSL_CTX_set_app_data(context_, this);
  SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);
  SSL_CTX_set_default_passwd_cb(context_, no_pass_phrase);
  if (!settings_.ca_file.empty()) {
    if (Status status = check_file("The CA file", settings_.ca_file); !status.is_ok())
      return status;
    if (SSL_CTX_load_verify_locations(context_, settings_.ca_file.c_str(), nullptr) != 1)
      return Status::failed(quoted("The CA file", settings_.ca_file) +
                            " holds no certificate in PEM.");
  } else if (SSL_CTX_set_default_verify_paths(context_) != 1) {
    return Status::failed(
        "The system's certificates cannot be read: install the package ca-certificates.");
  }
  if (!settings_.cert_file.empty()) {
    if (Status status = load_identity(context_, settings_); !status.is_ok())
      return status;
  }
  if (settings_.insecure) {
    SSL_CTX_set_verify(context_, SSL_VERIFY_NONE, nullptr);
    return {};
  }
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, note_verdict);
  X509_VERIFY_PARAM *checks = SSL_CTX_get0_param(context_);
  const bool set = is_address(settings_.host)
                       ? X509_VERIFY_PARAM_set1_ip_asc(checks, settings_.host.c_str()) == 1
                       : X509_VERIFY_PARAM_set1_host(checks, settings_.host.c_str(), 0) == 1;
  if (!set)
    return Status::failed("The host name \"" + settings_.host + "\" cannot be checked with TLS.");
  return {};
}

SSL *TlsContext::start(int socket) const {
  SSL *ssl = SSL_new(context_);
  if (ssl == nullptr)
    return nullptr;
  SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_set_fd(ssl, socket);
  if (!is_address(settings_.host))
    SSL_set_tlsext_host_name(ssl, settings_.host.c_str());
  return ssl;
}

void TlsContext::note_error() {
  if (error_ == 0)
    error_ = ERR_peek_error();
}

std::string TlsContext::cut_off() const {
  return "The broker at " + broker_ +
         " ended the connection during TLS's handshake: check the port, or write mqtt://. If it "
         "wants another certificate of ours, its log says so.";
}

std::string TlsContext::failure() const {
  if (verdict_ != X509_V_OK)
    return certificate_failure(broker_, verdict_);
  const int reason = ERR_GET_REASON(error_);
  std::string alert = alert_failure(broker_, reason, !settings_.cert_file.empty());
  if (!alert.empty() || error_ == 0)
    return alert;
  // Or it was cut off, which is an error of the system and has no text here.
  if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING || ERR_SYSTEM_ERROR(error_))
    return cut_off();
  const char *text = ERR_reason_error_string(error_);
  return "TLS with the broker at " + broker_ +
         " failed: " + (text != nullptr ? text : "unknown reason") + ".";
}

}  // namespace npc::mqtt
