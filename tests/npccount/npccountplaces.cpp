// SPDX-License-Identifier: LGPL-2.1-or-later
// Lines, zones, thresholds and masks that no user means: texts that are huge, or nested without an
// end, are refused before GStreamer reads them.
#include <functional>
#include <string>

#include "support/scene.h"

namespace npc::test {
namespace {

struct Place {
  const char *element, *property, *begin;
};
void PrintTo(const Place &place, std::ostream *out) {
  *out << place.property;
}

std::string times(std::size_t count, const std::string &text) {
  std::string all;
  for (std::size_t i = 0; i < count; i++)
    all += text;
  return all;
}

class Places : public testing::TestWithParam<Place> {
 protected:
  /// What the element says when it is to start with `value`.
  std::string refusal(const std::string &value) {
    const Owned<GstElement> element(gst_element_factory_make(GetParam().element, nullptr));
    const Owned<GstBus> bus(gst_bus_new());
    gst_element_set_bus(element.get(), bus.get());
    g_object_set(element.get(), GetParam().property, (GetParam().begin + value).c_str(), nullptr);
    EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    gst_element_set_state(element.get(), GST_STATE_NULL);
    gst_element_set_bus(element.get(), nullptr);
    return sentence(bus.get(), GST_MESSAGE_ERROR);
  }
};

TEST_P(Places, NestedTextIsRefused) {
  for (const char *opening : {"<", "{", "[", "[a,b=", "<1,", "<\">\",", "<{>,", "[]<", "<(int)"}) {
    const std::string said = refusal(times(60000 / std::strlen(opening), opening));
    EXPECT_NE(said.find("There are brackets or quotes in brackets"), std::string::npos)
        << opening << ": " << said.substr(0, 300);
  }
}

TEST_P(Places, AbsurdTextIsRefused) {
  for (const std::string &text :
       {times(60000, "("), times(60000, "\\"), times(60000, "\""), times(15000, "a=1,"),
        times(60000, "\xff"), times(3000, "(GstStructure)")}) {
    const std::string said = refusal(text);
    EXPECT_NE(said, "") << text.substr(0, 10);
    EXPECT_LT(said.size(), 500u) << said.substr(0, 500);
  }
}

TEST_P(Places, AnOpenBracketIsRefused) {
  for (const char *text : {"<", "<1,", "[0,1", "{0;b,x1=1"}) {
    const std::string said = refusal(text);
    EXPECT_NE(said.find("A bracket is not closed: write name,"), std::string::npos) << said;
  }
}

TEST_P(Places, LongTextIsRefused) {
  const std::string said = refusal(times(100000, "<"));
  EXPECT_NE(said.find("more than 65536 bytes"), std::string::npos) << said;
}

INSTANTIATE_TEST_SUITE_P(Each, Places,
                         testing::Values(Place{"npccount", "lines", "a,x1="},
                                         Place{"npccount", "zones", "a,points="},
                                         Place{"npccount", "thresholds", "a,zone="},
                                         Place{"npcdetect", "mask", "a,points="}),
                         [](const testing::TestParamInfo<Place> &info) {
                           return std::string(info.param.property);
                         });

// A polygon is compared side by side with itself.
TEST(Masks, HaveAThousandCornersAtMost) {
  const Owned<GstElement> element(gst_element_factory_make("npcdetect", nullptr));
  const Owned<GstBus> bus(gst_bus_new());
  gst_element_set_bus(element.get(), bus.get());
  g_object_set(element.get(), "mask", ("a,points=<" + times(7999, "0,1,") + "0,1>").c_str(),
               nullptr);
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  EXPECT_NE(sentence(bus.get(), GST_MESSAGE_ERROR).find("more than 1000 corners"),
            std::string::npos);
  gst_element_set_bus(element.get(), nullptr);
  gst_element_set_state(element.get(), GST_STATE_NULL);
}

}  // namespace
}  // namespace npc::test
