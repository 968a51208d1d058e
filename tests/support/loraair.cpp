// SPDX-License-Identifier: LGPL-2.1-or-later
// The simulated channel.
#include "support/loraair.h"

#include <algorithm>
#include <cmath>

namespace npc::test {
namespace {

// Longer than npccount's own, so that a week takes less time: blocks are what matters.
constexpr Time kWindow = std::chrono::seconds(10);
constexpr Time kTurnaround = std::chrono::milliseconds(5);
constexpr std::int64_t kStarted = 1767225600000;  // UTC, ms

/// What a camera counts in a window: anything, but known to the test.
BlockPeople people_of(int camera, std::uint32_t block) {
  const auto number = static_cast<std::uint32_t>(camera) * 7919 + block * 104729;
  return {number % 14, number % 14 + 1, number / 3 % 15, number / 5 % 15};
}

Key key_of(int camera) {
  std::array<std::uint8_t, kKeyBytes> bytes{};
  bytes[0] = static_cast<std::uint8_t>(camera);
  return Key(bytes);
}

}  // namespace

SimulatedAir::SimulatedAir(const AirSettings &settings)
    : settings_(settings), random_(settings.seed) {
  modulation_.spreading_factor = settings.spreading_factor;
  for (int i = 0; i < settings.cameras; ++i) {
    SenderSettings of;
    of.camera = static_cast<std::uint8_t>(i + 1);
    of.modulation = modulation_;
    of.period = settings.period;
    of.window_ms = kWindow.count() / 1000;
    of.history = settings.history;
    of.ack = settings.ack;
    cameras_.push_back(std::make_unique<Station>(of));
    Camera &camera = known_.emplace_back();
    camera.number = of.camera;
    camera.lines = {"door"};
    camera.key = key_of(i);
    start_camera(i);
  }
  start_gateway();
  place();
}

// Who stands where, and when each was started, is drawn as in the design's simulation
// (loraweek.cpp): how many frames collide depends on it.
void SimulatedAir::place() {
  std::mt19937_64 random(settings_.seed);
  const auto period = static_cast<double>(Time(settings_.period).count());
  for (auto &camera : cameras_) {
    camera->phase = Time(static_cast<std::int64_t>(uniform_(random) * period));
    uniform_(random);  // its strength there, which changes nothing here
    camera->hears.resize(cameras_.size());
  }
  for (std::size_t i = 0; i < cameras_.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j)
      cameras_[i]->hears[j] = cameras_[j]->hears[i] = uniform_(random) < settings_.in_earshot;
  }
}

void SimulatedAir::kill_later(const Task &start) {
  if (settings_.life.count() == 0)
    return;
  std::exponential_distribution<double> life(1.0 / static_cast<double>(settings_.life.count()));
  at(now_ + Time(static_cast<std::int64_t>(life(random_) * 1e6)), start);
}

// What the store does not have is gone, as is everything that is not in the state.
void SimulatedAir::start_gateway() {
  const std::string state = gateway_ ? gateway_->state() : "";
  gateway_ = std::make_unique<Receiver>(known_, modulation_, 10000, now_);
  if (!state.empty())
    result_.wrong += !gateway_->restore(state).is_ok();
  ++gateway_life_;
  kill_later([this] { start_gateway(); });
}

void SimulatedAir::start_camera(int index) {
  Station &camera = *cameras_[index];
  const std::string state = camera.sender ? camera.sender->state() : "";
  camera.settings.seed = random_();
  camera.sender.emplace(camera.settings, key_of(index), now_);
  if (!state.empty())
    result_.wrong += !camera.sender->restore(state).is_ok();
  camera.added_from = camera.first_kept;
  for (const Record &record : camera.kept)
    result_.wrong += !camera.sender->add(record).is_ok();
  camera.sender->saved();
  kill_later([this, index] {
    start_camera(index);
    poll(index);
  });
}

