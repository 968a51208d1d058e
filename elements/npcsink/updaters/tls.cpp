// SPDX-License-Identifier: LGPL-2.1-or-later
// The TLS of a connection: who is trusted, and what to say if nobody is.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "connection.h"

namespace npc {
namespace {

// For a server that has nothing to say after its handshake.
constexpr std::chrono::milliseconds kHearing{300};

// A prompt on somebody's terminal would block the thread for ever.
int no_pass_phrase(char *, int, int, void *) {
  return 0;
}

std::string quoted(std::string_view what, const std::string &name) {
  return std::string(what) + " \"" + name + "\"";
}

std::string unreadable(std::string_view what, const std::string &name) {
  return quoted(what, name) + " cannot be read: " + std::generic_category().message(errno) + ".";
}

bool is_address(const std::string &host) {
  return host.find(':') != std::string::npos ||
         host.find_first_not_of("0123456789.") == std::string::npos;
}

std::string load_identity(SSL_CTX *context, const TlsSettings &tls) {
  if (access(tls.cert_file.c_str(), R_OK) != 0)
    return unreadable("The certificate file", tls.cert_file);
  if (SSL_CTX_use_certificate_chain_file(context, tls.cert_file.c_str()) != 1)
    return quoted("The certificate file", tls.cert_file) + " holds no certificate in PEM.";
  if (std::string failure = check_secret_file("The key file", tls.key_file); !failure.empty())
    return failure;
  if (SSL_CTX_use_PrivateKey_file(context, tls.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    const unsigned long error = ERR_peek_last_error();
    if (ERR_GET_LIB(error) == ERR_LIB_X509 && ERR_GET_REASON(error) == X509_R_KEY_VALUES_MISMATCH)
      return quoted("The key file", tls.key_file) + " belongs to another certificate.";
    return quoted("The key file", tls.key_file) +
           " holds no key in PEM without a pass phrase: take that off with openssl pkey.";
  }
  return {};
}

// What the far side's certificate lacks.
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

// What the far side says of ours.
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

std::string check_secret_file(std::string_view what, const std::string &name) {
  struct stat status = {};
  if (stat(name.c_str(), &status) != 0 || access(name.c_str(), R_OK) != 0)
    return unreadable(what, name);
  if (S_ISREG(status.st_mode) && (status.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return quoted(what, name) + " is open to everybody on this machine: run chmod o-rwx " + name +
           ".";
  }
  return {};
}

std::string Connection::prepare(const TlsSettings &tls) {
  ERR_clear_error();
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (!context_)
    return "There is no memory for TLS.";
  SSL_CTX *context = context_.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_default_passwd_cb(context, no_pass_phrase);
  if (!tls.ca_file.empty()) {
    if (access(tls.ca_file.c_str(), R_OK) != 0)
      return unreadable("The CA file", tls.ca_file);
    if (SSL_CTX_load_verify_locations(context, tls.ca_file.c_str(), nullptr) != 1)
      return quoted("The CA file", tls.ca_file) + " holds no certificate in PEM.";
  } else if (SSL_CTX_set_default_verify_paths(context) != 1) {
    return "The system's certificates cannot be read: install the package ca-certificates.";
  }
  has_certificate_ = !tls.cert_file.empty();
  if (has_certificate_) {
    if (std::string failure = load_identity(context, tls); !failure.empty())
      return failure;
  }
  SSL_CTX_set_verify(context, tls.insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  return {};
}

std::string Connection::shake_hands(const TlsSettings &tls, Time until, std::stop_token stop) {
  ssl_.reset(SSL_new(context_.get()));
  if (!ssl_ || SSL_set_fd(ssl_.get(), socket_) != 1)
    return "There is no memory for TLS.";
  X509_VERIFY_PARAM *checks = SSL_get0_param(ssl_.get());
  const bool address = is_address(tls.host);
  const bool set = address ? X509_VERIFY_PARAM_set1_ip_asc(checks, tls.host.c_str()) == 1
                           : SSL_set1_host(ssl_.get(), tls.host.c_str()) == 1 &&
                                 SSL_set_tlsext_host_name(ssl_.get(), tls.host.c_str()) == 1;
  if (!set)
    return "The host name \"" + tls.host + "\" cannot be checked with TLS.";
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(ssl_.get());
    if (result == 1)
      return hear_out(stop);
    short needed = 0;
    if (!blocked(result, &needed))
      return why_.empty() ? tls_failure(true) : why_;
    if (!poll_for(needed, until, stop)) {
      return "The broker at " + target_.name +
             " does not answer to TLS: check the port, or write mqtt://.";
    }
    if (stop.stop_requested())
      return {};
  }
}

// With TLS 1.3 the far side looks at our certificate only now. If we spoke first, its answer could
// be lost with the connection.
std::string Connection::hear_out(std::stop_token stop) {
  if (SSL_version(ssl_.get()) < TLS1_3_VERSION)
    return {};
  poll_for(POLLIN, std::chrono::steady_clock::now() + kHearing, stop);
  char byte;
  std::size_t size = 0;
  ERR_clear_error();
  if (SSL_peek_ex(ssl_.get(), &byte, 1, &size) == 1 || blocked(0, &read_needs_))
    return {};
  return why_.empty() ? tls_failure(true) : why_;
}

// Whether TLS only waits for the socket; else the connection has ended.
bool Connection::blocked(int result, short *wanted) {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      *wanted = POLLIN;
      return true;
    case SSL_ERROR_WANT_WRITE:
      *wanted = POLLOUT;
      return true;
    case SSL_ERROR_SSL:
      why_ = tls_failure(SSL_is_init_finished(ssl_.get()) == 0);
      break;
    default:
      break;
  }
  ended_ = true;
  return false;
}

std::string Connection::tls_failure(bool shaking_hands) const {
  const unsigned long error = ERR_peek_error();
  const long verified = SSL_get_verify_result(ssl_.get());
  if (shaking_hands && ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED &&
      verified != X509_V_OK)
    return certificate_failure(target_.name, verified);
  std::string alert = alert_failure(target_.name, ERR_GET_REASON(error), has_certificate_);
  if (!alert.empty())
    return alert;
  // An end without a farewell is what a lost connection looks like.
  if (error == 0 || ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    if (!shaking_hands)
      return {};
    return "The broker at " + target_.name +
           " ended the connection during TLS's handshake: check the port, or write mqtt://.";
  }
  const char *reason = ERR_reason_error_string(error);
  return "TLS with the broker at " + target_.name +
         " failed: " + (reason != nullptr ? reason : "unknown reason") + ".";
}

}  // namespace npc
