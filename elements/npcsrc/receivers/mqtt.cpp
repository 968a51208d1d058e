// SPDX-License-Identifier: LGPL-2.1-or-later
// The MQTT receiver: records that cameras publish at a broker.
#include "npcsrc/receivers/mqtt.h"

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/machinehash.h"
#include "base/name.h"
#include "base/recordrange.h"
#include "base/shorthash.h"
#include "npcsrc/core/senders.h"
#include "npcsrc/receivers/lines.h"
#include "npcsrc/receivers/mqttinbox.h"
#include "transport/mqtt/message.h"

namespace npc::source {
namespace {

constexpr char kFilter[] = "npc/+/+/counts";
constexpr std::size_t kMostRecords = 1000;  // of one call
constexpr std::size_t kMostFilter = 1024;
constexpr std::size_t kMostSenders = 4096;

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
  MqttReceiver(MqttSubscription subscription, bool shared, bool asks)
      : filter_(subscription.filter),
        shared_(shared),
        asks_(asks),
        inbox_(std::move(subscription)) {}

  std::string origin() const override {
    return "topics " + filter_ + " of the broker at " + inbox_.broker();
  }

  bool is_one_of_many() const override { return shared_; }
  bool can_ask() const override { return asks_; }
  void ask(const std::vector<Gap> &gaps) override;

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
  void read(const mqtt::Arrived &message, Reception &came) {
    if (asks_ && message.topic.ends_with("/lost"))
      read_lost(message, came);
    else
      read_counts(message, came);
  }
  void read_lost(const mqtt::Arrived &message, Reception &came) const;

  void read_counts(const mqtt::Arrived &message, Reception &came) {
    std::string error = kTooLong;
    auto record =
        message.payload.size() > kMostLine ? std::nullopt : read_record(message.payload, error);
    if (record && !is_topic_of(record->id.series, message.topic)) {
      error = "A record of " + record->id.series.site + "/" + record->id.series.camera +
              " is not for this topic.";
      record.reset();
    }
    if (record) {
      note_sender(record->id.series, message.topic);
      came.records.push_back(*std::move(record));
      return;
    }
    came.refused++;
    came.reason = std::move(error) + " It came on " + message.topic + ".";
  }
  void note_sender(const Series &series, std::string_view topic);

  const std::string filter_;
  const bool shared_, asks_;
  MqttInbox inbox_;
  std::map<Sender, std::string> topics_;  // of its records, without the last level
};

// Where a camera publishes, it listens.
void MqttReceiver::note_sender(const Series &series, std::string_view topic) {
  if (!asks_)
    return;
  take_level(topic);
  std::string &known = topics_[{series.site, series.camera}];
  if (known != topic)
    known = topic;
  // One that made itself up goes like any other, which is known again with its next record.
  if (topics_.size() > kMostSenders)
    topics_.erase(topics_.begin());
}

void MqttReceiver::ask(const std::vector<Gap> &gaps) {
  std::vector<MqttNote> notes;
  for (const Gap &gap : gaps) {
    const auto found = topics_.find({gap.series.site, gap.series.camera});
    if (found != topics_.end())
      notes.push_back({found->second + "/resend",
                       write_record_range({{}, {}, gap.series.boot, gap.range}, false)});
  }
  inbox_.post(std::move(notes));
}

// A camera says for itself only what it has lost.
void MqttReceiver::read_lost(const mqtt::Arrived &message, Reception &came) const {
  std::string_view topic = message.topic;
  take_level(topic);
  const std::string camera(take_level(topic)), site(take_level(topic));
  const auto lost = is_name(site) && is_name(camera)
                        ? read_record_range(message.payload, site, camera)
                        : std::nullopt;
  if (lost) {
    came.unavailable.push_back({{lost->site, lost->camera, lost->boot}, lost->range});
    return;
  }
  came.refused++;
  came.reason = "What came on " + message.topic +
                R"( is not {"boot":"…","from":…,"to":…}, which says what is lost.)";
}

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

// Where cameras say what they have lost, if those of `filter` do.
std::string lost_filter_of(std::string_view filter) {
  constexpr std::string_view kCounts = "/counts";
  if (!filter.ends_with(kCounts))
    return {};
  filter.remove_suffix(kCounts.size());
  return std::string(filter) + "/lost";
}

bool flag_of(const Uri &uri, const char *name, bool otherwise) {
  const std::string flag = uri.parameter(name, otherwise ? "1" : "0");
  if (flag != "0" && flag != "1")
    throw UriError(uri.text, std::string(name) + " must be 0 or 1");
  return flag == "1";
}

}  // namespace

std::unique_ptr<Receiver> make_mqtt_receiver(const Uri &uri) {
  MqttSubscription subscription;
  subscription.broker = mqtt::broker_settings(uri, {"gaps", "group", "session"});
  subscription.filter = filter_of(uri);
  const bool shared = uri.parameters.contains("group");
  if (shared) {
    const std::string group = uri.parameter("group", "");
    if (!is_name(group))
      throw UriError(uri.text, "group may have 1 to 64 letters, digits, - and _");
    subscription.filter = "$share/" + group + "/" + subscription.filter;
  }
  subscription.clean = !flag_of(uri, "session", true);
  // A guest only looks. Of a group nobody sees every record.
  const bool asks = flag_of(uri, "gaps", !shared && !subscription.clean);
  if (asks && shared)
    throw UriError(uri.text,
                   "who shares records with a group does not know what is missing: leave "
                   "gaps=1 to a receiver without group");
  if (asks)
    subscription.more = lost_filter_of(subscription.filter);
  subscription.client_id = subscription.broker.client_id;
  if (subscription.client_id.empty()) {
    subscription.client_id = "npc-src-" + machine_hash() + "-" + short_hash(subscription.filter);
    // One without a session is a guest, beside the one that has it.
    if (subscription.clean)
      subscription.client_id += "-" + std::to_string(getpid());
  }
  return std::make_unique<MqttReceiver>(std::move(subscription), shared, asks);
}

}  // namespace npc::source
