// SPDX-License-Identifier: LGPL-2.1-or-later
// Which messages a record becomes, and what a broker must know of us.
#include "mqtt.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <system_error>

#include "../resolver.h"
#include "mqttlink.h"

namespace npc {
namespace {

using std::chrono::seconds;

constexpr std::uint16_t kDefaultPort = 1883;
constexpr seconds kResolvePatience{10};
constexpr seconds kStall{20};
constexpr seconds kForever{24 * 3600};
// A clean stop tells the broker so, but does not wait for one that hangs.
constexpr seconds kGoodbye{2};
// Names come from strangers: the broker is not filled with retained topics without end.
constexpr std::size_t kMostCameras = 256;
constexpr std::size_t kMostPassword = 65535;
constexpr std::size_t kMostClientId = 64;

struct MqttSettings {
  std::string host;
  std::uint16_t port = kDefaultPort;
  int qos = 1;
  std::string user;
  std::string password_file;
  std::string client_id;
};

std::string with_port(const std::string &host, std::uint16_t port) {
  const bool ipv6 = host.find(':') != std::string::npos;
  return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

// The same after a restart: the broker then ends what is left of the last connection at once,
// instead of publishing its will, `offline`, long after we are back. Not the same on another
// device: two devices of one name would end each other's connections for ever. The machine's id
// itself stays here.
std::string device_id() {
  std::string machine;
  std::ifstream file("/etc/machine-id");
  if (!std::getline(file, machine) || machine.empty())
    machine = std::to_string(std::random_device{}());
  std::uint32_t hash = 2166136261u;
  for (unsigned char c : "npc" + machine)
    hash = (hash ^ c) * 16777619u;
  char text[9];
  std::snprintf(text, sizeof(text), "%08x", hash);
  return text;
}

class MqttUpdater : public Updater {
 public:
  explicit MqttUpdater(MqttSettings settings)
      : settings_(std::move(settings)),
        broker_(with_port(settings_.host, settings_.port)),
        device_(device_id()) {}

  std::string target() const override { return "mqtt://" + broker_; }
  std::string connect(const Record &first, std::stop_token stop) override;
  Outcome deliver(std::span<const Record> records, std::stop_token stop) override;
  std::string idle() override;
  void close() noexcept override;

 private:
  struct Camera {
    std::string prefix;  // npc/<site>/<camera>/
    std::string state;   // its last record
  };

  Camera *camera_of(const Record &record, std::vector<MqttMessage> *announcement);
  std::string read_password(std::string *password) const;
  std::string announce(std::stop_token stop);

  const MqttSettings settings_;
  const std::string broker_;
  const std::string device_;
  Resolver resolver_;
  std::vector<Camera> cameras_;
  std::unique_ptr<MqttLink> link_;
};

std::string prefix_of(const Record &record) {
  return "npc/" + record.site + "/" + record.camera + "/";
}

MqttMessage status(const std::string &prefix, const char *text) {
  return {prefix + "status", text, 1, true};
}

MqttMessage state(const std::string &prefix, const std::string &json) {
  return {prefix + "state", json, 1, true};
}

// Nothing if there are too many cameras: such a record gets neither status nor state.
MqttUpdater::Camera *MqttUpdater::camera_of(const Record &record,
                                            std::vector<MqttMessage> *announcement) {
  const std::string prefix = prefix_of(record);
  const auto found = std::find_if(cameras_.begin(), cameras_.end(),
                                  [&](const Camera &camera) { return camera.prefix == prefix; });
  if (found != cameras_.end())
    return &*found;
  if (cameras_.size() >= kMostCameras)
    return nullptr;
  if (announcement != nullptr)
    announcement->push_back(status(prefix, "online"));
  return &cameras_.emplace_back(Camera{prefix, {}});
}

std::string MqttUpdater::read_password(std::string *password) const {
  if (settings_.password_file.empty())
    return {};
  const std::string named = "The password file \"" + settings_.password_file + "\"";
  std::ifstream file(settings_.password_file, std::ios::binary);
  password->resize(kMostPassword + 1);
  file.read(password->data(), static_cast<std::streamsize>(password->size()));
  if (!file.is_open() || file.bad())
    return named + " cannot be read: " + std::generic_category().message(errno) + ".";
  password->resize(static_cast<std::size_t>(file.gcount()));
  // Editors end a file with a newline, which is not part of the password.
  password->erase(std::min(password->find_first_of("\r\n"), password->size()));
  if (password->empty() || password->size() > kMostPassword)
    return named + " must hold a password of 1 to 65535 bytes in its first line.";
  return {};
}

std::string MqttUpdater::connect(const Record &first, std::stop_token stop) {
  link_.reset();
  MqttLogin login;
  login.broker = broker_;
  login.user = settings_.user;
  login.will_topic = status(prefix_of(first), "").topic;
  login.client_id = settings_.client_id.empty()
                        ? "npc-" + first.site + "-" + first.camera + "-" + device_
                        : settings_.client_id;
  if (std::string failure = read_password(&login.password); !failure.empty())
    return failure;
  Addresses addresses = resolver_.resolve(settings_.host, kResolvePatience, stop);
  if (addresses.numbers.empty())
    return addresses.failure;
  for (const std::string &number : addresses.numbers)
    login.addresses.push_back(with_port(number, settings_.port));

  camera_of(first, nullptr);
  link_ = std::make_unique<MqttLink>(std::move(login));
  std::string failure = link_->open(stop);
  if (!failure.empty()) {
    link_.reset();
  } else if (!stop.stop_requested()) {
    failure = announce(stop);
    if (!failure.empty())
      close();
  }
  return failure;
}

// A broker that was restarted may have forgotten what it retained.
std::string MqttUpdater::announce(std::stop_token stop) {
  std::vector<MqttMessage> messages;
  for (const Camera &camera : cameras_) {
    messages.push_back(status(camera.prefix, "online"));
    if (!camera.state.empty())
      messages.push_back(state(camera.prefix, camera.state));
  }
  return link_->publish(messages, kStall, kForever, stop).failure;
}

Outcome MqttUpdater::deliver(std::span<const Record> records, std::stop_token stop) {
  std::vector<MqttMessage> messages;
  std::vector<std::size_t> ends;
  std::vector<std::string> changed;
  for (const Record &record : records) {
    const std::string prefix = prefix_of(record);
    if (Camera *camera = camera_of(record, &messages); camera != nullptr) {
      camera->state = record.json;
      if (std::find(changed.begin(), changed.end(), prefix) == changed.end())
        changed.push_back(prefix);
    }
    messages.push_back({prefix + "counts", record.json, settings_.qos, false});
    messages.push_back({prefix + "influx", record.line_protocol, settings_.qos, false});
    ends.push_back(messages.size());
  }
  // Only the last record of a camera is its state.
  for (const Camera &camera : cameras_) {
    if (std::find(changed.begin(), changed.end(), camera.prefix) != changed.end())
      messages.push_back(state(camera.prefix, camera.state));
  }

  Outcome sent = link_->publish(messages, kStall, kForever, stop);
  Outcome outcome;
  outcome.failure = std::move(sent.failure);
  outcome.confirmed = static_cast<std::size_t>(
      std::upper_bound(ends.begin(), ends.end(), sent.confirmed) - ends.begin());
  // A broker that only hangs gets our DISCONNECT, and drops the will: it must read offline first.
  if (!outcome.failure.empty())
    close();
  return outcome;
}

std::string MqttUpdater::idle() {
  if (!link_->lost())
    return {};
  std::string why = link_->why_lost();
  link_.reset();
  return why;
}

void MqttUpdater::close() noexcept {
  if (!link_)
    return;
  try {
    std::vector<MqttMessage> messages;
    for (const Camera &camera : cameras_)
      messages.push_back(status(camera.prefix, "offline"));
    if (!link_->lost())
      link_->publish(messages, kGoodbye, kGoodbye, std::stop_token());
  } catch (const std::exception &) {
    // Out of memory: the broker notices by itself that we are gone.
  }
  link_.reset();
}

void check_client_id(const Uri &uri, const std::string &id) {
  const bool valid =
      id.size() <= kMostClientId && std::all_of(id.begin(), id.end(), [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::strchr("-_.", c) != nullptr;
      });
  if (!valid)
    throw UriError(uri.text, "client-id may have 1 to 64 letters, digits, -, _ and .");
}

}  // namespace

std::unique_ptr<Updater> make_mqtt_updater(const Uri &uri) {
  uri.allow_parameters({"client-id", "password-file", "qos"});
  if (!uri.has_authority || uri.host.empty())
    throw UriError(uri.text, "there is no host; write mqtt://host or mqtt://user@host:1883/");
  if (!uri.path.empty() && uri.path != "/") {
    throw UriError(uri.text,
                   "nothing may follow the host but a / and parameters; topics are "
                   "npc/<site>/<camera>/…");
  }
  MqttSettings settings;
  settings.host = uri.host;
  settings.port = uri.port.value_or(kDefaultPort);
  settings.user = uri.user;
  settings.password_file = uri.parameter("password-file", "");
  settings.client_id = uri.parameter("client-id", "");
  check_client_id(uri, settings.client_id);

  const std::string qos = uri.parameter("qos", "1");
  if (qos != "0" && qos != "1" && qos != "2")
    throw UriError(uri.text, "qos must be 0, 1 or 2");
  settings.qos = qos.front() - '0';
  if (!settings.password_file.empty() && settings.user.empty())
    throw UriError(uri.text, "a password needs a user; write mqtt://user@host");
  if (!settings.password_file.empty() && !settings.password_file.starts_with('/'))
    throw UriError(uri.text, "the path of password-file must begin with a /");
  return std::make_unique<MqttUpdater>(std::move(settings));
}

}  // namespace npc
