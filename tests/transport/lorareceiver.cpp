// SPDX-License-Identifier: LGPL-2.1-or-later
// The gateway's rules: each window and each crossing once, gaps named, acks after the store.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "support/loraframes.h"
#include "transport/lora/receiver/receiver.h"

namespace {

using namespace npc;
using namespace npc::lora;
using namespace npc::test;
using namespace std::chrono_literals;
using Outcome = Received::Outcome;
using Kind = Event::Kind;

struct Gateway {
  Gateway() : receiver({camera_of(7), camera_of(8)}, {}, 10000, -1h), key(key_of(7)) {}

  Received receive(const Frame &frame, bool store = true, std::int64_t began = 1000000) {
    Received received = receiver.receive(key.seal(*encode(frame), Direction::kUp), began, -90, now);
    if (store)
      receiver.stored(received.ticket);
    return received;
  }
  std::optional<AckFrame> ack() {
    const auto sent = receiver.next_ack(now);
    if (!sent)
      return std::nullopt;
    EXPECT_EQ(sent->camera, 7);
    const auto plain = key.open(sent->frame, Direction::kDown);
    return plain ? std::optional(std::get<AckFrame>(*decode(*plain))) : std::nullopt;
  }

  Receiver receiver;
  Keys key;
  Time now{0};
};

TEST(Receiver, PublishesABlockOnce) {
  Gateway gateway;
  CountsFrame frame = block(3, 44);
  frame.age_ms = 1300;
  const Received received = gateway.receive(frame);
  EXPECT_EQ(received.outcome, Outcome::kAccepted);
  ASSERT_EQ(received.reception.blocks.size(), 1u);
  const ReceivedBlock &published = received.reception.blocks.front();
  EXPECT_EQ(published.seq, 44u);
  EXPECT_EQ(published.windows, 15u);
  EXPECT_EQ(published.interval_ms, 30000u);
  EXPECT_EQ(published.time_ms, 1000000 - 1300);
  EXPECT_TRUE(published.lines.empty()) << "no hello has said what the totals were";
  EXPECT_EQ(boot_name(published.boot), "lora-0003");
  EXPECT_EQ(gateway.receive(frame).outcome, Outcome::kRepeated);
}

TEST(Receiver, TakesBlocksThatWereLostFromTheHistory) {
  Gateway gateway;
  gateway.receive(hello(1, 0, 0));
  gateway.receive(block(1, 14));
  CountsFrame frame = block(1, 44);
  frame.history = {{5, 6, 2, 1}};
  const Received received = gateway.receive(frame);
  ASSERT_EQ(received.reception.blocks.size(), 2u);
  EXPECT_EQ(received.reception.blocks[0].seq, 29u);
  EXPECT_EQ(received.reception.blocks[0].time_ms, 1000000 - 30000);
  EXPECT_EQ(received.reception.blocks[0].people, (BlockPeople{5, 6, 2, 1}));
  EXPECT_TRUE(received.reception.events.empty());
  EXPECT_EQ(gateway.receive(block(1, 29)).outcome, Outcome::kRepeated);
}

TEST(Receiver, PublishesOfMergedBlocksWhatIsMissing) {
  Gateway gateway;
  gateway.receive(block(1, 29));
  CountsFrame merged = block(1, 59);
  merged.windows = 60;
  const Received received = gateway.receive(merged);
  ASSERT_EQ(received.reception.blocks.size(), 2u);
  EXPECT_EQ(received.reception.blocks[0].seq, 14u);
  EXPECT_EQ(received.reception.blocks[0].windows, 15u);
  EXPECT_EQ(received.reception.blocks[1].seq, 59u);
  EXPECT_EQ(received.reception.blocks[1].windows, 30u);
}

TEST(Receiver, GivesEachCrossingOnce) {
  Gateway gateway;
  gateway.receive(hello(1, 0, 70000));
  const auto lines = [](const Received &received) {
    return received.reception.blocks.back().lines.at(0);
  };
  ReceivedLine line = lines(gateway.receive(block(1, 14, 70005)));
  EXPECT_EQ(line.in, 5u);
  EXPECT_EQ(line.in_total, 70005u);
  line = lines(gateway.receive(block(1, 44, 70020)));
  EXPECT_EQ(line.in, 15u);
  line = lines(gateway.receive(block(1, 29, 70011)));
  EXPECT_EQ(line.in, 0u) << "it is late";
  EXPECT_EQ(line.in_total, 70011u);
  // Another boot goes on with the totals; what was missed in between comes with its first block.
  EXPECT_TRUE(gateway.receive(block(2, 14, 70130)).reception.blocks.back().lines.empty());
  gateway.receive(hello(2, 0, 70100));
  line = lines(gateway.receive(block(2, 29, 70140)));
  EXPECT_EQ(line.in, 120u);
  EXPECT_EQ(line.in_total, 70140u);
}

TEST(Receiver, KnowsThatTotalsWereSetBack) {
  Gateway gateway;
  gateway.receive(hello(1, 0, 60000));
  gateway.receive(block(1, 14, 60010));
  EXPECT_EQ(gateway.receive(hello(2, 15, 0, 2)).reception.events.at(0).kind, Kind::kTotalsReset);
  const Received received = gateway.receive(block(2, 29, 3));
  EXPECT_EQ(received.reception.blocks.at(0).lines.at(0).in, 3u);
  EXPECT_EQ(received.reception.blocks.at(0).lines.at(0).in_total, 3u);
}

TEST(Receiver, NamesGapsAndWhatIsLost) {
  Gateway gateway;
  gateway.receive(hello(1, 0, 0));
  Received received = gateway.receive(block(1, 29));
  ASSERT_EQ(received.reception.events.size(), 1u);
  EXPECT_EQ(received.reception.events[0].kind, Kind::kGap);
  EXPECT_EQ(received.reception.events[0].windows, (Range{0, 14}));
  received = gateway.receive(block(1, 59));
  EXPECT_EQ(received.reception.events.at(0).windows, (Range{30, 44}));
  EXPECT_EQ(gateway.receiver.gaps(7).at(1), (std::vector<Range>{{0, 14}, {30, 44}}));
  received = gateway.receive(hello(1, 30, 0));
  ASSERT_EQ(received.reception.events.size(), 1u);
  EXPECT_EQ(received.reception.events[0].kind, Kind::kLost);
  EXPECT_EQ(received.reception.events[0].windows, (Range{0, 14}));
  EXPECT_EQ(gateway.receiver.gaps(7).at(1), (std::vector<Range>{{30, 44}}));
}

TEST(Receiver, RemembersEightBoots) {
  Gateway gateway;
  gateway.receive(block(1, 14));
  gateway.receive(block(1, 44));
  for (std::uint16_t boot = 2; boot <= 8; ++boot)
    gateway.receive(block(boot, 14));
  EXPECT_EQ(gateway.receive(block(1, 29)).outcome, Outcome::kAccepted);
  gateway.receive(block(1, 89));
  const Received ninth = gateway.receive(block(9, 14));
  EXPECT_EQ(ninth.reception.events.at(0).kind, Kind::kLost);
  EXPECT_EQ(ninth.reception.events.at(0).windows, (Range{45, 74}));
  const Received stale = gateway.receive(block(1, 119));
  EXPECT_EQ(stale.outcome, Outcome::kStale);
  EXPECT_EQ(stale.reception.events.at(0).kind, Kind::kStaleBoot);
}

TEST(Receiver, AcknowledgesWhatTheStoreHas) {
  Gateway gateway;
  gateway.receive(hello(1, 0, 0));
  EXPECT_EQ(gateway.ack()->head.seq, kNoSeq);
  gateway.receive(block(1, 14), false);
  gateway.receive(block(1, 29), false);
  const Received last = gateway.receive(block(1, 59, 0, true), false);
  EXPECT_FALSE(gateway.ack()) << "the store has nothing";
  EXPECT_EQ(gateway.receiver.state().find("0-59"), std::string::npos);
  gateway.receiver.stored(last.ticket);
  const auto ack = gateway.ack();
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->head.seq, 29u);
  EXPECT_EQ(ack->windows, 15u);
  EXPECT_EQ(ack->bitmap, 2u);
  EXPECT_EQ(ack->rssi, -90);
  EXPECT_FALSE(ack->head.wanted);
  EXPECT_FALSE(gateway.ack());
}

