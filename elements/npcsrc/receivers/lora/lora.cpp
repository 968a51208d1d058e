// SPDX-License-Identifier: LGPL-2.1-or-later
// Receiving over LoRa.
//
// A frame is in the state file before its records are handed on, and is acknowledged when they are
// stored. After a kill in between it is read from there, and gives the same records again, which
// the store then drops.
#include "npcsrc/receivers/lora/lora.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/wait.h"
#include "npcsrc/receivers/lora/statefile.h"
#include "npcsrc/receivers/lora/translation.h"
#include "transport/lora/camerasfile.h"
#include "transport/lora/chips/radiouri.h"

namespace npc::source {
namespace {

using Clock = std::chrono::steady_clock;
using lora::Time;

// A store that has not said so for so long will never: what it was given is received again.
constexpr std::chrono::minutes kPatience{10};
constexpr std::chrono::seconds kRetry{1};
constexpr Time kBeginning = std::chrono::minutes(10);
constexpr std::size_t kAtOnce = 16;  // frames out of the state file

struct LoraSettings {
  lora::RadioChoice radio;
  std::uint32_t duty = 0;
  std::string cameras, state_file;
};

class LoraReceiver final : public Receiver {
 public:
  explicit LoraReceiver(LoraSettings settings) : settings_(std::move(settings)) {}

  std::string origin() const override { return "lora:" + settings_.radio.device; }
  Status open() override;
  Status receive(Reception &came, int bell, Clock::time_point until) override;
  void stored(const RecordId &id, std::uint64_t ticket) override;
  void close() noexcept override;

 private:
  struct Waiting {
    std::size_t records = 0;
    Clock::time_point since;
  };

  /// What a boot began with and has not come.
  struct Beginning {
    const lora::Camera *camera;
    std::uint16_t boot = 0;
    Range windows;
    Time since{0};
  };

  void take(const lora::KeptFrame &frame, Reception &came);
  void say_beginnings(Reception &came);
  void refuse(const lora::Received &received, Reception &came);
  void save(Reception &came);
  void note_stored();
  Status send_acks();
  Status work(Reception &came, int bell, Clock::time_point until);

