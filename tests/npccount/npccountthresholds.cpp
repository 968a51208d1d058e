// SPDX-License-Identifier: LGPL-2.1-or-later
// npccount's thresholds: what is told of them and what is refused.
#include <thread>

#include "support/counter.h"

namespace npc::test {
namespace {

constexpr const char *kZones = "queue,points=<0,0,0.5,0,0.5,1,0,1>; 1,points=<0.5,0,1,0,1,1,0.5,1>";
constexpr const char *kCrowd = "crowd,above=3,below=1,for=2000";

class CounterThresholds : public Counter {
 protected:
  struct Told {
    std::string threshold, zone, state;
    guint people;
    GstClockTime since, held;
  };

  /// The npc-threshold messages since the last time.
  std::vector<Told> told() {
    std::vector<Told> all;
    while (Owned<GstMessage> posted = message()) {
      const GstStructure *fields = gst_message_get_structure(posted.get());
      if (!gst_structure_has_name(fields, "npc-threshold"))
        continue;
      std::vector<std::string> names;
      for (gint i = 0; i < gst_structure_n_fields(fields); i++)
        names.emplace_back(gst_structure_nth_field_name(fields, static_cast<guint>(i)));
      EXPECT_EQ(names, (std::vector<std::string>{"timestamp", "stream-time", "running-time",
                                                 "duration", "site", "camera", "threshold", "zone",
                                                 "class", "state", "people"}));
      EXPECT_STREQ(gst_structure_get_string(fields, "site"), "home");
      EXPECT_STREQ(gst_structure_get_string(fields, "class"), "person");
      Told one{gst_structure_get_string(fields, "threshold"),
               gst_structure_get_string(fields, "zone"),
               gst_structure_get_string(fields, "state"),
               0,
               0,
               0};
      guint64 running = 0;
      EXPECT_TRUE(gst_structure_get(fields, "people", G_TYPE_UINT, &one.people, "timestamp",
                                    G_TYPE_UINT64, &one.since, "running-time", G_TYPE_UINT64,
                                    &running, "duration", G_TYPE_UINT64, &one.held, nullptr));
      EXPECT_EQ(running, one.since);
      all.push_back(one);
    }
    return all;
  }

  std::string get() {
    g_autofree gchar *text = nullptr;
    g_object_get(element(), "thresholds", &text, nullptr);
    return text;
  }

  const std::vector<GstNpcDetection> three_{person(50), person(150), person(450)};
};

TEST_F(CounterThresholds, AreToldOfOnTheBus) {
  g_object_set(element(), "thresholds", kCrowd, nullptr);
  set_caps();
  frames(0, GST_SECOND, {person(50)});
  frames(GST_SECOND, 5 * GST_SECOND, three_);
  auto all = told();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].threshold, "crowd");
  EXPECT_EQ(all[0].zone, "");
  EXPECT_EQ(all[0].state, "above");
  EXPECT_EQ(all[0].people, 3u);
  EXPECT_EQ(all[0].held, 2 * GST_SECOND);
  EXPECT_GE(all[0].since, GST_SECOND) << "and a little more, until they are believed";
  EXPECT_LT(all[0].since, 1500 * GST_MSECOND);
  frames(5 * GST_SECOND, 7 * GST_SECOND, {person(50), person(150)});
  EXPECT_TRUE(told().empty()) << "two is in between";
  frames(7 * GST_SECOND, 12 * GST_SECOND);
  all = told();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].state, "below");
  EXPECT_EQ(all[0].people, 0u);
}

TEST_F(CounterThresholds, WatchZones) {
  g_object_set(element(), "zones", kZones, "thresholds",
               "a,zone=queue,above=2,for=500;b,zone=1,above=1,for=500", nullptr);
  set_caps();
  frames(0, 2 * GST_SECOND, three_);
  const auto all = told();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].zone, "queue");
  EXPECT_EQ(all[0].people, 2u);
  EXPECT_EQ(all[1].zone, "1");
  EXPECT_EQ(all[1].people, 1u);
}

TEST_F(CounterThresholds, AreSilentWithoutMessages) {
  g_object_set(element(), "thresholds", kCrowd, "post-messages", FALSE, nullptr);
  set_caps();
  frames(0, 5 * GST_SECOND, three_);
  EXPECT_TRUE(told().empty());
}

TEST_F(CounterThresholds, ChangeWhilePlayingAndStayWhereTheyAre) {
  g_object_set(element(), "thresholds", kCrowd, nullptr);
  set_caps();
  frames(0, 3 * GST_SECOND, three_);
  EXPECT_EQ(told().size(), 1u);
  g_object_set(element(), "thresholds", "crowd,above=2,for=0; new,above=3,for=0", nullptr);
  frames(3 * GST_SECOND, 4 * GST_SECOND, three_);
  auto all = told();
  ASSERT_EQ(all.size(), 1u) << "crowd is above already";
  EXPECT_EQ(all[0].threshold, "new");
  flush();
  frames(0, 5 * GST_SECOND, three_);
  EXPECT_TRUE(told().empty()) << "above stays above";
}

