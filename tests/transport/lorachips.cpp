// SPDX-License-Identifier: LGPL-2.1-or-later
// The drivers against models of their chips: what is sent is received, and what is broken is said
// or set up anew.
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "support/lorachips.h"
#include "transport/lora/chips/sx1262.h"
#include "transport/lora/chips/sx1276.h"

namespace {

using namespace npc;
using namespace npc::lora;
using namespace npc::test;
using namespace std::chrono_literals;

enum class Kind { kSx1276, kSx1262 };

/// A radio on its model.
struct End {
  End(ChipAir &air, Kind kind, const RadioSettings &settings) {
    if (kind == Kind::kSx1276)
      model = std::make_unique<Sx1276Model>(air);
    else
      model = std::make_unique<Sx1262Model>(air);
    auto bus = std::make_unique<ModelBus>(air, *model, faults);
    if (kind == Kind::kSx1276)
      radio = std::make_unique<Sx1276>(std::move(bus), settings);
    else
      radio = std::make_unique<Sx1262>(std::move(bus), settings, true);
  }
  Sx1262Model &sx1262() { return static_cast<Sx1262Model &>(*model); }

  BusFaults faults;
  std::unique_ptr<ChipModel> model;
  std::unique_ptr<Radio> radio;
};

Bytes frame_of(int number) {
  Bytes bytes(32);
  for (int i = 0; i < 32; ++i)
    bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(number * 7 + i + number / 256);
  return bytes;
}

std::string ends(Kind kind) {
  return kind == Kind::kSx1276 ? "Sx1276" : "Sx1262";
}

class LoraChips : public testing::TestWithParam<std::pair<Kind, Kind>> {
 protected:
  void begin() {
    for (End *end : {&from_, &to_})
      ASSERT_EQ(end->radio->start().error(), "");
    hear_nothing();
  }
  // Begins to listen.
  void hear_nothing() {
    std::optional<Heard> heard;
    ASSERT_EQ(to_.radio->receive(0us, -1, &heard).error(), "");
    EXPECT_FALSE(heard);
  }
  std::optional<Heard> hear(Time most = 1ms) {
    std::optional<Heard> heard;
    EXPECT_EQ(to_.radio->receive(most, -1, &heard).error(), "");
    return heard;
  }
  void send(const Bytes &bytes) {
    Time airtime{0};
    ASSERT_EQ(from_.radio->send(bytes, &airtime).error(), "");
    EXPECT_EQ(airtime, time_on_air(settings_.modulation, bytes.size()));
  }
  /// Sends frames and returns how many were received whole, in their order.
  int transfer(int frames) {
    int received = 0;
    for (int number = 0; number < frames; ++number) {
      bool is_busy = true;
      EXPECT_EQ(from_.radio->sense(&is_busy).error(), "");
      EXPECT_FALSE(is_busy);
      send(frame_of(number));
      const std::optional<Heard> heard = hear();
      if (!heard)
        continue;
      EXPECT_EQ(heard->bytes, frame_of(number));
      EXPECT_EQ(heard->rssi, -81);
      ++received;
    }
    EXPECT_EQ(from_.model->misuse + to_.model->misuse, 0);
    return received;
  }