void SimulatedAir::drop_confirmed(Station *camera) {
  const std::uint64_t confirmed = camera->added_from + camera->sender->confirmed();
  for (; camera->first_kept < confirmed; ++camera->first_kept)
    camera->kept.pop_front();
}

void SimulatedAir::at(Time time, Task task) {
  tasks_.push({time, order_++, std::move(task)});
}

// All windows of a block are alike, so that what is published can be compared.
void SimulatedAir::count_window(int index) {
  Station &camera = *cameras_[index];
  if (now_ > settings_.span)
    return;
  Record record;
  record.boot = "boot";
  record.seq = camera.seq;
  record.window.interval_ms = kWindow.count() / 1000;
  record.window.end = now_;
  record.window.people = people_of(index, camera.seq / camera.sender->windows_per_block());
  const std::uint64_t in = random_() % 8 == 0, out = random_() % 8 == 0;
  camera.in += in;
  camera.out += out;
  record.window.lines = {{in, out, camera.in, camera.out}};
  result_.wrong += !camera.sender->add(record).is_ok();
  camera.kept.push_back(record);
  ++camera.seq;
  at(now_ + kWindow, [this, index] { count_window(index); });
  if (camera.seq % camera.sender->windows_per_block() == 0) {
    camera.sender->saved();
    poll(index);
  }
}

bool SimulatedAir::hears_somebody(int index) const {
  // A detector needs two symbols of it.
  const Time least((std::int64_t{2000000} << settings_.spreading_factor) / modulation_.bandwidth);
  return std::any_of(air_.begin(), air_.end(), [&](const auto &other) {
    return other->begin + least <= now_ &&
           (other->camera < 0 || cameras_[index]->hears[other->camera]);
  });
}

void SimulatedAir::poll(int index) {
  Station &camera = *cameras_[index];
  if (camera.is_sending)
    return;
  for (;;) {
    const Action action = camera.sender->next(now_);
    if (action.kind == Action::Kind::kSense) {
      camera.sender->sensed(hears_somebody(index), now_);
      continue;
    }
    if (action.kind == Action::Kind::kWait) {
      if (action.until != Time::max() && action.until != camera.due) {
        camera.due = action.until;
        at(action.until, [this, index, due = action.until] {
          if (cameras_[index]->due == due)
            poll(index);
        });
      }
      return;
    }
    auto transmission = std::make_shared<Transmission>();
    transmission->camera = index;
    transmission->begin = now_;
    transmission->end = now_ + time_on_air(modulation_, action.frame.size());
    transmission->frame = action.frame;
    camera.is_sending = true;
    camera.duty.add(now_, transmission->end - now_);
    begin(transmission);
    at(transmission->end, [this, transmission] { end_of_camera(transmission); });
    return;
  }
}

void SimulatedAir::begin(const std::shared_ptr<Transmission> &transmission) {
  for (const auto &other : air_) {
    if (other->end > now_)
      other->spoilt = transmission->spoilt = true;
  }
  air_.push_back(transmission);
}

void SimulatedAir::end_of_camera(const std::shared_ptr<Transmission> &transmission) {
  std::erase(air_, transmission);
  Station &camera = *cameras_[transmission->camera];
  camera.is_sending = false;
  camera.sender->sent();
  drop_confirmed(&camera);
  result_.merged |= camera.sender->pending() > SenderSettings().most_pending / 2;
  ++result_.frames;
  result_.collided += transmission->spoilt;
  const bool is_away = now_ >= settings_.outage_begin && now_ < settings_.outage_end;
  // A gateway that was sending when the frame began has missed its preamble.
  if (!transmission->spoilt && transmission->begin >= gateway_sends_until_ && !lost() && !is_away)
    receive(*transmission);
  poll(transmission->camera);
}

