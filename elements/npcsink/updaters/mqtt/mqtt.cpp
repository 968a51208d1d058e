// SPDX-License-Identifier: LGPL-2.1-or-later
// Which messages a record becomes, and what a broker must know of us.
#include "npcsink/updaters/mqtt/mqtt.h"

#include <algorithm>
#include <deque>
#include <exception>

#include "base/machinehash.h"
#include "base/secretfile.h"
#include "base/shorthash.h"
#include "npcsink/updaters/mqtt/mqttcameras.h"
#include "npcsink/updaters/mqtt/mqttresends.h"
#include "npcsink/updaters/mqtt/mqttsettings.h"
#include "transport/mqtt/link.h"

namespace npc::sink {
namespace {

using mqtt::Message;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds kStall{20};
constexpr seconds kForever{24 * 3600};
// A clean stop says goodbye to the broker, but does not wait for one that hangs.
constexpr seconds kGoodbye{2};
constexpr seconds kHealthInterval{60};
// One of two clients of the same id must give way. If that is only guessed, it may be a broker that
// is restarted again and again, which nobody should be away from for long.
constexpr seconds kGiveWay{60};
constexpr seconds kGiveWayPerhaps{15};
constexpr seconds kShortLife{10};
constexpr int kMostShortLives = 5;
constexpr std::size_t kBatch = 1000;
// Lines of so many records go in one message, where so many wait, but not more text than a broker
// may be expected to take: AWS's ends the connection at 128 KiB.
constexpr std::size_t kGroup = 100;
constexpr std::size_t kGroupText = 64 * 1024;

class MqttUpdater : public Updater {
 public:
  explicit MqttUpdater(MqttSettings settings);

  std::string target() const override;
  Status connect(const UpdaterContext &context, std::stop_token stop) override;
  DeliveryResult deliver(std::span<const Record> records, const UpdaterContext &context,
                         std::stop_token stop) override;
  std::size_t batch() const override { return kBatch; }
  Status idle(const UpdaterContext &context, std::stop_token stop) override;
  void close() noexcept override;

 private:
  void begin(const UpdaterContext &context);
  void set_expiry(seconds retention);
  Status log_in(mqtt::Login *login);
  std::string own_client_id(const Record &first) const;
  Status open(const std::stop_token &stop);
  Status meet(std::span<const Record> records, const std::stop_token &stop);
  Status publish(const MqttMessages &messages, const std::stop_token &stop);
  Status post_news(const std::stop_token &stop);
  Status keep_will(const std::stop_token &stop);
  Status discover(const std::stop_token &stop);
  Status answer(const std::stop_token &stop);
  Status listen_for_requests(const std::vector<MqttCamera *> &strangers,
                             const std::stop_token &stop);
  Status resend(const std::stop_token &stop);
  std::size_t group_at_front(std::span<const Record> records) const;
  void add_group(std::span<const Record> records, std::vector<Message> &messages);
  DeliveryResult publish_groups(std::span<const Record> records, const std::stop_token &stop);
  DeliveryResult publish_records(std::span<const Record> records, const std::stop_token &stop);
  Status report_health(const std::stop_token &stop);
  Status end(Status status);
  void hang_up() noexcept;
  void give_way(const std::string &error, seconds pause);