TEST(Receiver, AcknowledgesAfterEightFramesOrAGap) {
  Gateway gateway;
  gateway.receive(hello(1, 0, 0));
  ASSERT_TRUE(gateway.ack());
  std::uint32_t seq = 14;
  for (int i = 0; i < 7; ++i, seq += 15) {
    gateway.receive(block(1, seq));
    EXPECT_FALSE(gateway.ack());
  }
  gateway.receive(block(1, seq));
  EXPECT_TRUE(gateway.ack());
  gateway.receive(block(1, seq += 30));
  gateway.receive(block(1, seq += 15));
  EXPECT_FALSE(gateway.ack());
  gateway.receive(block(1, seq += 15));
  EXPECT_TRUE(gateway.ack());
}

TEST(Receiver, DoesNotAnswerCamerasThatDoNotListen) {
  Gateway gateway;
  for (std::uint32_t seq = 14; seq < 600; seq += 30)
    gateway.receive(block(1, seq));
  EXPECT_FALSE(gateway.ack());
}

TEST(Receiver, AnswersReplaysRarely) {
  Gateway gateway;
  const CountsFrame frame = block(1, 14, 0, true);
  gateway.receive(frame);
  EXPECT_TRUE(gateway.ack());
  gateway.receive(frame);
  EXPECT_FALSE(gateway.ack());
  gateway.now += 31s;
  gateway.receive(frame);
  EXPECT_TRUE(gateway.ack()) << "the camera may have missed the first one";
}