  ChipAir air_;
  RadioSettings settings_;
  End from_{air_, GetParam().first, settings_}, to_{air_, GetParam().second, settings_};
};

TEST_P(LoraChips, ReceiveAThousandOfAThousandFrames) {
  begin();
  EXPECT_EQ(transfer(1000), 1000);
  EXPECT_EQ(from_.radio->restarts() + to_.radio->restarts(), 0u);
}

TEST_P(LoraChips, LoseWhatTheAirLoses) {
  begin();
  air_.faults = {0.3, 0, 0};
  const int received = transfer(1000);
  EXPECT_EQ(received, 1000 - air_.lost);
  EXPECT_GT(air_.lost, 200);
  EXPECT_EQ(to_.radio->restarts(), 0u);
}

TEST_P(LoraChips, DropFramesWithFlippedBits) {
  begin();
  air_.faults = {0, 0, 0.1};
  const int received = transfer(1000);
  EXPECT_EQ(received, 1000 - air_.damaged);
  EXPECT_GT(air_.damaged, 50);
}

TEST_P(LoraChips, ReceiveTwiceWhatIsSentTwice) {
  begin();
  air_.faults = {0, 1, 0};
  for (int number = 0; number < 20; ++number) {
    send(frame_of(number));
    for (int copy = 0; copy < 2; ++copy) {
      const std::optional<Heard> heard = hear(200ms);
      ASSERT_TRUE(heard) << number;
      EXPECT_EQ(heard->bytes, frame_of(number));
    }
  }
}

TEST_P(LoraChips, HearNothingWhileTheySend) {
  begin();
  // Another one sends while this one is on the air: neither is received, and both go on.
  air_.begin(from_.model.get(), from_.model->tuning(), frame_of(1));
  Time airtime{0};
  ASSERT_EQ(to_.radio->send(frame_of(2), &airtime).error(), "");
  EXPECT_EQ(air_.collided, 1);
  EXPECT_FALSE(hear(300ms));
  EXPECT_EQ(transfer(10), 10);
}

TEST_P(LoraChips, SenseWhoIsSending) {
  begin();
  bool is_busy = true;
  ASSERT_EQ(from_.radio->sense(&is_busy).error(), "");
  EXPECT_FALSE(is_busy);
  air_.begin(to_.model.get(), to_.model->tuning(), frame_of(1));
  ASSERT_EQ(from_.radio->sense(&is_busy).error(), "");
  EXPECT_TRUE(is_busy);
}

TEST_P(LoraChips, AreWokenWhileTheyListen) {
  begin();
  const int wake = eventfd(1, 0);
  std::optional<Heard> heard;
  const Time before = air_.now;
  EXPECT_EQ(to_.radio->receive(24h, wake, &heard).error(), "");
  EXPECT_FALSE(heard);
  EXPECT_LT(air_.now - before, 1s);
  close(wake);
}

TEST_P(LoraChips, AreSetUpAnewWhenTheirLineSticksHigh) {
  begin();
  to_.faults.line_sticks_high = true;
  EXPECT_FALSE(hear(100ms));
  EXPECT_EQ(to_.radio->restarts(), 1u);
  hear_nothing();
  EXPECT_EQ(transfer(10), 10);
}

TEST_P(LoraChips, ReceiveAlthoughTheirLineSticksLow) {
  begin();
  to_.faults.line_sticks_low = true;
  send(frame_of(1));
  const std::optional<Heard> heard = hear(100ms);
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->bytes, frame_of(1));
  EXPECT_EQ(to_.radio->restarts(), 1u);
  hear_nothing();
  EXPECT_EQ(transfer(10), 10);
}

TEST_P(LoraChips, AreSetUpAnewWhenTheyForgetThatTheyListen) {
  begin();
  to_.model->power_on();
  EXPECT_FALSE(hear(100ms));
  EXPECT_EQ(to_.radio->restarts(), 1u);
  hear_nothing();
  EXPECT_EQ(transfer(10), 10);
}

TEST_P(LoraChips, SayThatNobodyAnswers) {
  for (bool BusFaults::*fault : {&BusFaults::answers_zeros, &BusFaults::answers_ones}) {
    from_.faults = {};
    from_.faults.*fault = true;
    EXPECT_EQ(from_.radio->start().error(),
              "There is no answer from the LoRa chip at the test: see that SPI is on "
              "(dtparam=spi=on), that the board is the one of board=, and that nothing else uses "
              "its pins.");
  }
  from_.faults = {};
  from_.faults.fails = true;
  EXPECT_EQ(from_.radio->start().error(),
            "The SPI device \"the test\" failed: Input/output error.");
}

TEST_P(LoraChips, SayThatTheAnswersHaveEnded) {
  for (bool BusFaults::*fault : {&BusFaults::answers_zeros, &BusFaults::answers_ones}) {
    from_.faults = to_.faults = {};
    begin();
    from_.faults.*fault = to_.faults.*fault = true;
    std::optional<Heard> heard;
    EXPECT_NE(to_.radio->receive(1s, -1, &heard).error(), "");
    EXPECT_FALSE(heard);
    Time airtime{0};
    // All ones also say that it was sent: it is noticed with the next thing.
    const Status sent = from_.radio->send(frame_of(1), &airtime);
    EXPECT_TRUE(sent.is_failed() || fault == &BusFaults::answers_ones);
    EXPECT_NE(from_.radio->receive(1s, -1, &heard).error(), "");
    from_.faults = to_.faults = {};
    EXPECT_EQ(from_.radio->start().error(), "");
    EXPECT_EQ(to_.radio->start().error(), "");
    hear_nothing();
    EXPECT_EQ(transfer(3), 3);
  }
}