  const MqttSettings settings_;
  const std::string broker_;
  const std::string machine_;
  const steady_clock::time_point made_ = steady_clock::now();
  mqtt::Properties counts_properties_{"application/json"};
  mqtt::Properties influx_properties_{"text/vnd.influx"};
  BackgroundCall background_;
  MqttCameras cameras_{settings_};
  MqttResends resends_{settings_};
  MqttCamera *will_ = nullptr;     // the one that the last will is about
  std::deque<std::string> texts_;  // made for messages, kept as long as a delivery takes
  mqtt::Version version_ = mqtt::Version::k5;  // to ask for
  std::string client_id_;
  std::uint64_t connections_ = 0;
  std::size_t most_in_group_ = kGroup;  // that this broker takes, as far as it says
  std::size_t group_ = kGroup;
  BacklogStats backlog_;
  bool current_ = false;  // nothing of note waits behind what was delivered
  steady_clock::time_point connected_{};
  int short_lives_ = 0;
  steady_clock::time_point health_due_{};
  steady_clock::time_point away_until_{};
  std::string away_reason_;
  std::unique_ptr<mqtt::Link> link_;
};

MqttUpdater::MqttUpdater(MqttSettings settings)
    : settings_(std::move(settings)),
      broker_(host_and_port(settings_.host, settings_.port)),
      machine_(machine_hash()) {
  for (mqtt::Properties *properties : {&counts_properties_, &influx_properties_})
    properties->add_user("schema", "npc-counts/1");
}

// Without a prefix as ever: stores of earlier days know it.
std::string MqttUpdater::target() const {
  const std::string broker = settings_.scheme + "://" + broker_ + settings_.web_path;
  return settings_.topic_prefix == kTopicPrefix ? broker : broker + "/" + settings_.topic_prefix;
}

void MqttUpdater::set_expiry(seconds retention) {
  const auto most =
      std::min<seconds::rep>(retention.count(), std::numeric_limits<std::uint32_t>::max());
  const std::uint32_t expiry = settings_.expiry.value_or(static_cast<std::uint32_t>(most));
  if (expiry == 0)
    return;
  for (mqtt::Properties *properties : {&counts_properties_, &influx_properties_})
    properties->set_expiry(expiry);
}

Status MqttUpdater::log_in(mqtt::Login *login) {
  login->tls = settings_.tls;
  login->version = version_;
  login->user = settings_.user;
  login->qos = settings_.qos;
  login->will_topic = will_->status_topic();
  login->client_id = client_id_;
  login->broker = broker_;
  login->host = settings_.host;
  login->port = settings_.port;
  login->web_path = settings_.web_path;
  return settings_.password_file.empty()
             ? Status()
             : read_secret(settings_.password_file, "password", &login->password);
}

// Two updaters with topics of their own are two clients. Without a prefix the id is as ever:
// brokers know its session.
std::string MqttUpdater::own_client_id(const Record &first) const {
  const std::string id = "npc-" + first.site + "-" + first.camera + "-" + machine_;
  return settings_.topic_prefix == kTopicPrefix ? id
                                                : id + "-" + short_hash(settings_.topic_prefix);
}

Status MqttUpdater::connect(const UpdaterContext &context, std::stop_token stop) {
  backlog_ = context.backlog;
  resends_.set_requests(context.resends);
  if (will_ == nullptr)
    begin(context);
  cameras_.forget();
  current_ = false;
  return open(stop);
}

// Takes what stays the same.
void MqttUpdater::begin(const UpdaterContext &context) {
  set_expiry(context.retention);
  will_ = cameras_.find(context.first);
  client_id_ = settings_.client_id.empty() ? own_client_id(context.first) : settings_.client_id;
}

Status MqttUpdater::open(const std::stop_token &stop) {
  link_.reset();
  if (steady_clock::now() < away_until_)
    return Status::failed(away_reason_);
  will_ = cameras_.heir(will_);
  mqtt::Login login;
  if (Status status = log_in(&login); !status.is_ok())
    return status;
  link_ = std::make_unique<mqtt::Link>(std::move(login));
  if (Status status = link_->open(background_, stop); !status.is_ok()) {
    if (link_->taken_over())
      give_way(status.error(), kGiveWay);
    link_.reset();
    version_ = mqtt::Version::k5;
    short_lives_ = 0;
    return status;
  }
  // Not asked again for what it has said that it does not know, as long as it is there.
  if (link_->knows_no_later())
    version_ = link_->version();
  connections_++;
  connected_ = steady_clock::now();
  health_due_ = {};
  cameras_.part();
  return end(meet({}, stop));
}

// Reads back what the broker retains of the discovery of cameras that are new to this connection,
// so that lines that are no more go.
Status MqttUpdater::meet(std::span<const Record> records, const std::stop_token &stop) {
  const std::vector<MqttCamera *> strangers = cameras_.strangers(records);
  for (MqttCamera *camera : strangers)
    camera->set_met(true);
  if (Status status = listen_for_requests(strangers, stop); !status.is_ok())
    return status;
  if (settings_.discovery_prefix.empty() || strangers.empty())
    return {};
  std::vector<std::string> filters = {settings_.discovery_prefix + "/status"};
  for (const MqttCamera *camera : strangers)
    for (std::string &filter : camera->discovery_topics().filters())
      filters.push_back(std::move(filter));
  Status status = link_->subscribe(filters, stop);
  return status.is_ok() ? answer(stop) : status;
}

Status MqttUpdater::listen_for_requests(const std::vector<MqttCamera *> &strangers,
                                        const std::stop_token &stop) {
  const std::vector<std::string> filters = resends_.filters(strangers);
  if (filters.empty())
    return {};
  Status status = link_->subscribe(filters, stop, 1);
  if (status.is_ok() && link_->subscription_refused())
    resends_.note_refused_subscription();
  return status;
}

Status MqttUpdater::resend(const std::stop_token &stop) {
  const std::vector<Message> messages = resends_.take(counts_properties_);
  Status status = link_->publish(messages, kStall, kForever, stop).status;
  if (status.is_ok()) {
    resends_.confirm();
  } else if (status.is_failed() && !link_->lost()) {
    // Who asked gets no answer. That is no reason to hold up records that nobody has yet.
    resends_.note_refused_answer(status.error());
    return {};
  }
  return status;
}

Status MqttUpdater::publish(const MqttMessages &messages, const std::stop_token &stop) {
  const std::vector<Message> list = messages.list();
  return link_->publish(list, kStall, kForever, stop).status;
}

Status MqttUpdater::post_news(const std::stop_token &stop) {
  if (backlog_.ended && backlog_.pending == 0)
    cameras_.end_stream();
  Status status = publish(cameras_.news(current_), stop);
  if (status.is_ok())
    cameras_.confirm();
  return status;
}

// While the camera that the will is about is offline, nobody would learn that the others are gone.
// The broker learns of another will only with another connection. If there is none, or only after
// an outage, no will says that they are gone: so they read offline until there is.
Status MqttUpdater::keep_will(const std::stop_token &stop) {
  if (cameras_.heir(will_) == will_)
    return {};
  hang_up();
  cameras_.forget();
  Status status = open(stop);
  return status.is_ok() ? post_news(stop) : status;
}

// Last of all: a broker that refuses Home Assistant its topics gets the records nevertheless.
Status MqttUpdater::discover(const std::stop_token &stop) {
  MqttMessages messages;
  for (MqttCamera &camera : cameras_)
    camera.add_discovery(messages, will_->status_topic(), link_->version());
  return publish(messages, stop);
}

Status MqttUpdater::report_health(const std::stop_token &stop) {
  const auto now = steady_clock::now();
  if (!settings_.topics.health || now < health_due_)
    return {};
  health_due_ = now + kHealthInterval;
  const MqttHealth health = {std::chrono::duration_cast<seconds>(now - made_), connections_ - 1,
                             backlog_, will_->status_topic(), link_->version()};
  MqttMessages messages;
  for (const MqttCamera &camera : cameras_)
    camera.add_health(messages, health);
  return publish(messages, stop);
}

// Acts on what has come.
Status MqttUpdater::answer(const std::stop_token &stop) {
  bool asked = false;
  for (const mqtt::Arrived &arrived : link_->take_arrived()) {
    if (resends_.note(arrived, cameras_))
      continue;
    if (arrived.topic == settings_.discovery_prefix + "/status") {
      // What is retained there is not news: we have just published everything.
      asked = asked || (arrived.payload == "online" && !arrived.retained);
      continue;
    }
    for (MqttCamera &camera : cameras_) {
      // It may come after ours was sent, from a broker that is late.
      if (camera.note_discovery(arrived) && arrived.retained)
        camera.forget_discovery();
    }
  }
  if (!asked)
    return {};
  // A Home Assistant that was restarted may have forgotten the discovery.
  cameras_.forget();
  health_due_ = {};
  return post_news(stop);
}

std::size_t MqttUpdater::group_at_front(std::span<const Record> records) const {
  std::size_t size = 0;
  std::size_t text = 0;
  do {
    text += records[size].line_protocol.size() + 1;
  } while (++size < std::min(group_, records.size()) &&
           text + records[size].line_protocol.size() <= kGroupText);
  return size;
}

// A group's records, one by one, and then their lines in one message for each camera.
void MqttUpdater::add_group(std::span<const Record> records, std::vector<Message> &messages) {
  std::vector<std::pair<const std::string *, std::string *>> lines;  // by topic
  for (const Record &record : records) {
    const MqttCamera *camera = cameras_.find(record);
    const std::string *counts = camera != nullptr ? &camera->counts_topic() : nullptr;
    const std::string *influx = camera != nullptr ? &camera->influx_topic() : nullptr;
    if (camera == nullptr) {
      counts = &texts_.emplace_back(mqtt_topic(settings_, record, "counts"));
      influx = &texts_.emplace_back(mqtt_topic(settings_, record, "influx"));
    }
    if (settings_.topics.counts) {
      messages.push_back({counts->c_str(), record.json, settings_.qos, false, &counts_properties_});
    }
    if (!settings_.topics.influx)
      continue;
    auto found = std::find_if(lines.begin(), lines.end(),
                              [&](const auto &entry) { return *entry.first == *influx; });
    if (found == lines.end())
      found = lines.insert(lines.end(), {influx, &texts_.emplace_back()});
    else
      *found->second += '\n';
    *found->second += record.line_protocol;
  }
  for (const auto &[topic, text] : lines)
    messages.push_back({topic->c_str(), *text, settings_.qos, false, &influx_properties_});
}

DeliveryResult MqttUpdater::deliver(std::span<const Record> records, const UpdaterContext &context,
                                    std::stop_token stop) {
  backlog_ = context.backlog;
  DeliveryResult outcome;
  // A batch that is full leaves more behind it.
  current_ = records.size() < kBatch && backlog_.pending < kBatch;
  outcome.status = meet(records, stop);
  if (outcome.status.is_ok())
    outcome = publish_records(records, stop);
  for (const auto step : {&MqttUpdater::answer, &MqttUpdater::resend, &MqttUpdater::keep_will,
                          &MqttUpdater::report_health, &MqttUpdater::discover}) {
    if (outcome.status.is_ok())
      outcome.status = (this->*step)(stop);
  }
  outcome.status = end(std::move(outcome.status));
  return outcome;
}

DeliveryResult MqttUpdater::publish_groups(std::span<const Record> records,
                                           const std::stop_token &stop) {
  std::vector<Message> messages;
  std::vector<std::pair<std::size_t, std::size_t>> ends;  // of groups: in messages, in records
  texts_.clear();
  for (std::size_t begin = 0; begin < records.size();) {
    const std::size_t size = group_at_front(records.subspan(begin));
    add_group(records.subspan(begin, size), messages);
    begin += size;
    ends.emplace_back(messages.size(), begin);
  }
  cameras_.note_activity(records);
  const MqttMessages retained = cameras_.news(current_ && !backlog_.ended);
  const std::vector<Message> list = retained.list();
  messages.insert(messages.end(), list.begin(), list.end());

  mqtt::Published published = link_->publish(messages, kStall, kForever, stop);
  const bool all = published.confirmed == messages.size();
  if (all)
    cameras_.confirm();
  // Records that have no message of their own are in the state.
  std::size_t confirmed = 0;
  for (const auto &[in_messages, in_records] : ends) {
    if (all || (in_messages > 0 && in_messages <= published.confirmed))
      confirmed = in_records;
  }
  DeliveryResult outcome;
  outcome.confirmed = confirmed;
  outcome.status = std::move(published.status);
  outcome.pause = published.pause;
  for (const Record &record : records.first(outcome.confirmed)) {
    if (MqttCamera *camera = cameras_.find(record); camera != nullptr)
      camera->add_delivered(1);
  }
  return outcome;
}

// A broker that takes each of the records may not take the lines of many in one message. It says
// so, or it just ends the connection.
DeliveryResult MqttUpdater::publish_records(std::span<const Record> records,
                                            const std::stop_token &stop) {
  DeliveryResult outcome = publish_groups(records, stop);
  std::size_t confirmed = outcome.confirmed;
  while (link_->too_large() && settings_.topics.influx && group_ > 1 &&
         confirmed < records.size()) {
    most_in_group_ = group_ = group_ / 2;
    outcome.pause = {};
    if (link_->lost())
      break;
    outcome = publish_groups(records.subspan(confirmed), stop);
    confirmed += outcome.confirmed;
  }
  outcome.confirmed = confirmed;
  if (link_->lost())
    group_ = std::max<std::size_t>(1, group_ / 4);
  else if (outcome.status.is_ok() && records.size() >= group_)
    group_ = std::min(most_in_group_, 2 * group_);
  return outcome;
}

// After a failure, there is no link any more. Two clients of one id throw each other off the broker
// for ever. Some brokers say so.
Status MqttUpdater::end(Status status) {
  if (!status.is_failed() || !link_)
    return status;
  const bool short_lived = link_->lost() && steady_clock::now() < connected_ + kShortLife;
  short_lives_ = short_lived ? short_lives_ + 1 : 0;
  if (link_->taken_over()) {
    give_way(status.error(), kGiveWay);
  } else if (short_lives_ >= kMostShortLives) {
    status = Status::failed(
        "The broker at " + broker_ +
        " ends each connection soon after it was made: if there is another client of the id \"" +
        client_id_ +
        "\", give each its own with client-id=; if not, the broker's log may say what it does "
        "not allow.");
    give_way(status.error(), kGiveWayPerhaps);
  }
  // A broker that only hangs gets our DISCONNECT, and drops the will: it must read offline first.
  hang_up();
  return status;
}

void MqttUpdater::give_way(const std::string &error, seconds pause) {
  short_lives_ = 0;
  away_reason_ = error;
  away_until_ = steady_clock::now() + pause;
}

Status MqttUpdater::idle(const UpdaterContext &context, std::stop_token stop) {
  backlog_ = context.backlog;
  link_->poll_state();
  Status status = link_->lost() ? Status::failed(link_->loss_reason()) : answer(stop);
  current_ = backlog_.pending == 0;
  for (const auto step : {&MqttUpdater::post_news, &MqttUpdater::resend, &MqttUpdater::keep_will,
                          &MqttUpdater::report_health, &MqttUpdater::discover}) {
    if (status.is_ok())
      status = (this->*step)(stop);
  }
  return end(std::move(status));
}

void MqttUpdater::close() noexcept {
  hang_up();
  cameras_.end_stream();
}

void MqttUpdater::hang_up() noexcept {
  if (!link_)
    return;
  try {
    const MqttMessages messages = cameras_.goodbye();
    if (!link_->lost() && !messages.empty())
      link_->publish(messages.list(), kGoodbye, kGoodbye, {});
  } catch (const std::exception &) {
    // Out of memory: the broker notices by itself that we are gone.
  }
  link_.reset();
}

}  // namespace

std::unique_ptr<Updater> make_mqtt_updater(const Uri &uri) {
  return std::make_unique<MqttUpdater>(mqtt_settings(uri));
}

}  // namespace npc::sink
