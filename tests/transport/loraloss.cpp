// SPDX-License-Identifier: LGPL-2.1-or-later
// What a gateway makes of frames that were lost, repeated, reordered and damaged.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "support/loraframes.h"
#include "transport/lora/receiver/receiver.h"

namespace {

using namespace npc;
using namespace npc::lora;
using namespace npc::test;
using namespace std::chrono_literals;
using Kind = Event::Kind;

/// What was sent over a bad radio, and what the gateway made of it.
class BadRadio {
 public:
  BadRadio(std::uint64_t seed, std::size_t history, std::size_t lines)
      : random_(seed), history_(history), lines_(lines) {}

  void run() {
    std::vector<std::pair<std::int64_t, Bytes>> air;
    std::int64_t time = 0;
    for (std::uint16_t boot = 1; boot <= 3; ++boot)
      send_boot(boot, &time, &air);
    std::stable_sort(air.begin(), air.end(),
                     [](const auto &a, const auto &b) { return a.first < b.first; });
    for (const auto &[when, frame] : air)
      receive(frame, when);
    check();
  }

  std::uint64_t blocks = 0, received = 0, damaged = 0;

 private:
  double chance() { return std::uniform_real_distribution<double>(0, 1)(random_); }

  void transmit(const Frame &frame, std::int64_t time, bool arrives,
                std::vector<std::pair<std::int64_t, Bytes>> *air) {
    const Bytes bytes = key_.seal(*encode(frame), Direction::kUp);
    if (!arrives && chance() < 0.3)
      return;
    Bytes flipped = bytes;
    if (!arrives && chance() < 0.05)
      flipped[random_() % flipped.size()] ^= static_cast<std::uint8_t>(1u << random_() % 8);
    damaged += flipped != bytes;
    const std::int64_t late =
        !arrives && chance() < 0.1 ? static_cast<std::int64_t>(random_() % 120000) : 0;
    air->emplace_back(time + late, flipped);
    if (chance() < 0.1)
      air->emplace_back(time + static_cast<std::int64_t>(random_() % 3600000), bytes);
  }

  void send_boot(std::uint16_t boot, std::int64_t *time,
                 std::vector<std::pair<std::int64_t, Bytes>> *air) {
    for (std::size_t line = 0; line < lines_; ++line) {
      HelloFrame greeting = hello(boot, 0, in_[line], boot);
      greeting.first_line = static_cast<std::uint8_t>(line);
      if (boot == 1)
        first_[line] = in_[line];
      transmit(greeting, *time, true, air);
    }
    std::vector<BlockPeople> before;
    constexpr std::uint32_t kBlocks = 300;
    for (std::uint32_t i = 0; i < kBlocks; ++i) {
      *time += 30000;
      for (std::size_t line = 0; line < lines_; ++line)
        in_[line] += random_() % 60;
      const std::size_t line = i % lines_;
      CountsFrame frame = block(boot, 15 * i + 14, in_[line]);
      frame.first_line = static_cast<std::uint8_t>(line);
      const auto people = static_cast<std::uint32_t>(random_() % 15);
      frame.people = {people, people + 1, people / 2, people / 3};
      frame.history.assign(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(
                                                                std::min(before.size(), history_)));
      transmit(frame, *time, i + lines_ >= kBlocks, air);
      truth_[{boot, frame.head.seq}] = frame.people;
      before.insert(before.begin(), frame.people);
      last_[line] = in_[line];
    }
  }

  void receive(const Bytes &frame, std::int64_t when) {
    const Received got = receiver_->receive(frame, when, -90, 0s);
    for (const Event &event : got.reception.events) {
      for (std::uint32_t seq = event.windows.from;
           event.kind == Kind::kGap && seq <= event.windows.to; ++seq)
        reported_.insert({event.boot, seq});
    }
    for (const ReceivedBlock &published : got.reception.blocks) {
      const std::pair<std::uint16_t, std::uint32_t> id = {published.boot, published.seq};
      EXPECT_TRUE(seen_.insert(id).second) << "twice";
      EXPECT_EQ(published.people, truth_.at(id));
      for (const ReceivedLine &line : published.lines)
        sum_[line.number] += line.in;
    }
    receiver_->stored(got.ticket);
    // Killed now and then.
    if (random_() % 50 == 0) {
      const std::string state = receiver_->state();
      receiver_.emplace(std::vector<Camera>{camera_of(7)}, Modulation(), 10000, 0s);
      EXPECT_EQ(receiver_->restore(state).error(), "");
    }
  }

  void check() {
    for (std::size_t line = 0; line < lines_; ++line)
      EXPECT_EQ(first_[line] + sum_[line], last_[line]) << "line " << line;
    const auto gaps = receiver_->gaps(7);
    for (const auto &[id, people] : truth_) {
      const auto &holes = gaps.at(id.first);
      const bool is_gap = std::any_of(holes.begin(), holes.end(), [&id = id](const Range &hole) {
        return hole.from <= id.second && id.second <= hole.to;
      });
      EXPECT_NE(is_gap, seen_.contains(id));
      EXPECT_TRUE(!is_gap || reported_.contains(id)) << "not reported";
    }
    blocks = truth_.size();
    received = seen_.size();
  }

  std::mt19937_64 random_;
  const std::size_t history_, lines_;
  Keys key_{key_of(7)};
  std::optional<Receiver> receiver_{std::in_place, std::vector<Camera>{camera_of(7)}, Modulation(),
                                    10000u, Time(0)};
  std::array<std::uint32_t, 2> in_{60000, 131000}, first_{}, last_{};
  std::array<std::uint64_t, 2> sum_{};
  std::map<std::pair<std::uint16_t, std::uint32_t>, BlockPeople> truth_;
  std::set<std::pair<std::uint16_t, std::uint32_t>> seen_, reported_;
};

// 30 % lost, 10 % twice, 10 % out of order, bits flipped, the gateway killed.
TEST(Receiver, HasExactTotalsOverABadRadio) {
  for (const auto &[history, lines] :
       {std::pair<std::size_t, std::size_t>{0, 1}, {1, 1}, {2, 1}, {2, 2}}) {
    std::uint64_t blocks = 0, received = 0, damaged = 0;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      BadRadio radio(seed, history, lines);
      radio.run();
      blocks += radio.blocks;
      received += radio.received;
      damaged += radio.damaged;
    }
    std::printf("history %d, %d lines: %.2f %% of %d blocks, %d frames damaged\n",
                static_cast<int>(history), static_cast<int>(lines),
                100.0 * static_cast<double>(received) / static_cast<double>(blocks),
                static_cast<int>(blocks), static_cast<int>(damaged));
  }
}

}  // namespace
