// SPDX-License-Identifier: LGPL-2.1-or-later
// Names and rules as they are set, without an element: what is taken, what is refused and why.
#include "npccount/rulesettings.h"

#include <gst/gst.h>
#include <gtest/gtest.h>

using namespace npc::count;

namespace npc {
namespace {

using Property = RuleSettings::Property;

constexpr bool kReady = false, kRunning = true;
constexpr const char *kDoor = "door,x1=0.5,y1=0,x2=0.5,y2=1";

class RuleSettingsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { gst_init(nullptr, nullptr); }

  RuleSettings settings_;
};

TEST_F(RuleSettingsTest, TheDefaultsAreSound) {
  EXPECT_EQ(settings_.error(), "");
  EXPECT_EQ(settings_.site(), "home");
  EXPECT_EQ(settings_.camera(), "camera");
  EXPECT_EQ(settings_.text(Property::camera), "camera");
  EXPECT_EQ(settings_.text(Property::lines), "");
  EXPECT_TRUE(settings_.definitions()->lines.empty());
}

TEST_F(RuleSettingsTest, WhatIsSoundIsTakenWhetherItRunsOrNot) {
  for (const bool running : {kReady, kRunning}) {
    const auto before = settings_.definitions();
    EXPECT_EQ(settings_.set(Property::site, "office", running), "");
    EXPECT_EQ(settings_.definitions(), before) << "names are not rules";
    EXPECT_EQ(settings_.set(Property::lines, kDoor, running), "");
    EXPECT_NE(settings_.definitions(), before);
    EXPECT_EQ(settings_.site(), "office");
    EXPECT_EQ(settings_.text(Property::lines), kDoor);
    ASSERT_EQ(settings_.definitions()->lines.size(), 1u);
    EXPECT_EQ(settings_.error(), "");
  }
  EXPECT_EQ(settings_.set(Property::lines, nullptr, kRunning), "");
  EXPECT_TRUE(settings_.definitions()->lines.empty());
}

TEST_F(RuleSettingsTest, ABadNameKeepsAnElementFromStarting) {
  EXPECT_EQ(settings_.set(Property::camera, "a b\xff", kReady), "");
  EXPECT_EQ(settings_.text(Property::camera), "a b\xff") << "as it was set";
  EXPECT_EQ(settings_.camera(), "camera");
  EXPECT_EQ(settings_.error(),
            "The property camera cannot be \"a b\xEF\xBF\xBD\": a name has 1 to "
            "64 letters, digits, _ or -.");
  EXPECT_EQ(settings_.set(Property::camera, "door", kReady), "");
  EXPECT_EQ(settings_.error(), "");
}

TEST_F(RuleSettingsTest, ABadNameLeavesARunningElementAsItIs) {
  EXPECT_EQ(settings_.set(Property::site, nullptr, kRunning),
            "The property site cannot be \"\": a name has 1 to 64 letters, digits, _ or -. It "
            "stays \"home\".");
  EXPECT_EQ(settings_.text(Property::site), "home");
  EXPECT_EQ(settings_.error(), "");
}

TEST_F(RuleSettingsTest, BadRulesAreTheSame) {
  const std::string error = settings_.set(Property::lines, "door,x1=0", kRunning);
  EXPECT_EQ(error.find("The property lines stays as it was. The line door needs"), 0u) << error;
  EXPECT_EQ(settings_.text(Property::lines), "");
  EXPECT_EQ(settings_.set(Property::lines, kDoor, kReady), "");
  EXPECT_EQ(settings_.set(Property::lines, "door,x1=0", kReady), "");
  EXPECT_EQ(settings_.error().find("The property lines cannot be used. The line door needs"), 0u);
  EXPECT_EQ(settings_.definitions()->lines.size(), 1u) << "the last ones that were sound";
}

TEST_F(RuleSettingsTest, ThresholdsAreJudgedWithTheZonesWhenItStarts) {
  constexpr const char *kQueue = "long,zone=queue,above=4";
  EXPECT_NE(settings_.set(Property::thresholds, kQueue, kRunning), "");
  // Properties come in any order.
  EXPECT_EQ(settings_.set(Property::thresholds, kQueue, kReady), "");
  EXPECT_EQ(settings_.error().find("The property thresholds cannot be used. "), 0u);
  EXPECT_EQ(settings_.set(Property::zones, "queue,points=<0,0,1,0,1,1>", kReady), "");
  EXPECT_EQ(settings_.error(), "");
}

TEST_F(RuleSettingsTest, ARecordMustHaveRoomForAllNames) {
  std::string lines;
  for (int i = 0; i < 40; ++i)
    lines += "a-line-with-a-rather-long-name-" + std::to_string(i) + ",x1=0,y1=0,x2=1,y2=1;";
  const std::string error = settings_.set(Property::lines, lines.c_str(), kRunning);
  EXPECT_EQ(error.find("The property lines stays as it was. With large numbers a record"), 0u);
  EXPECT_EQ(settings_.set(Property::lines, lines.c_str(), kReady), "");
  EXPECT_EQ(settings_.error().find("The properties lines and zones cannot be used: with large"),
            0u);
}

TEST_F(RuleSettingsTest, ANameThatIsTooLongForTheRecordIsRefusedWhileItRuns) {
  std::string lines;
  for (int i = 0; settings_.set(Property::lines, lines.c_str(), kRunning).empty(); ++i)
    lines += "l" + std::to_string(i) + ",x1=0,y1=0,x2=1,y2=1;";
  const std::string error = settings_.set(Property::camera, std::string(64, 'c').c_str(), kRunning);
  EXPECT_NE(error.find("with large numbers a record"), std::string::npos) << error;
  EXPECT_NE(error.find(" It stays \"camera\"."), std::string::npos) << error;
  EXPECT_EQ(settings_.camera(), "camera");
}

}  // namespace
}  // namespace npc