INSTANTIATE_TEST_SUITE_P(All, LoraChips,
                         testing::Values(std::pair(Kind::kSx1276, Kind::kSx1276),
                                         std::pair(Kind::kSx1262, Kind::kSx1262),
                                         std::pair(Kind::kSx1276, Kind::kSx1262),
                                         std::pair(Kind::kSx1262, Kind::kSx1276)),
                         [](const auto &of) {
                           return ends(of.param.first) + "To" + ends(of.param.second);
                         });

/// Every spreading factor and bandwidth, from each chip to each.
TEST(LoraChipSettings, AreUnderstoodByAll) {
  for (const Kind from : {Kind::kSx1276, Kind::kSx1262}) {
    for (const Kind to : {Kind::kSx1276, Kind::kSx1262}) {
      for (int factor = 7; factor <= 12; ++factor) {
        for (const int bandwidth : {125000, 250000, 500000}) {
          RadioSettings settings;
          settings.frequency = bandwidth == 500000 ? 903000000 : 868300000;
          settings.modulation = {factor, bandwidth, 1, 8};
          ChipAir air;
          End one(air, from, settings), other(air, to, settings);
          ASSERT_EQ(one.radio->start().error(), "");
          ASSERT_EQ(other.radio->start().error(), "");
          std::optional<Heard> heard;
          ASSERT_EQ(other.radio->receive(0us, -1, &heard).error(), "");
          Time airtime{0};
          ASSERT_EQ(one.radio->send(frame_of(factor), &airtime).error(), "");
          ASSERT_EQ(other.radio->receive(1ms, -1, &heard).error(), "");
          ASSERT_TRUE(heard) << "SF" << factor << ", " << bandwidth << " Hz";
          EXPECT_EQ(heard->bytes, frame_of(factor));
          EXPECT_EQ(one.model->misuse + other.model->misuse, 0);
        }
      }
    }
  }
}

TEST(LoraSx1276, IsToldFromOtherChips) {
  ChipAir air;
  End end(air, Kind::kSx1276, {});
  // Another kind of chip reads such a transfer as something else.
  Sx1262Model other(air);
  air.advance(10ms);
  Sx1276 radio(std::make_unique<ModelBus>(air, other, end.faults), {});
  EXPECT_NE(radio.start().error(), "");
}

TEST(LoraSx1262, StartsWithoutTheOscillatorThatItWasToldOf) {
  ChipAir air;
  End end(air, Kind::kSx1262, {});
  end.sx1262().has_tcxo = false;
  EXPECT_EQ(end.radio->start().error(), "");
  EXPECT_FALSE(static_cast<Sx1262 &>(*end.radio).has_tcxo());
  EXPECT_EQ(end.model->misuse, 0);
}

TEST(LoraSx1262, SaysThatNoOscillatorStarts) {
  ChipAir air;
  End end(air, Kind::kSx1262, {});
  end.sx1262().has_tcxo = false;
  end.sx1262().needs_tcxo = true;
  EXPECT_EQ(end.radio->start().error(),
            "The oscillator of the LoRa chip at the test does not start.");
}

TEST(LoraSx1262, SaysThatItStaysBusy) {
  ChipAir air;
  End end(air, Kind::kSx1262, {});
  const std::string error =
      "BUSY of the LoRa chip at the test stays high: see that the board is the one of board=, and "
      "its wires.";
  end.faults.busy_hangs = true;
  EXPECT_EQ(end.radio->start().error(), error);
  end.faults.busy_hangs = false;
  ASSERT_EQ(end.radio->start().error(), "");
  end.faults.busy_hangs = true;
  std::optional<Heard> heard;
  Time airtime{0};
  EXPECT_EQ(end.radio->receive(1s, -1, &heard).error(), error);
  EXPECT_EQ(end.radio->send(frame_of(1), &airtime).error(), error);
  end.faults.busy_hangs = false;
  EXPECT_EQ(end.radio->start().error(), "");
}

}  // namespace