void SimulatedAir::receive(const Transmission &transmission) {
  const Received received = gateway_->receive(
      transmission.frame, kStarted + transmission.begin.count() / 1000, -90, now_);
  if (settings_.storing.count() == 0) {
    publish(transmission.camera, received.reception);
    gateway_->stored(received.ticket);
    answer(transmission.camera);
    return;
  }
  at(now_ + settings_.storing, [this, received, index = transmission.camera, life = gateway_life_] {
    if (life != gateway_life_)
      return;
    publish(index, received.reception);
    gateway_->stored(received.ticket);
    answer(index);
  });
}

void SimulatedAir::publish(int index, const Reception &reception) {
  Station &camera = *cameras_[index];
  for (const Event &event : reception.events) {
    for (std::uint32_t seq = event.windows.from; seq <= event.windows.to; ++seq)
      camera.in_gaps.insert(seq);
  }
  for (const ReceivedBlock &block : reception.blocks) {
    if (camera.published.size() <= block.seq)
      camera.published.resize(block.seq + 1);
    for (std::uint32_t seq = block.seq + 1 - block.windows; seq <= block.seq; ++seq) {
      result_.doubled += camera.published[seq]++ > 0;
      camera.in_gaps.erase(seq);
    }
    const BlockPeople people = people_of(index, block.seq / camera.sender->windows_per_block());
    if (block.windows == camera.sender->windows_per_block())
      result_.wrong += block.people != people;
    for (const ReceivedLine &line : block.lines) {
      camera.at_gateway_in += line.in;
      camera.at_gateway_out += line.out;
      if (line.in != 0 || line.out != 0)
        result_.crossings_wrong +=
            camera.at_gateway_in != line.in_total || camera.at_gateway_out != line.out_total;
    }
  }
}

void SimulatedAir::answer(int index) {
  if (now_ < gateway_sends_until_)
    return;
  const auto ack = gateway_->next_ack(now_);
  if (!ack)
    return;
  ++result_.acks;
  auto transmission = std::make_shared<Transmission>();
  transmission->begin = now_ + kTurnaround;
  transmission->end = transmission->begin + ack->airtime;
  transmission->to = index;
  transmission->frame = ack->frame;
  gateway_sends_until_ = transmission->end;
  gateway_duty_.add(transmission->begin, ack->airtime);
  at(transmission->begin, [this, transmission] { begin(transmission); });
  at(transmission->end, [this, transmission] { end_of_ack(transmission); });
}

void SimulatedAir::end_of_ack(const std::shared_ptr<Transmission> &transmission) {
  std::erase(air_, transmission);
  Station &camera = *cameras_[transmission->to];
  if (transmission->spoilt || camera.is_sending || lost())
    return;
  camera.sender->received(transmission->frame);
  camera.sender->saved();
  drop_confirmed(&camera);
  poll(transmission->to);
}

AirResult SimulatedAir::run() {
  for (int i = 0; i < settings_.cameras; ++i)
    at(cameras_[i]->phase + kWindow, [this, i] { count_window(i); });
  while (!tasks_.empty() && tasks_.top().time <= settings_.span + settings_.drain) {
    now_ = tasks_.top().time;
    const Task task = tasks_.top().task;
    tasks_.pop();
    task();
  }
  return result();
}

AirResult SimulatedAir::result() {
  constexpr double kHour = 3600e6;
  for (const auto &camera : cameras_) {
    // The block that is not over yet could not have been sent.
    const std::uint32_t block = camera->sender->windows_per_block();
    result_.windows += camera->seq / block * block;
    std::uint64_t received = 0;
    for (std::uint32_t seq = 0; seq < camera->published.size(); ++seq) {
      received += camera->published[seq] > 0;
      result_.gaps_not_reported += camera->published[seq] == 0 && !camera->in_gaps.contains(seq);
    }
    result_.received += received;
    result_.unconfirmed += received - std::min(received, camera->first_kept);
    result_.camera_hour =
        std::max(result_.camera_hour, static_cast<double>(camera->duty.worst().count()) / kHour);
  }
  result_.gateway_hour = static_cast<double>(gateway_duty_.worst().count()) / kHour;
  return result_;
}

}  // namespace npc::test
