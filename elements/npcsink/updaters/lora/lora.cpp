// SPDX-License-Identifier: LGPL-2.1-or-later
// Sending over LoRa, on the updater's own thread.
#include "npcsink/updaters/lora/lora.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/secretfile.h"
#include "base/statefile.h"
#include "base/wait.h"
#include "npcsink/updaters/lora/lorasettings.h"
#include "npcsink/updaters/lora/windows.h"

namespace npc::sink {
namespace {

using lora::Time;
using std::chrono::milliseconds;

// All that waits is handed over, so that the newest is sent first: nine hours of records of 2 s.
constexpr std::size_t kBatch = 16384;
// A call with few records ends early, so that new ones come soon; with many it costs too much.
constexpr std::size_t kFew = 500;
constexpr Time kShortCall = std::chrono::seconds(1), kLongCall = std::chrono::seconds(15);
// With ack, of twenty cameras on a channel that loses 30 %, one record in a hundred waits longer.
constexpr int kRulePeriods = 40;
constexpr std::size_t kMostState = 1 << 16;

class LoraUpdater final : public Updater {
 public:
  explicit LoraUpdater(LoraSettings settings)
      : settings_(std::move(settings)), windows_(settings_.lines) {}

  std::string target() const override { return "lora:" + settings_.radio.device; }
  Status connect(const UpdaterContext &, std::stop_token) override;
  DeliveryResult deliver(std::span<const Record> records, const UpdaterContext &context,
                         std::stop_token stop) override;
  std::size_t batch() const override { return kBatch; }
  milliseconds backlog_age() const override { return kRulePeriods * settings_.sender.period; }
  void close() noexcept override { radio_.reset(); }

 private:
  /// A record that was handed over and is not confirmed.
  struct Handed {
    std::string boot;
    std::int64_t seq = 0;
    std::uint64_t number = 0;  // of those that the sender has
    std::string refusal;       // why it has it not
    bool is(const Record &record) const { return seq == record.seq && boot == record.boot; }
  };

  Status read_key(lora::Key *key) const;
  Status make_sender(std::span<const Record> records);
  void restore();
  Status take_in(std::span<const Record> records);
  void forget_given_up(std::span<const Record> records);
  Status step(Time until, int bell);
  Status wait(Time until, int bell);
  bool is_front_done() const;
  void confirm(DeliveryResult *result);
  void note_given_up();

