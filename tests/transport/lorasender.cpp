// SPDX-License-Identifier: LGPL-2.1-or-later
// The camera's side: what is sent when, what an ack changes, and the duty cycle of it all.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <random>

#include "support/loraduty.h"
#include "support/loraframes.h"
#include "support/sanitizer.h"
#include "transport/lora/sender/sender.h"

namespace {

using namespace npc;
using namespace npc::lora;
using namespace npc::test;
using namespace std::chrono_literals;

SenderSettings settings_of(bool ack = true) {
  SenderSettings settings;
  settings.camera = 7;
  settings.ack = ack;
  return settings;
}

/// A camera with a clock, whose radio works at once.
struct Camera {
  explicit Camera(const SenderSettings &of = settings_of())
      : settings(of), sender(of, key_of(7), 0s), keys(key_of(7)) {}

  void count(int windows, const std::string &boot = "first") {
    for (; windows > 0; --windows, ++seq) {
      Record record;
      record.boot = boot;
      record.seq = seq;
      record.window.interval_ms = settings.window_ms;
      record.window.end = now += std::chrono::milliseconds(settings.window_ms);
      record.window.people = {3, 4, 1, 0};
      ++in;
      record.window.lines.assign(settings.lines, {1, 0, in, 0});
      EXPECT_EQ(sender.add(record).error(), "");
      if (saves)
        sender.saved();
    }
  }
  /// The frames that go out in this time, or until as many have.
  std::vector<Frame> run(Time time, std::size_t most = 1000) {
    std::vector<Frame> frames;
    const Time end = now + time;
    while (frames.size() < most) {
      const Action action = sender.next(now);
      if (action.kind == Action::Kind::kSense) {
        sender.sensed(false, now);
      } else if (action.kind == Action::Kind::kSend) {
        const Time airtime = time_on_air(settings.modulation, action.frame.size());
        duty.add(now, airtime);
        now += airtime;
        sender.sent();
        frames.push_back(*decode(*keys.open(action.frame, Direction::kUp)));
      } else if (action.until >= end) {
        break;
      } else {
        now = action.until;
      }
    }
    now = std::max(now, end);
    return frames;
  }
  void acknowledge(std::uint16_t boot, std::uint32_t covered, std::uint32_t bitmap = 0,
                   bool wanted = false) {
    AckFrame ack;
    ack.head = {7, boot, covered, false, wanted};
    ack.windows = 15;
    ack.bitmap = bitmap;
    EXPECT_TRUE(sender.received(keys.seal(*encode(ack), Direction::kDown)));
    if (saves)
      sender.saved();
  }

