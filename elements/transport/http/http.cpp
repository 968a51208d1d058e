// SPDX-License-Identifier: LGPL-2.1-or-later
// libcurl's multi interface with one transfer: the only one that a stop can wake.
#include "transport/http/http.h"

#include <curl/curl.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <new>
#include <stdexcept>

namespace npc::http {
namespace {

constexpr long kConnectSeconds = 10;
constexpr long kSilentSeconds = 20;
// libcurl counts its time in whole ms, and from a moment of its own.
constexpr std::chrono::milliseconds kRounding{10};
constexpr std::size_t kMostBody = 2 << 20;
constexpr std::size_t kMostShown = 200;
// libcurl says it of what callbacks stop; we have none that do.
constexpr CURLcode kStopped = CURLE_ABORTED_BY_CALLBACK;

struct FreeList {
  void operator()(curl_slist *list) const { curl_slist_free_all(list); }
};

size_t keep(char *data, size_t, size_t count, void *user) {
  auto &body = *static_cast<std::string *>(user);
  body.append(data, std::min(count, kMostBody - body.size()));
  return count;
}

}  // namespace

class HttpClient::Curl {
 public:
  explicit Curl(const HttpSettings &settings);
  ~Curl();

  HttpAnswer post(const HttpSettings &settings, const std::string &url, std::string_view body,
                  bool gzipped, std::stop_token stop);

 private:
  void set_up(const HttpSettings &settings);
  void set_up_tls(const HttpSettings &settings);
  CURLcode run(std::stop_token stop);
  HttpAnswer answer() const;
  HttpAnswer failure(const HttpSettings &settings, CURLcode code, curl_off_t size,
                     bool took_its_time) const;
  std::string sentence(const HttpSettings &settings, CURLcode code) const;

  CURLM *multi_ = nullptr;
  CURL *easy_ = nullptr;
  std::unique_ptr<curl_slist, FreeList> headers_;
  std::unique_ptr<curl_slist, FreeList> gzip_headers_;
  std::array<char, CURL_ERROR_SIZE> error_ = {};
  std::string body_;
};

HttpClient::Curl::Curl(const HttpSettings &settings) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  multi_ = curl_multi_init();
  easy_ = curl_easy_init();
  const std::string token = "Authorization: Token " + settings.token;
  for (const char *header : {"Content-Type: text/plain; charset=utf-8",
                             "Expect:", settings.token.empty() ? nullptr : token.c_str()}) {
    if (header == nullptr)
      continue;
    headers_.reset(curl_slist_append(headers_.release(), header));
    gzip_headers_.reset(curl_slist_append(gzip_headers_.release(), header));
  }
  gzip_headers_.reset(curl_slist_append(gzip_headers_.release(), "Content-Encoding: gzip"));
  if (multi_ == nullptr || easy_ == nullptr || !headers_ || !gzip_headers_) {
    curl_easy_cleanup(easy_);
    curl_multi_cleanup(multi_);
    throw std::runtime_error("libcurl cannot be set up");
  }
  set_up(settings);
}

HttpClient::Curl::~Curl() {
  curl_easy_cleanup(easy_);
  curl_multi_cleanup(multi_);
}

void HttpClient::Curl::set_up(const HttpSettings &settings) {
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  // Or the end of a transfer would wait for a name server that does not answer.
  curl_easy_setopt(easy_, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(easy_, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(easy_, CURLOPT_LOW_SPEED_TIME, kSilentSeconds);
  curl_easy_setopt(easy_, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy_, CURLOPT_USERAGENT, "no-picture-camera");
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_.data());
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, keep);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, &body_);
  if (!settings.user.empty()) {
    curl_easy_setopt(easy_, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(easy_, CURLOPT_USERNAME, settings.user.c_str());
    curl_easy_setopt(easy_, CURLOPT_PASSWORD, settings.password.c_str());
  }
  set_up_tls(settings);
}

void HttpClient::Curl::set_up_tls(const HttpSettings &settings) {
  curl_easy_setopt(easy_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYPEER, settings.insecure ? 0L : 1L);
  curl_easy_setopt(easy_, CURLOPT_SSL_VERIFYHOST, settings.insecure ? 0L : 2L);
  if (!settings.ca_file.empty()) {
    curl_easy_setopt(easy_, CURLOPT_CAINFO, settings.ca_file.c_str());
    // What the system trusts is not meant when somebody names an authority.
    curl_easy_setopt(easy_, CURLOPT_CAPATH, nullptr);
  }
}