TEST(Receiver, KeepsItsOwnBudget) {
  Gateway gateway;
  int acks = 0;
  for (std::uint32_t seq = 14; seq < 15 * 3600; seq += 15) {
    gateway.receive(block(1, seq, 0, true));
    acks += gateway.ack().has_value();
  }
  const Time airtime = time_on_air({}, kAckBytes);
  EXPECT_EQ(acks, 3600ms / airtime);
}

TEST(Receiver, AsksForAHelloItHasMissed) {
  Gateway gateway;
  gateway.receive(block(1, 14, 0, true));
  EXPECT_TRUE(gateway.ack()->head.wanted);
  gateway.receive(hello(1, 0, 0));
  EXPECT_FALSE(gateway.ack()->head.wanted);
}

TEST(Receiver, MakesACameraWithoutStateJump) {
  Gateway gateway;
  gateway.receive(hello(5, 0, 0, 77));
  gateway.receive(block(5, 14));
  (void)gateway.ack();
  const Received reused = gateway.receive(hello(5, 0, 0, 78));
  EXPECT_EQ(reused.reception.events.at(0).kind, Kind::kBootReused);
  EXPECT_EQ(gateway.ack()->head.boot, 6);
  EXPECT_EQ(gateway.receive(block(5, 29)).outcome, Outcome::kRepeated)
      << "nobody knows whose it is";
  gateway.receive(hello(20, 0, 0, 79));
  (void)gateway.ack();
  gateway.now += 31s;
  gateway.receive(hello(1, 0, 0, 80));
  EXPECT_EQ(gateway.ack()->head.boot, 20);
}

TEST(Receiver, TakesTheNextKeyAndNotTheOldOneAfterIt) {
  Camera camera = camera_of(7);
  camera.next_key = key_of(99);
  Receiver receiver({camera}, {}, 10000, -1h);
  const Keys old_key(camera.key), next_key(*camera.next_key);
  const auto receive = [&receiver](const Keys &key, const Frame &frame) {
    Received received = receiver.receive(key.seal(*encode(frame), Direction::kUp), 0, 0, 0s);
    receiver.stored(received.ticket);
    return received;
  };
  EXPECT_EQ(receive(old_key, block(1, 14)).outcome, Outcome::kAccepted);
  CountsFrame flipped = block(1, 29, 0, true);
  flipped.head.phase = true;
  const Received changed = receive(next_key, flipped);
  EXPECT_EQ(changed.outcome, Outcome::kAccepted);
  EXPECT_EQ(changed.reception.events.at(0).kind, Kind::kNewKey);
  EXPECT_EQ(receive(old_key, block(1, 44)).outcome, Outcome::kRefused);
  EXPECT_TRUE(next_key.open(receiver.next_ack(0s)->frame, Direction::kDown));
  // Over a restart, and when it has become the key.
  Receiver again({camera}, {}, 10000, 0s);
  ASSERT_EQ(again.restore(receiver.state()).error(), "");
  EXPECT_EQ(again.receive(old_key.seal(*encode(block(1, 44)), Direction::kUp), 0, 0, 0s).outcome,
            Outcome::kRefused);
  camera.key = *camera.next_key;
  camera.next_key.reset();
  Receiver promoted({camera}, {}, 10000, 0s);
  ASSERT_EQ(promoted.restore(receiver.state()).error(), "");
  EXPECT_EQ(
      promoted.receive(next_key.seal(*encode(block(1, 44)), Direction::kUp), 0, 0, 0s).outcome,
      Outcome::kAccepted);
}

