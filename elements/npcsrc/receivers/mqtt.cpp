// SPDX-License-Identifier: LGPL-2.1-or-later
// The MQTT receiver: records that cameras publish at a broker.
#include "npcsrc/receivers/mqtt.h"

#include <poll.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/machinehash.h"
#include "base/name.h"
#include "base/shorthash.h"
#include "npcsrc/receivers/lines.h"
#include "npcsrc/receivers/mqttinbox.h"
#include "transport/mqtt/message.h"

namespace npc::source {
namespace {

constexpr char kFilter[] = "npc/+/+/counts";
constexpr std::size_t kMostRecords = 1000;  // of one call
constexpr std::size_t kMostFilter = 1024;

// The last level, which is cut off.
std::string_view take_level(std::string_view &topic) {
  const auto slash = topic.rfind('/');
  const std::string_view level = topic.substr(slash == topic.npos ? 0 : slash + 1);
  topic = slash == topic.npos ? std::string_view() : topic.substr(0, slash);
  return level;
}

// A broker's access list says who may write to which topic: a record of another camera's there is
// a forged one.
bool is_topic_of(const Series &series, std::string_view topic) {
  return take_level(topic) == "counts" && take_level(topic) == series.camera &&
         take_level(topic) == series.site;
}

class MqttReceiver final : public Receiver {
 public:
  MqttReceiver(MqttSubscription subscription, bool shared)
      : filter_(subscription.filter), shared_(shared), inbox_(std::move(subscription)) {}

  std::string origin() const override {
    return "topics " + filter_ + " of the broker at " + inbox_.broker();
  }

  bool is_one_of_many() const override { return shared_; }

  Status open() override {
    inbox_.start();
    return {};
  }

  Status receive(Reception &came, int bell, std::chrono::steady_clock::time_point until) override {
    if (wait_fd(inbox_.descriptor(), POLLIN, bell, until) != Waited::kReady)
      return {};
    for (const mqtt::Arrived &message : inbox_.take(kMostRecords, came.news))
      read(message, came);
    return {};
  }

  // The broker was told when the record came: what is lost after that is a gap.
  void stored(const RecordId &, std::uint64_t) override {}

  void close() noexcept override { inbox_.stop(); }

 private:
  static void read(const mqtt::Arrived &message, Reception &came) {
    std::string error = kTooLong;
    auto record =
        message.payload.size() > kMostLine ? std::nullopt : read_record(message.payload, error);
    if (record && !is_topic_of(record->id.series, message.topic)) {
      error = "A record of " + record->id.series.site + "/" + record->id.series.camera +
              " is not for this topic.";
      record.reset();
    }
    if (record) {
      came.records.push_back(*std::move(record));
      return;
    }
    came.refused++;
    came.reason = std::move(error) + " It came on " + message.topic + ".";
  }

  const std::string filter_;
  const bool shared_;
  MqttInbox inbox_;
};

// Of what the broker is asked for; + and # stand for whole levels.
std::string filter_of(const Uri &uri) {
  const std::string filter = uri.path.empty() || uri.path == "/" ? kFilter : uri.path.substr(1);
  bool valid = filter.size() <= kMostFilter && mqtt::is_text(filter) &&
               std::string_view("/$").find(filter.front()) == std::string_view::npos;
  for (std::string_view rest = filter; valid && !rest.empty();) {
    const bool is_last = rest.size() == filter.size();
    const std::string_view level = take_level(rest);
    valid = !level.empty() &&
            (level == "+" || (level == "#" && is_last) || level.find_first_of("+#") == level.npos);
  }
  if (!valid)
    throw UriError(uri.text, std::string("the path must be a filter of topics, as in ") + kFilter +
                                 ", where + is any level, and %23 at the end is all that follows");
  return filter;
}

}  // namespace

std::unique_ptr<Receiver> make_mqtt_receiver(const Uri &uri) {
  MqttSubscription subscription;
  subscription.broker = mqtt::broker_settings(uri, {"group", "session"});
  subscription.filter = filter_of(uri);
  const bool shared = uri.parameters.contains("group");
  if (shared) {
    const std::string group = uri.parameter("group", "");
    if (!is_name(group))
      throw UriError(uri.text, "group may have 1 to 64 letters, digits, - and _");
    subscription.filter = "$share/" + group + "/" + subscription.filter;
  }
  const std::string session = uri.parameter("session", "1");
  if (session != "0" && session != "1")
    throw UriError(uri.text, "session must be 0 or 1");
  subscription.clean = session == "0";
  subscription.client_id = subscription.broker.client_id;
  if (subscription.client_id.empty()) {
    subscription.client_id = "npc-src-" + machine_hash() + "-" + short_hash(subscription.filter);
    // One without a session is a guest, beside the one that has it.
    if (subscription.clean)
      subscription.client_id += "-" + std::to_string(getpid());
  }
  return std::make_unique<MqttReceiver>(std::move(subscription), shared);
}

}  // namespace npc::source