  const LoraSettings settings_;
  std::unique_ptr<lora::Radio> radio_;
  std::optional<lora::Receiver> receiver_;
  std::vector<lora::KeptFrame> kept_;          // from the state file, to be received again
  std::map<std::uint64_t, Waiting> unstored_;  // by ticket
  std::deque<Beginning> beginnings_;
  std::vector<std::string> warnings_;  // from open()
  bool is_saved_ = false;              // all that was received
  bool said_unsaved_ = false;
  bool is_started_ = false;
  bool said_failing_ = false;
};

Status LoraReceiver::open() {
  close();
  std::vector<lora::Camera> cameras;
  if (Status status = lora::read_cameras(settings_.cameras, &cameras); !status.is_ok())
    return status;
  if (Status status = lora::open_radio(settings_.radio, &radio_); !status.is_ok())
    return status;
  if (Status status = radio_->start(); !status.is_ok())
    return status;
  receiver_.emplace(cameras, settings_.radio.plan.modulation, settings_.duty, radio_->now());
  const Status loaded = load_lora_state(settings_.state_file, *receiver_, &kept_);
  if (loaded.is_failed())
    warnings_.push_back(loaded.error());
  std::reverse(kept_.begin(), kept_.end());
  is_saved_ = is_started_ = true;
  said_unsaved_ = said_failing_ = false;
  return {};
}

void LoraReceiver::refuse(const lora::Received &received, Reception &came) {
  using Outcome = lora::Received::Outcome;
  if (received.outcome == Outcome::kBusy) {
    came.warnings.emplace_back(
        "What comes over LoRa is not received, as the store downstream is thousands of frames "
        "behind.");
    return;
  }
  came.refused++;
  came.reason = "A frame over LoRa is of no camera in \"" + settings_.cameras +
                "\", or its camera has another key, or it was damaged on its way.";
}

void LoraReceiver::take(const lora::KeptFrame &frame, Reception &came) {
  const lora::Received received =
      receiver_->receive(frame.bytes, frame.began_ms, frame.rssi, radio_->now());
  if (received.camera == nullptr)
    return refuse(received, came);
  const std::size_t records = translate(received, settings_.cameras, came);
  if (records > 0)
    unstored_[received.ticket] = {records, Clock::now()};
  for (const lora::Event &event : received.reception.events)
    if (event.is_start)
      beginnings_.push_back({received.camera, event.boot, event.windows, radio_->now()});
  is_saved_ &= received.outcome != lora::Received::Outcome::kAccepted;
}

// Nothing that is stored is before them, so that they are missing is not seen in what is. A camera
// sends its newest block first, and the others soon.
void LoraReceiver::say_beginnings(Reception &came) {
  while (!beginnings_.empty() && radio_->now() - beginnings_.front().since > kBeginning) {
    const Beginning &beginning = beginnings_.front();
    const lora::Camera &camera = *beginning.camera;
    const auto gaps = receiver_->gaps(camera.number);
    const auto holes = gaps.find(beginning.boot);
    for (const Range &hole : holes == gaps.end() ? std::vector<Range>() : holes->second)
      if (hole.from <= beginning.windows.to && hole.to >= beginning.windows.from)
        came.gaps.push_back({{camera.site, camera.camera, lora::boot_name(beginning.boot)},
                             {std::max(hole.from, beginning.windows.from),
                              std::min(hole.to, beginning.windows.to)}});
    beginnings_.pop_front();
  }
}

// Before anything of it is handed on, and again if it failed.
void LoraReceiver::save(Reception &came) {
  if (is_saved_)
    return;
  const Status saved = save_lora_state(settings_.state_file, *receiver_);
  is_saved_ = !saved.is_failed();
  if (!is_saved_ && !std::exchange(said_unsaved_, true))
    came.warnings.push_back(saved.error());
  said_unsaved_ &= !is_saved_;
}

Status LoraReceiver::send_acks() {
  while (is_saved_) {
    const auto ack = receiver_->next_ack(radio_->now());
    if (!ack)
      break;
    Time airtime{0};
    if (Status status = radio_->send(ack->frame, &airtime); !status.is_ok())
      return status;
  }
  return {};
}

// Answers what is due, and waits for a frame.
Status LoraReceiver::work(Reception &came, int bell, Clock::time_point until) {
  if (!is_started_) {
    if (Status status = radio_->start(); !status.is_ok())
      return status;
    is_started_ = true;
  }
  if (Status status = send_acks(); !status.is_ok())
    return status;
  const auto most = std::chrono::duration_cast<Time>(until - Clock::now());
  std::optional<lora::Heard> heard;
  if (Status status = radio_->receive(std::max(most, Time(0)), bell, &heard); !status.is_ok())
    return status;
  said_failing_ = false;
  if (!heard)
    return {};
  const Time airtime = lora::time_on_air(settings_.radio.plan.modulation, heard->bytes.size());
  const auto began = radio_->utc() - std::chrono::round<std::chrono::milliseconds>(airtime);
  take({heard->bytes, began.count(), heard->rssi}, came);
  save(came);
  return {};
}

Status LoraReceiver::receive(Reception &came, int bell, Clock::time_point until) {
  std::ranges::move(std::exchange(warnings_, {}), std::back_inserter(came.warnings));
  if (!kept_.empty()) {
    for (std::size_t i = 0; i < kAtOnce && !kept_.empty(); i++) {
      take(kept_.back(), came);
      kept_.pop_back();
    }
    return {};
  }
  if (!unstored_.empty() && Clock::now() - unstored_.begin()->second.since > kPatience) {
    receiver_->forget_unstored();
    unstored_.clear();
    is_saved_ = false;
  }
  say_beginnings(came);
  save(came);
  if (const Status status = work(came, bell, until); !status.is_ok()) {
    // Chips come back: the stream goes on.
    is_started_ = false;
    if (!std::exchange(said_failing_, true))
      came.warnings.push_back(status.error() + " It is tried again.");
    wait_fd(-1, 0, bell, std::min(until, Clock::now() + kRetry));
  }
  return {};
}

void LoraReceiver::note_stored() {
  while (!unstored_.empty() && unstored_.begin()->second.records == 0) {
    receiver_->stored(unstored_.begin()->first);
    unstored_.erase(unstored_.begin());
  }
}

void LoraReceiver::stored(const RecordId &, std::uint64_t ticket) {
  const auto found = unstored_.find(ticket);
  // It was given up, and will come again.
  if (found == unstored_.end() || found->second.records == 0)
    return;
  found->second.records--;
  note_stored();
}

void LoraReceiver::close() noexcept {
  // With what was stored since, so that less is received again.
  if (receiver_ && kept_.empty() && is_saved_)
    (void)save_lora_state(settings_.state_file, *receiver_);
  receiver_.reset();
  radio_.reset();
  kept_.clear();
  beginnings_.clear();
  unstored_.clear();
}

}  // namespace

std::unique_ptr<Receiver> make_lora_receiver(const Uri &uri) {
  uri.allow_parameters({"bandwidth", "board", "cameras", "frequency", "gpio-chip", "pins", "power",
                        "region", "sf", "state-file"});
  LoraSettings settings;
  settings.radio = lora::read_radio(uri);
  settings.cameras = uri.file_parameter("cameras");
  if (settings.cameras.empty())
    throw UriError(uri.text, "cameras is missing; write the path of the file that names them");
  settings.state_file = uri.file_parameter("state-file");
  if (settings.state_file.empty())
    throw UriError(uri.text,
                   "state-file is missing; write the path of a file that keeps what was received");
  settings.radio.plan.most_bytes = lora::kAckBytes;
  settings.duty = lora::check_radio(uri, settings.radio);
  return std::make_unique<LoraReceiver>(std::move(settings));
}

}  // namespace npc::source
