// SPDX-License-Identifier: LGPL-2.1-or-later
// A simulated channel with cameras and a gateway: collisions, half duplex, loss in the air, in
// simulated time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <vector>

#include "support/loraduty.h"
#include "transport/lora/receiver/receiver.h"
#include "transport/lora/sender/sender.h"

namespace npc::test {

using namespace npc::lora;

struct AirSettings {
  int cameras = 20;
  int spreading_factor = 7;
  std::chrono::seconds period{30};
  std::chrono::seconds span{7 * 86400};
  std::chrono::seconds drain{0};  ///< after that, in which nothing is counted
  double loss = 0.3;              ///< of frames that nothing else has spoilt
  double in_earshot = 0.7;        ///< of pairs of cameras
  std::size_t history = 1;
  bool ack = true;
  std::chrono::seconds outage_begin{0}, outage_end{0};  ///< of the gateway
  /// Between kills, of each camera and of the gateway, in the mean; 0 for none.
  std::chrono::seconds life{0};
  std::chrono::milliseconds storing{0};  ///< how long the store downstream takes
  std::uint64_t seed = 1;
};

struct AirResult {
  std::uint64_t windows = 0, received = 0;  ///< that were counted, that were published
  std::uint64_t doubled = 0, wrong = 0;  ///< windows published twice, with other than their people
  std::uint64_t gaps_not_reported = 0;   ///< windows missing inside of what came
  std::uint64_t crossings_wrong = 0;     ///< of lines: totals of what was published
  std::uint64_t frames = 0, collided = 0, acks = 0;
  std::uint64_t unconfirmed = 0;  ///< windows published, that their cameras do not know of yet
  bool merged = false;            ///< blocks may have been, and those have people of their own
  double camera_hour = 0, gateway_hour = 0;  ///< the worst: its part of the time on the air
  double complete() const {
    return 100.0 * static_cast<double>(received) / static_cast<double>(windows);
  }
};

class SimulatedAir {
 public:
  explicit SimulatedAir(const AirSettings &settings);
  AirResult run();

 private:
  struct Station {
    explicit Station(const SenderSettings &of) : settings(of) {}
    SenderSettings settings;
    std::optional<Sender> sender;
    std::deque<Record> kept;  // until they are confirmed
    std::uint64_t first_kept = 0, added_from = 0;
    Time phase{0}, due{Time::max()};
    std::vector<bool> hears;
    WorstHour duty;
    bool is_sending = false;
    std::uint32_t seq = 0;
    std::uint64_t in = 0, out = 0, at_gateway_in = 0, at_gateway_out = 0;
    std::vector<std::uint8_t> published;  // by window
    std::set<std::uint32_t> in_gaps;      // windows
  };
  struct Transmission {
    int camera = -1;  // -1: the gateway
    Time begin{0}, end{0};
    Bytes frame;
    int to = -1;
    bool spoilt = false;
  };
  using Task = std::function<void()>;

  void start_gateway();
  void start_camera(int index);
  void kill_later(const Task &start);
  void drop_confirmed(Station *camera);
  void publish(int index, const Reception &reception);

  void place();
  void at(Time time, Task task);
  bool lost() { return uniform_(random_) < settings_.loss; }
  void count_window(int index);
  void poll(int index);
  void begin(const std::shared_ptr<Transmission> &transmission);
  void end_of_camera(const std::shared_ptr<Transmission> &transmission);
  void end_of_ack(const std::shared_ptr<Transmission> &transmission);
  void receive(const Transmission &transmission);
  void answer(int index);
  bool hears_somebody(int index) const;
  AirResult result();

  const AirSettings settings_;
  Modulation modulation_;
  std::mt19937_64 random_;
  std::uniform_real_distribution<double> uniform_{0, 1};
  std::vector<std::unique_ptr<Station>> cameras_;
  std::vector<Camera> known_;
  std::unique_ptr<Receiver> gateway_;
  int gateway_life_ = 0;
  WorstHour gateway_duty_;
  Time gateway_sends_until_{0}, now_{0};
  std::vector<std::shared_ptr<Transmission>> air_;
  struct Scheduled {
    Time time;
    std::uint64_t order;
    Task task;
    bool operator<(const Scheduled &other) const {
      return time != other.time ? time > other.time : order > other.order;
    }
  };
  std::priority_queue<Scheduled> tasks_;
  std::uint64_t order_ = 0;
  AirResult result_;
};

}  // namespace npc::test
