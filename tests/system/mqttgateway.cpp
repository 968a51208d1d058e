// SPDX-License-Identifier: LGPL-2.1-or-later
// Cameras, a broker, and a gateway that writes what came: real elements and a real broker.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "support/mosquitto.h"
#include "support/pipeline.h"
#include "support/playingsink.h"
#include "support/process.h"
#include "support/waiting.h"

namespace {

using npc::test::eventually;
using npc::test::Mosquitto;
using npc::test::Pipeline;
using npc::test::PlayingSink;
using npc::test::record_json;

class MqttGateway : public testing::Test {
 protected:
  void SetUp() override {
    if (!npc::test::have_program("mosquitto"))
      GTEST_SKIP() << "mosquitto is not installed";
    ASSERT_TRUE(broker_.start());
  }

  std::string gateway() const {
    return "npcsrc name=source uri=mqtt://" + broker_.host() +
           " state-file=" + (directory_ / "received") +
           " ! npcsink drain-timeout=60000000000 store=" + (directory_ / "store.db") +
           " updaters=file:" + (directory_ / "counts.jsonl");
  }
  std::multiset<std::string> lines() const {
    const auto all = npc::test::lines_of(directory_ / "counts.jsonl");
    return {all.begin(), all.end()};
  }
  // Waits for news of the connection.
  static std::string next_state(const Pipeline &pipeline) {
    while (true) {
      const auto message = pipeline.next();
      const GstStructure *news = gst_message_get_structure(message.get());
      if (gst_structure_has_name(news, "npc-receiver") != FALSE)
        return gst_structure_get_string(news, "state");
    }
  }

  Mosquitto broker_;
  npc::test::TemporaryDirectory directory_;
};

TEST_F(MqttGateway, WritesWhatTwoCamerasPublishOnce) {
  std::multiset<std::string> expected;
  const Pipeline pipeline(gateway());
  pipeline.play();
  EXPECT_EQ(next_state(pipeline), "connected");
  PlayingSink door("mqtt://" + broker_.host()), hall("mqtt://" + broker_.host());
  door.push(0, 500);
  hall.push(0, 500, "hall");
  EXPECT_TRUE(door.drain());
  EXPECT_TRUE(hall.drain());
  for (guint64 seq = 0; seq < 500; seq++)
    for (const char *camera : {"door", "hall"})
      expected.insert(record_json(seq, camera));
  EXPECT_TRUE(eventually([&] { return lines().size() >= expected.size(); }));
  EXPECT_EQ(lines(), expected);
}

// The broker keeps them meanwhile.
TEST_F(MqttGateway, LosesNothingWhileItIsStopped) {
  std::multiset<std::string> expected;
  for (guint64 round = 0; round < 3; round++) {
    {
      const Pipeline pipeline(gateway());
      pipeline.play();
      EXPECT_EQ(next_state(pipeline), "connected");
      EXPECT_TRUE(eventually([&] { return lines().size() >= expected.size(); }));
    }
    PlayingSink door("mqtt://" + broker_.host());
    door.push(round * 200, round * 200 + 200);
    EXPECT_TRUE(door.drain());
    for (guint64 seq = round * 200; seq < round * 200 + 200; seq++)
      expected.insert(record_json(seq));
  }
  const Pipeline pipeline(gateway());
  pipeline.play();
  EXPECT_TRUE(eventually([&] { return lines().size() >= expected.size(); }));
  EXPECT_EQ(lines(), expected);
}

}  // namespace