HttpAnswer HttpClient::Curl::post(const HttpSettings &settings, const std::string &url,
                                  std::string_view body, bool gzipped, std::stop_token stop) {
  body_.clear();
  error_[0] = '\0';
  curl_easy_setopt(easy_, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, (gzipped ? gzip_headers_ : headers_).get());
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, body.data() != nullptr ? body.data() : "");
  // A byte now and then is not silence, but no answer either.
  const auto most = settings.timeout + std::chrono::seconds(body.size() / 1024);
  curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS, static_cast<long>(most.count()));

  const auto begin = std::chrono::steady_clock::now();
  if (curl_multi_add_handle(multi_, easy_) != CURLM_OK)
    throw std::runtime_error("libcurl takes no request");
  const CURLcode code = run(stop);
  HttpAnswer got;
  if (code == CURLE_OK)
    got = answer();
  else if (code == kStopped)
    got.result = Status::stopped();
  else
    got = failure(settings, code, static_cast<curl_off_t>(body.size()),
                  std::chrono::steady_clock::now() - begin + kRounding >= most);
  curl_multi_remove_handle(multi_, easy_);
  return got;
}

CURLcode HttpClient::Curl::run(std::stop_token stop) {
  const std::stop_callback wake(stop, [this] { curl_multi_wakeup(multi_); });
  int running = 1;
  while (running > 0 && !stop.stop_requested()) {
    if (curl_multi_perform(multi_, &running) != CURLM_OK)
      return CURLE_FAILED_INIT;
    if (running > 0)
      curl_multi_poll(multi_, nullptr, 0, 1000, nullptr);
  }
  int left = 0;
  while (const CURLMsg *message = curl_multi_info_read(multi_, &left)) {
    if (message->msg == CURLMSG_DONE)
      return message->data.result;
  }
  return kStopped;
}

HttpAnswer HttpClient::Curl::answer() const {
  HttpAnswer got;
  got.body = body_;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &got.status);
  const char *redirect = nullptr;
  curl_easy_getinfo(easy_, CURLINFO_REDIRECT_URL, &redirect);
  if (redirect != nullptr)
    got.redirect = redirect;
  curl_off_t seconds = 0;
  curl_easy_getinfo(easy_, CURLINFO_RETRY_AFTER, &seconds);
  got.retry_after = std::chrono::seconds(std::max<curl_off_t>(seconds, 0));
  return got;
}

HttpAnswer HttpClient::Curl::failure(const HttpSettings &settings, CURLcode code, curl_off_t size,
                                     bool took_its_time) const {
  HttpAnswer got;
  curl_off_t sent = 0;
  curl_easy_getinfo(easy_, CURLINFO_SIZE_UPLOAD_T, &sent);
  // It may be at work on all of it in silence, or hang: smaller requests show which.
  got.slow = code == CURLE_OPERATION_TIMEDOUT && (took_its_time || sent >= size);
  got.result = Status::failed(
      took_its_time && got.slow
          ? "What is at " + settings.server +
                " is too slow: a request was not answered in time, so smaller ones follow."
          : sentence(settings, code));
  return got;
}

std::string HttpClient::Curl::sentence(const HttpSettings &settings, CURLcode code) const {
  const std::string &server = settings.server;
  const std::string detail =
      printable(error_[0] != '\0' ? error_.data() : curl_easy_strerror(code));
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
      return "The proxy that the environment names is not found: " + detail + ".";
    case CURLE_COULDNT_RESOLVE_HOST:
      return "The host of " + server + " is not found: " + detail + ".";
    case CURLE_COULDNT_CONNECT:
      return "There is nothing to reach at " + server +
             ": check the host and the port, and whether it runs.";
    case CURLE_OPERATION_TIMEDOUT:
      return "What is at " + server + " does not answer: it may hang, or a firewall is between.";
    case CURLE_PEER_FAILED_VERIFICATION:
      return "The certificate of " + server + " is refused: " + detail +
             ". Name the authority that signed it with ca-file=/path/to/file.";
    case CURLE_SSL_CACERT_BADFILE:
      return "The CA file \"" + settings.ca_file + "\" holds no certificate in PEM.";
    case CURLE_SSL_CONNECT_ERROR:
      return "There is no TLS connection to " + server + ": " + detail +
             ". Check whether it speaks TLS.";
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
      return "The connection to " + server + " was lost.";
    default:
      return "The request to " + server + " failed: " + detail + ".";
  }
}

HttpClient::HttpClient(HttpSettings settings)
    : settings_(std::move(settings)), curl_(std::make_unique<Curl>(settings_)) {}

HttpClient::~HttpClient() = default;

HttpAnswer HttpClient::post(const std::string &url, std::string_view body, bool gzipped,
                            std::stop_token stop) {
  return curl_->post(settings_, url, body, gzipped, stop);
}

std::string percent_encoded(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
        c == '_' || c == '.' || c == '~')
      result += c;
    else
      result.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
  }
  return result;
}

std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text.substr(0, kMostShown))
    result += c >= 0x20 && c < 0x7f ? c : ' ';
  result.erase(result.find_last_not_of(" .") + 1);
  return text.size() > kMostShown ? result + "…" : result;
}

std::string gzipped(std::string_view text) {
  constexpr int kWindow = 15;
  constexpr int kGzip = 16;
  constexpr int kMemory = 8;
  z_stream stream = {};
  // The fastest level: lines of records shrink to a sixteenth even so.
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kWindow + kGzip, kMemory,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
  std::string result(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef *>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  deflate(&stream, Z_FINISH);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

}  // namespace npc::http