  const SenderSettings settings;
  Sender sender;
  Keys keys;
  Time now{0};
  std::uint64_t seq = 0, in = 0;
  WorstHour duty;
  bool saves = true;
};

const CountsFrame &counts(const Frame &frame) {
  return std::get<CountsFrame>(frame);
}

TEST(Sender, BeginsWithAHelloAndThenTheNewestBlock) {
  Camera camera;
  camera.count(45);
  const std::vector<Frame> frames = camera.run(25s);
  ASSERT_EQ(frames.size(), 3u);
  const auto &hello = std::get<HelloFrame>(frames[0]);
  EXPECT_EQ(hello.head.boot, 1);
  EXPECT_EQ(hello.head.seq, 0u);
  EXPECT_TRUE(hello.head.wanted);
  EXPECT_EQ(hello.lines, (std::vector<LineTotals>{{0, 0}}));
  EXPECT_EQ(counts(frames[1]).head.seq, 44u);
  EXPECT_EQ(counts(frames[1]).windows, 15u);
  EXPECT_EQ(counts(frames[1]).window_ms, 2000u);
  EXPECT_EQ(counts(frames[1]).lines.at(0).in, 45u);
  EXPECT_EQ(counts(frames[1]).history.size(), 1u);
  EXPECT_EQ(counts(frames[2]).head.seq, 14u) << "one of the older ones";
  EXPECT_GE(counts(frames[2]).age_ms, 60000u);
}

TEST(Sender, SendsNothingBeforeItsBootNumberIsSaved) {
  Camera camera;
  camera.saves = false;
  camera.count(15);
  EXPECT_TRUE(camera.sender.must_save());
  EXPECT_TRUE(camera.run(100s).empty());
  camera.sender.saved();
  EXPECT_FALSE(camera.run(100s).empty());
}

TEST(Sender, WaitsForItsBudget) {
  SenderSettings settings = settings_of();
  settings.modulation.spreading_factor = 12;
  settings.period = 4s;
  Camera camera(settings);
  camera.count(2);
  EXPECT_TRUE(camera.run(150s).empty()) << "1.8 s at 0.9 % take 200 s";
  EXPECT_EQ(camera.run(60s).size(), 1u);
}

TEST(Sender, BacksOffFromABusyChannel) {
  Camera camera;
  camera.count(15);
  camera.run(0s);
  int tries = 0;
  Time last = camera.now;
  for (;;) {
    const Action action = camera.sender.next(camera.now);
    if (action.kind == Action::Kind::kSend)
      break;
    if (action.kind == Action::Kind::kWait) {
      camera.now = action.until;
      continue;
    }
    EXPECT_TRUE(tries == 0 || camera.now - last >= 30ms);
    last = camera.now;
    camera.sender.sensed(true, camera.now);
    ++tries;
  }
  EXPECT_EQ(tries, 9) << "eight times, and then it is taken for noise";
}

TEST(Sender, KeepsRecordsUntilTheyAreAcknowledged) {
  Camera camera;
  for (int i = 0; i < 4; ++i) {
    camera.count(15);
    camera.run(20s);
  }
  EXPECT_EQ(camera.sender.confirmed(), 0u);
  camera.acknowledge(1, 14, 2);  // 30..44 too, and 15..29 is lost
  EXPECT_EQ(camera.sender.confirmed(), 15u);
  camera.count(15);
  std::map<std::uint32_t, int> sent;
  for (const Frame &frame : camera.run(29s)) {
    if (std::holds_alternative<CountsFrame>(frame))
      ++sent[counts(frame).head.seq];
  }
  EXPECT_EQ(sent, (std::map<std::uint32_t, int>{{74, 1}, {29, 1}}));
  camera.acknowledge(1, 74);
  EXPECT_EQ(camera.sender.confirmed(), 75u);
  camera.acknowledge(1, 29);  // a late one, or a replay
  EXPECT_EQ(camera.sender.confirmed(), 75u);
  EXPECT_EQ(camera.sender.pending(), 0u);
}

TEST(Sender, IsDoneWithWhatWasSentIfThereAreNoAcks) {
  Camera camera(settings_of(false));
  camera.count(15);
  EXPECT_EQ(camera.sender.confirmed(), 0u);
  camera.run(60s);
  EXPECT_EQ(camera.sender.confirmed(), 15u);
  camera.count(7);
  EXPECT_EQ(camera.sender.confirmed(), 15u);
  camera.sender.flush();
  const CountsFrame last = counts(camera.run(60s).at(0));
  EXPECT_EQ(last.windows, 7u);
  EXPECT_FALSE(last.head.wanted);
  EXPECT_EQ(camera.sender.confirmed(), 22u);
}

TEST(Sender, BlocksAreOfOneBootAndWithoutHoles) {
  Camera camera(settings_of(false));
  camera.count(20);
  camera.seq = 25;  // 20 to 24 are missing
  camera.count(2);
  camera.seq = 0;
  camera.count(15, "second");
  std::map<std::pair<int, std::uint32_t>, std::uint32_t> blocks;
  for (int i = 0; i < 5; ++i) {
    for (const Frame &frame : camera.run(100s)) {
      if (const auto *block = std::get_if<CountsFrame>(&frame))
        blocks[{block->head.boot, block->head.seq}] = block->windows;
    }
    camera.count(15, "second");
  }
  const auto has = [&blocks](int boot, std::uint32_t seq) { return blocks[{boot, seq}]; };
  EXPECT_EQ(has(1, 14), 15u);
  EXPECT_EQ(has(1, 19), 5u);
  EXPECT_EQ(has(1, 26), 2u);
  EXPECT_EQ(has(2, 14), 15u);
}

TEST(Sender, JumpsPastANewerBoot) {
  Camera camera;
  camera.count(15);
  camera.run(60s);
  camera.saves = false;
  camera.acknowledge(42, 1000);
  EXPECT_TRUE(camera.sender.must_save());
  camera.sender.saved();
  const std::vector<Frame> frames = camera.run(300s);
  ASSERT_GE(frames.size(), 2u);
  EXPECT_EQ(head_of(frames[0]).boot, 43);
  EXPECT_TRUE(std::holds_alternative<HelloFrame>(frames[0]));
  EXPECT_EQ(counts(frames[1]).head.boot, 43);
  EXPECT_EQ(counts(frames[1]).head.seq, 14u);
  EXPECT_NE(camera.sender.state().find("boot 43 0 first"), std::string::npos);
}

TEST(Sender, SaysThatAHoleWillNotBeFilled) {
  Camera camera;
  camera.count(30);
  camera.run(60s);
  camera.acknowledge(1, 29);
  camera.seq = 60;
  camera.count(15);
  camera.run(29s);
  camera.acknowledge(1, 29);  // it waits for 30
  const std::vector<Frame> frames = camera.run(29s);
  ASSERT_FALSE(frames.empty());
  const auto &hello = std::get<HelloFrame>(frames[0]);
  EXPECT_EQ(hello.head.seq, 60u);
  EXPECT_EQ(hello.lines, (std::vector<LineTotals>{{30, 0}}));
}

TEST(Sender, TakesAnotherNumberWhenTotalsAreSetBack) {
  Camera camera(settings_of(false));
  camera.count(20);
  camera.in = 0;
  camera.count(10);
  std::vector<Frame> frames = camera.run(100s);
  ASSERT_GE(frames.size(), 2u);
  EXPECT_EQ(head_of(frames[0]).boot, 2);
  EXPECT_EQ(std::get<HelloFrame>(frames[0]).head.seq, 20u);
  EXPECT_EQ(std::get<HelloFrame>(frames[0]).lines, (std::vector<LineTotals>{{0, 0}}));
}

TEST(Sender, SendsAllLinesInTurn) {
  SenderSettings settings = settings_of(false);
  settings.lines = 3;
  Camera camera(settings);
  std::map<int, int> lines, hellos;
  for (int i = 0; i < 12; ++i) {
    camera.count(15);
    for (const Frame &frame : camera.run(20s)) {
      if (const auto *hello = std::get_if<HelloFrame>(&frame))
        hellos[hello->first_line] += static_cast<int>(hello->lines.size());
      else if (counts(frame).lines.size() == 1)
        ++lines[counts(frame).first_line];
    }
  }
  EXPECT_GE(hellos[0], 4);
  EXPECT_EQ(hellos[2], hellos[0] / 2) << "the third one";
  EXPECT_GE(lines[0], 3);
  EXPECT_GE(lines[1], 3);
  EXPECT_GE(lines[2], 3);
}

TEST(Sender, SaysWhatItCannotCarry) {
  SenderSettings settings = settings_of();
  EXPECT_EQ(check_settings(settings).error(), "");
  EXPECT_EQ(most_frame_bytes(settings), 29u);
  settings.window_ms = 2050;
  EXPECT_EQ(
      check_settings(settings).error(),
      "LoRa cannot carry windows of 2050 ms: the counter's interval must be 1 to 63 times 0.1, 1, "
      "10 or 60 s.");
  settings = settings_of();
  settings.period = 1s;
  EXPECT_EQ(check_settings(settings).error(),
            "The period must be 1 to 16384 times as long as the counter's interval of 2000 ms.");
  settings = settings_of();
  settings.history = 3;
  EXPECT_EQ(check_settings(settings).error(),
            "A history of 3 blocks does not fit into a frame: use up to 2, as there are lines.");
  settings.lines = 0;
  EXPECT_EQ(check_settings(settings).error(), "");
}

TEST(LoraBootNumbers, OutliveTheProcess) {
  BootNumbers numbers;
  for (int i = 0; i < 12; ++i)
    ASSERT_TRUE(numbers.begin("boot" + std::to_string(i), 5));
  EXPECT_FALSE(numbers.find("boot3", 5)) << "eight are remembered";
  EXPECT_EQ(numbers.find("boot4", 5)->number, 5);
  EXPECT_FALSE(numbers.find("boot4", 4));
  BootNumbers again;
  ASSERT_EQ(again.restore(numbers.state()).error(), "");
  EXPECT_EQ(again.state(), numbers.state());
  EXPECT_EQ(again.find("boot11", 100)->number, 12);
  EXPECT_EQ(again.begin("boot12", 0)->number, 13);
  EXPECT_FALSE(again.find("boot12", kNoSeq)) << "its numbers on the air are used";
  EXPECT_TRUE(again.jump_past(65527));
  EXPECT_EQ(again.newest().number, 65535);
  EXPECT_FALSE(again.begin("boot13", 0));
  EXPECT_FALSE(again.jump_past(65535));
  const std::string state = numbers.state();
  for (std::size_t size = 0; size + 1 < state.size(); ++size)
    EXPECT_NE(again.restore(state.substr(0, size)).error(), "");
}

/// A camera that always has more to send than it may; the gateway answers now and then, or never.
class BusyCamera {
 public:
  explicit BusyCamera(int spreading_factor) : random_(static_cast<unsigned>(spreading_factor)) {
    settings_.modulation.spreading_factor = spreading_factor;
    settings_.period = 4s;
    settings_.most_pending = 40;
  }