  const LoraSettings settings_;
  LoraWindows windows_;
  std::optional<lora::Key> key_;
  std::unique_ptr<lora::Radio> radio_;
  std::optional<lora::Sender> sender_;
  std::deque<Handed> handed_;
  std::uint64_t added_ = 0;  // to the sender
  std::uint64_t given_up_said_ = 0;
  bool said_unacknowledged_ = false;
  std::vector<std::string> notices_;
};

Status LoraUpdater::read_key(lora::Key *key) const {
  std::string text;
  if (Status status = read_secret(settings_.key_file, "key", &text); !status.is_ok())
    return status;
  const std::optional<lora::Key> read = lora::parse_key(text);
  std::fill(text.begin(), text.end(), '\0');
  if (!read)
    return Status::failed("The key file \"" + settings_.key_file +
                          "\" must hold 64 hexadecimal digits in its first line, the same as the "
                          "gateway has for this camera: openssl rand -hex 32 makes some.");
  *key = *read;
  return {};
}

Status LoraUpdater::connect(const UpdaterContext &, std::stop_token) {
  close();
  lora::Key key;
  if (Status status = read_key(&key); !status.is_ok())
    return status;
  // With another key the gateway is told everything anew.
  if (!key_ || !(*key_ == key)) {
    key_ = key;
    sender_.reset();
  }
  if (Status status = lora::open_radio(settings_.radio, &radio_); !status.is_ok())
    return status;
  return radio_->start();
}

void LoraUpdater::restore() {
  const Status loaded = load_state(
      settings_.state_file, {"npcsink", "A gateway must tell which boots it knows", kMostState},
      [this](const std::string &text) { return sender_->restore(text).is_ok(); });
  if (loaded.is_failed())
    notices_.push_back(loaded.error());
}

Status LoraUpdater::make_sender(std::span<const Record> records) {
  lora::SenderSettings sender = settings_.sender;
  // The last window of a stream is shorter.
  const auto whole = std::find_if(records.begin(), records.end(), [](const Record &record) {
    return (record.counts->flags & GST_NPC_COUNTS_FLAG_PARTIAL) == 0;
  });
  const guint64 interval = (whole == records.end() ? records.front() : *whole).counts->interval;
  sender.window_ms = static_cast<std::uint32_t>(std::min<guint64>(interval, G_MAXUINT32));
  if (Status status = lora::check_settings(sender); !status.is_ok())
    return status;
  sender_.emplace(sender, *key_, radio_->now());
  handed_.clear();
  added_ = given_up_said_ = 0;
  restore();
  return {};
}

// The store gives up its oldest records when it is full; what of them is here is still sent.
void LoraUpdater::forget_given_up(std::span<const Record> records) {
  while (!handed_.empty() && !handed_.front().is(records.front()))
    handed_.pop_front();
  // They came in another order: all are new, and the gateway knows better.
  if (handed_.size() > records.size() ||
      (!handed_.empty() && !handed_.back().is(records[handed_.size() - 1])))
    handed_.clear();
}

Status LoraUpdater::take_in(std::span<const Record> records) {
  forget_given_up(records);
  const Time now = radio_->now();
  const milliseconds utc = radio_->utc();
  for (const Record &record : records.subspan(handed_.size())) {
    Handed handed = {record.boot, record.seq, added_, {}};
    lora::Record window;
    const Time age = std::max(utc - milliseconds(record.time), milliseconds(0));
    if (const Status made = windows_.make(record, now - age, &window); !made.is_ok()) {
      handed.refusal = made.error();
    } else {
      if (Status status = sender_->add(window); !status.is_ok())
        return status;
      added_++;
    }
    handed_.push_back(std::move(handed));
  }
  std::ranges::move(windows_.take_notices(), std::back_inserter(notices_));
  return {};
}

Status LoraUpdater::wait(Time until, int bell) {
  std::optional<lora::Heard> heard;
  Status status = radio_->receive(std::max(until - radio_->now(), Time(0)), bell, &heard);
  // What it does not know is not for this camera.
  if (status.is_ok() && heard)
    sender_->received(heard->bytes);
  return status;
}

Status LoraUpdater::step(Time until, int bell) {
  if (sender_->must_save()) {
    if (Status status = save_state(settings_.state_file, sender_->state(),
                                   "Nothing is sent over LoRa, as boot numbers must never be used "
                                   "twice");
        !status.is_ok())
      return status;
    sender_->saved();
  }
  const lora::Action action = sender_->next(radio_->now());
  if (action.kind == lora::Action::Kind::kWait)
    return wait(std::min(action.until, until), bell);
  Status status;
  if (action.kind == lora::Action::Kind::kSense) {
    bool is_busy = false;
    status = radio_->sense(&is_busy);
    if (status.is_ok())
      sender_->sensed(is_busy, radio_->now());
    return status;
  }
  Time airtime{0};
  status = radio_->send(action.frame, &airtime);
  if (status.is_ok())
    sender_->sent(airtime);
  else
    sender_->failed();
  return status;
}

bool LoraUpdater::is_front_done() const {
  return !handed_.empty() &&
         (!handed_.front().refusal.empty() || handed_.front().number < sender_->confirmed());
}

void LoraUpdater::confirm(DeliveryResult *result) {
  while (is_front_done()) {
    if (!handed_.front().refusal.empty())
      result->refused.push_back({result->confirmed, std::move(handed_.front().refusal)});
    handed_.pop_front();
    result->confirmed++;
  }
}

void LoraUpdater::note_given_up() {
  const std::uint64_t given_up = sender_->windows_given_up();
  if (given_up > 0 && given_up >= 2 * given_up_said_) {
    given_up_said_ = given_up;
    notices_.push_back(std::to_string(given_up) +
                       " windows were given up and will not be sent: too many restarts or gaps "
                       "waited to be sent.");
  }
}

DeliveryResult LoraUpdater::deliver(std::span<const Record> records, const UpdaterContext &context,
                                    std::stop_token stop) {
  DeliveryResult result;
  if (!sender_)
    result.status = make_sender(records);
  if (result.status.is_ok())
    result.status = take_in(records);
  if (sender_ && !settings_.sender.ack && !std::exchange(said_unacknowledged_, true))
    notices_.emplace_back(
        "Nobody acknowledges what is sent over LoRa: with ack=0 a record is delivered when it was "
        "sent, and is lost if the gateway does not hear it.");
  if (result.status.is_ok()) {
    if (context.backlog.ended && context.backlog.pending == 0)
      sender_->flush();
    const StopBell bell(stop);
    const Time until = radio_->now() + (records.size() > kFew ? kLongCall : kShortCall);
    while (result.status.is_ok() && !is_front_done() && !stop.stop_requested() &&
           radio_->now() < until)
      result.status = step(until, bell.get());
    confirm(&result);
    note_given_up();
    if (result.status.is_ok() && stop.stop_requested() && result.confirmed < records.size())
      result.status = Status::stopped();
  }
  result.notices = std::exchange(notices_, {});
  return result;
}

}  // namespace

std::unique_ptr<Updater> make_lora_updater(const Uri &uri) {
  return std::make_unique<LoraUpdater>(read_lora_settings(uri));
}

}  // namespace npc::sink