TEST(Receiver, ForgetsWhatTheStoreDidNotTake) {
  Gateway gateway;
  gateway.receive(hello(1, 0, 10));
  gateway.receive(block(1, 14, 12));
  const std::string before = gateway.receiver.state();
  gateway.receive(block(1, 29, 20), false);
  EXPECT_EQ(gateway.receiver.state(), before);
  gateway.receiver.forget_unstored();
  const Received again = gateway.receive(block(1, 29, 20));
  EXPECT_EQ(again.outcome, Outcome::kAccepted);
  EXPECT_EQ(again.reception.blocks.at(0).lines.at(0).in, 8u);
}

TEST(Receiver, RefusesMoreThanTheStoreCanBeBehind) {
  Gateway gateway;
  std::uint32_t seq = 14;
  for (std::size_t i = 0; i < Receiver::kMostUnstored; ++i, seq += 15)
    ASSERT_EQ(gateway.receive(block(1, seq), false).outcome, Outcome::kAccepted);
  EXPECT_EQ(gateway.receive(block(1, seq), false).outcome, Outcome::kBusy);
}

TEST(Receiver, TimesOfABootFitTogether) {
  Gateway gateway;
  const auto time_of = [&gateway](std::uint32_t seq, std::int64_t began, std::uint64_t age) {
    CountsFrame frame = block(1, seq);
    frame.age_ms = age;
    return gateway.receive(frame, true, began).reception.blocks.at(0).time_ms;
  };
  EXPECT_EQ(time_of(14, 1000000, 0), 1000000);
  EXPECT_NEAR(time_of(29, 1031000, 100), 1030000, 60) << "a second late, and not by its age";
  // Nine hours old: its age is exact to 12.8 s.
  const std::int64_t late = time_of(44, 1060000 + 9 * 3600000, 9 * 3600000 + 5000);
  EXPECT_NEAR(late, 1060000, 60);
  // The gateway's clock was set.
  EXPECT_EQ(time_of(59, 5000000, 0), 5000000);
  EXPECT_NEAR(time_of(74, 5030000, 0), 5030000, 1);
}

TEST(Receiver, RefusesADamagedState) {
  Gateway gateway;
  gateway.receive(hello(1, 15, 10));
  gateway.receive(block(1, 44, 12));
  gateway.receive(block(2, 44, 12));
  const std::string state = gateway.receiver.state();
  Gateway other;
  ASSERT_EQ(other.receiver.restore(state).error(), "");
  EXPECT_EQ(other.receiver.state(), state);
  EXPECT_EQ(other.receive(block(1, 44, 12)).outcome, Outcome::kRepeated);
  for (std::size_t size = 0; size < state.size(); ++size) {
    EXPECT_EQ(other.receiver.restore(state.substr(0, size)).error(),
              "The state of the LoRa receiver is damaged, or of another version.");
  }
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = state;
    damaged[random() % damaged.size()] = static_cast<char>(random() % 128);
    if (other.receiver.restore(damaged).is_ok())
      (void)other.receive(block(1, 59, 12));
  }
}