  /// One life of the process.
  void run(int number, Time end) {
    Sender sender(settings_, key_of(7), now_);
    Record record;
    record.boot = "boot" + std::to_string(number);
    record.window.interval_ms = 2000;
    record.window.lines.resize(1);
    for (Time window = now_; now_ < end;) {
      const Action action = sender.next(now_);
      if (action.kind == Action::Kind::kSense) {
        sender.sensed(random_() % 4 == 0, now_);
      } else if (action.kind == Action::Kind::kSend) {
        send(action.frame, number % 2 == 0, &sender);
      } else if (action.until <= window) {
        now_ = action.until;
      } else {
        now_ = std::max(now_, window);
        record.window.end = now_;
        (void)sender.add(record);
        ++record.seq;
        sender.saved();
        window += 2s;
      }
      most_pending = std::max(most_pending, sender.pending());
    }
  }

  Time draw_end() {
    std::exponential_distribution<double> life(1.0 / 7200);
    return now_ + Time(static_cast<std::int64_t>(life(random_) * 1e6));
  }
  Time now() const { return now_; }

  WorstHour duty;
  std::size_t most_pending = 0;
  std::map<std::uint32_t, int> lengths;  // of blocks

 private:
  void send(const Bytes &bytes, bool is_answered, Sender *sender) {
    const Time airtime = time_on_air(settings_.modulation, bytes.size());
    duty.add(now_, airtime);
    now_ += airtime;
    sender->sent();
    const Frame frame = *decode(*keys_.open(bytes, Direction::kUp));
    if (const auto *block = std::get_if<CountsFrame>(&frame))
      ++lengths[block->windows];
    if (!is_answered || random_() % 8 != 0)
      return;
    AckFrame ack;
    ack.head = {7, head_of(frame).boot, kNoSeq, false, random_() % 2 == 0};
    ack.windows = 2;
    ack.bitmap = random_() & 0xffffff;
    sender->received(keys_.seal(*encode(ack), Direction::kDown));
  }

  SenderSettings settings_ = settings_of();
  Keys keys_{key_of(7)};
  std::mt19937 random_;
  Time now_{0};
};

class LoraDuty : public testing::TestWithParam<int> {};

// A week, with restarts every two hours in the mean; a day where it would take minutes.
TEST_P(LoraDuty, IsKeptInEveryMergeState) {
  BusyCamera camera(GetParam());
  for (int life = 0; camera.now() < (kSanitized ? 24h : 7 * 24h); ++life)
    camera.run(life, camera.draw_end());
  EXPECT_LE(camera.duty.worst(), 36s);
  EXPECT_GT(camera.lengths.size(), 3u) << "blocks were merged";
  EXPECT_LE(camera.most_pending, 160u);
  std::printf("SF%d: worst hour %.4f %%, blocks of %d lengths up to %d windows\n", GetParam(),
              static_cast<double>(camera.duty.worst().count()) / 36e6,
              static_cast<int>(camera.lengths.size()),
              static_cast<int>(camera.lengths.rbegin()->first));
}

INSTANTIATE_TEST_SUITE_P(All, LoraDuty, testing::Values(7, 8, 9, 10, 11, 12));

}  // namespace