struct Refused {
  const char *text;
  const char *sentence;
};

const Refused kRefused[] = {
    {"???", "Cannot read \"???\": write name,above=10"},
    {"<<<", "There are brackets or quotes in brackets: write name,above=10"},
    {"crowd", "The threshold crowd needs an above, a whole number from 1 to 500"},
    {"crowd,above=0", "The threshold crowd is always reached"},
    {"crowd,above=501", "needs an above"},
    {"crowd,above=1.5", "needs an above"},
    {"crowd,above=nan", "needs an above"},
    {"crowd,above=-1", "needs an above"},
    {"crowd,above=many", "needs an above"},
    {"crowd,above=8,below=8", "has a below of 8 and an above of 8: below must be the smaller one."},
    {"crowd,above=8,below=10", "below must be the smaller one."},
    {"crowd,above=8,below=x", "has a below that is no whole number from 0 to 500."},
    {"crowd,above=8,for=soon", "has a for that is no number of milliseconds from 0 to 3600000."},
    {"crowd,above=8,for=-1", "has a for that is no number"},
    {"crowd,above=8,zone=hall", "watches the zone hall, which the property zones does not have"},
    {"crowd,above=8,zone=(string)\"a b\"", "has a zone that is none"},
    {"crowd,above=8,zone=queue,class=car", "has a zone and a class"},
    {"crowd,above=8,class=(string)\"a b\"", "has a class that is none"},
    {"crowd,above=8,abvoe=9",
     "has an unknown option abvoe; known are zone, class, above, below and for."},
    {"crowd,above=8;crowd,above=9", "The threshold crowd is defined twice"},
};

TEST_F(CounterThresholds, ThatCannotWorkLeaveTheOldOnes) {
  g_object_set(element(), "zones", kZones, "thresholds", kCrowd, nullptr);
  for (const Refused &bad : kRefused) {
    g_object_set(element(), "thresholds", bad.text, nullptr);
    const std::string text = sentence(GST_MESSAGE_WARNING);
    EXPECT_EQ(text.find("The property thresholds stays as it was. "), 0u) << text;
    EXPECT_NE(text.find(bad.sentence), std::string::npos) << text;
    EXPECT_EQ(get(), kCrowd);
  }
}

TEST_F(CounterThresholds, ThatCannotWorkKeepItFromStarting) {
  Owned<GstElement> element(gst_element_factory_make("npccount", nullptr));
  gst_object_ref_sink(element.get());
  gst_element_set_bus(element.get(), bus_.get());
  g_object_set(element.get(), "zones", kZones, nullptr);
  for (const Refused &bad : kRefused) {
    g_object_set(element.get(), "thresholds", bad.text, nullptr);
    EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    const std::string text = sentence(GST_MESSAGE_ERROR);
    EXPECT_EQ(text.find("The property thresholds cannot be used. "), 0u) << text;
    EXPECT_NE(text.find(bad.sentence), std::string::npos) << text;
    gst_element_set_state(element.get(), GST_STATE_NULL);
  }
  // Whichever of the two is set first.
  g_object_set(element.get(), "zones", nullptr, "thresholds", "long,zone=queue,above=4", nullptr);
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  gst_element_set_state(element.get(), GST_STATE_NULL);
  g_object_set(element.get(), "zones", kZones, nullptr);
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state(element.get(), GST_STATE_NULL);
  gst_element_set_bus(element.get(), nullptr);
}

TEST_F(CounterThresholds, KeepTheirZone) {
  g_object_set(element(), "zones", kZones, "thresholds", "long,zone=queue,above=4", nullptr);
  g_object_set(element(), "zones", "other,points=<0,0,1,0,1,1>", nullptr);
  EXPECT_NE(sentence(GST_MESSAGE_WARNING)
                .find("The property zones stays as it was. The threshold long watches the zone "
                      "queue"),
            std::string::npos);
  g_object_set(element(), "thresholds", "", "zones", "other,points=<0,0,1,0,1,1>", nullptr);
  EXPECT_EQ(sentence(GST_MESSAGE_WARNING), "");
}

TEST_F(CounterThresholds, MayBeSetFromOtherThreads) {
  g_object_set(element(), "zones", kZones, nullptr);
  set_caps();
  std::thread other([this] {
    for (int i = 0; i < 300; i++)
      g_object_set(element(), "thresholds",
                   i % 2 == 0 ? "crowd,above=2,for=0" : "crowd,zone=queue,above=3,for=0", nullptr);
  });
  for (int i = 0; i < 60; i++)
    frames(i * 2 * GST_SECOND, (i * 2 + 1) * GST_SECOND,
           i % 2 == 0 ? three_ : std::vector<GstNpcDetection>{});
  other.join();
  bool above = false;
  for (const Told &one : told()) {
    EXPECT_EQ(one.state, above ? "below" : "above");
    above = !above;
  }
}

}  // namespace
}  // namespace npc::test