// Forged, replayed, cut and damaged ones, and those of another camera and another key.
TEST(Receiver, AcceptsNoForgery) {
  Gateway gateway;
  std::vector<Bytes> known;
  gateway.receive(hello(1, 0, 0));
  for (std::uint32_t seq = 14; seq < 1500; seq += 15) {
    gateway.receive(block(1, seq, seq));
    known.push_back(gateway.key.seal(*encode(block(1, seq, seq)), Direction::kUp));
  }
  const std::string before = gateway.receiver.state();
  std::mt19937 random(1);
  const Keys stranger(key_of(9));
  int accepted = 0;
  for (int i = 0; i < 100000; ++i) {
    Bytes frame = known[random() % known.size()];
    switch (i % 6) {
      case 0:
        frame.resize(random() % 33);
        std::generate(frame.begin(), frame.end(),
                      [&] { return static_cast<std::uint8_t>(random()); });
        if (frame.size() > 1)
          frame[1] = 7;
        break;
      case 1:
        frame[random() % frame.size()] ^= static_cast<std::uint8_t>(1u << random() % 8);
        break;
      case 2:
        frame.resize(random() % frame.size());
        break;
      case 3:
        frame = stranger.seal(*encode(block(2, random() % 10000 + 15)), Direction::kUp);
        break;
      case 4:
        frame[1] = 8;
        break;
      default:
        break;  // a replay
    }
    accepted += gateway.receiver.receive(frame, 0, 0, 0s).outcome == Outcome::kAccepted;
  }
  EXPECT_EQ(accepted, 0);
  EXPECT_EQ(gateway.receiver.state(), before);
}

// A gateway that was killed before its store had everything gets the same records of what it kept.
TEST(Receiver, MakesTheSameRecordsOfKeptFrames) {
  Gateway gateway;
  gateway.receive(hello(3, 0, 5));
  gateway.receive(block(3, 14, 7));
  CountsFrame frame = block(3, 44, 11);
  frame.history = {{9, 9, 1, 1}};
  const Received before = gateway.receive(frame, false);
  const Received more = gateway.receive(block(3, 59, 12), false);
  const std::string state = gateway.receiver.state();
  const std::string kept = write_frames(gateway.receiver.unstored());
  Gateway again;
  ASSERT_EQ(again.receiver.restore(state).error(), "");
  std::vector<KeptFrame> frames;
  ASSERT_TRUE(read_frames(kept, &frames));
  ASSERT_EQ(frames.size(), 2u);
  for (const auto &[frame_of, expected] :
       {std::pair(frames[0], before), std::pair(frames[1], more)}) {
    const Received received =
        again.receiver.receive(frame_of.bytes, frame_of.began_ms, frame_of.rssi, 0s);
    ASSERT_EQ(received.reception.blocks.size(), expected.reception.blocks.size());
    for (std::size_t i = 0; i < received.reception.blocks.size(); ++i) {
      const ReceivedBlock &one = received.reception.blocks[i];
      const ReceivedBlock &other = expected.reception.blocks[i];
      EXPECT_EQ(one.seq, other.seq);
      EXPECT_EQ(one.windows, other.windows);
      EXPECT_EQ(one.time_ms, other.time_ms);
      EXPECT_EQ(one.people, other.people);
      ASSERT_EQ(one.lines.size(), other.lines.size());
      for (std::size_t line = 0; line < one.lines.size(); ++line) {
        EXPECT_EQ(one.lines[line].in, other.lines[line].in);
        EXPECT_EQ(one.lines[line].in_total, other.lines[line].in_total);
      }
    }
    again.receiver.stored(received.ticket);
  }
  gateway.receiver.stored(more.ticket);
  EXPECT_TRUE(gateway.receiver.unstored().empty());
  EXPECT_EQ(again.receiver.state(), gateway.receiver.state());
}

TEST(KeptFrames, AreReadAsTheyWereWritten) {
  std::vector<KeptFrame> frames = {{{0, 1, 255}, 1767225600000, -120}, {Bytes(32, 7), -5, 3}};
  const std::string text = write_frames(frames);
  std::vector<KeptFrame> read;
  ASSERT_TRUE(read_frames(text, &read));
  EXPECT_EQ(read, frames);
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(read_frames(text.substr(0, size), &read)) << size;
  for (const char *wrong :
       {"npc-lora-frames 2\nend\n", "npc-lora-frames 1\nframe 1 2 0g\nend\n",
        "npc-lora-frames 1\nframe 1 2 000\nend\n", "npc-lora-frames 1\nframe 1 x 00\nend\n",
        "npc-lora-frames 1\nend\nend\n", ""})
    EXPECT_FALSE(read_frames(wrong, &read)) << wrong;
  const std::string too_long = "npc-lora-frames 1\nframe 1 2 " + std::string(66, '0') + "\nend\n";
  EXPECT_FALSE(read_frames(too_long, &read));
}

}  // namespace
