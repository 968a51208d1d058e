// SPDX-License-Identifier: LGPL-2.1-or-later
// The updater and the detector of docs/contributing.md, as they stand there: what it takes to add
// one is what the page says.
#include <gtest/gtest.h>

#include <fstream>
#include <opencv2/imgproc.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "npcdetect/detectors/detector.h"
#include "npcsink/updaters/registry.h"
#include "npcsink/updaters/syslog.h"

using namespace npc::detect;
using namespace npc::sink;

namespace npc::detect {
// As the page has it in detector.h.
std::unique_ptr<Detector> make_lamps(const DetectorSettings &settings);
}  // namespace npc::detect

namespace {

std::string text_of(const std::string &file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

TEST(Contributing, TheUpdaterOfThePageIsMadeByItsUriAndDelivers) {
  npc::sink::Registry registry;
  registry.add("syslog", npc::sink::make_syslog_updater);
  const auto updater = registry.make("syslog:npc");
  EXPECT_EQ(updater->target(), "the system's log, as npc");
  const std::vector<npc::sink::Record> records(3);
  EXPECT_EQ(updater->connect({}, {}).error(), "");
  EXPECT_EQ(updater->deliver(records, {}, {}).confirmed, 3u);
  updater->close();
  EXPECT_THROW(registry.make("syslog://host/npc"), npc::UriError);
  EXPECT_THROW(registry.make("syslog:npc?x=1"), npc::UriError);
}

TEST(Contributing, TheDetectorOfThePageFindsLampsAndForgetsThem) {
  npc::detect::DetectorSettings settings;
  settings.classes = {"car"};
  const auto detector = npc::detect::make_lamps(settings);
  const npc::detect::InputSpec spec = detector->input_spec(cv::Size(1280, 720));
  EXPECT_EQ(spec.size, cv::Size(640, 360));
  cv::Mat night(spec.size, spec.type, cv::Scalar(20));
  cv::circle(night, cv::Point(100, 200), 5, cv::Scalar(255), cv::FILLED);
  cv::circle(night, cv::Point(140, 200), 5, cv::Scalar(255), cv::FILLED);
  night.at<uchar>(10, 10) = 255;
  std::vector<npc::detect::Detection> found;
  detector->detect(night, 0.5f, found);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found.front().label, "car");
  EXPECT_TRUE(found.front().box.contains(cv::Point2f(100, 200)));
  found.clear();
  detector->forget(cv::Mat::zeros(spec.size, spec.type));
  detector->detect(cv::Mat::zeros(spec.size, spec.type), 0.5f, found);
  EXPECT_TRUE(found.empty());
}

// The lines that the page says are to be added have others like them.
TEST(Contributing, TheOtherPlacesOfThePageAreThere) {
  const std::string elements = std::string(NPC_SOURCES) + "/elements/";
  for (const auto &[file, line] : std::initializer_list<std::pair<const char *, const char *>>{
           {"npcsink/updaters/registry.cpp", "made.add(\"file\", make_file_updater);"},
           {"npcsink/meson.build", "'updaters/file.cpp'"},
           {"npcdetect/detectors/detector.h",
            "std::unique_ptr<Detector> make_motion(const DetectorSettings &settings);"},
           {"npcdetect/settings.h", "GST_NPC_DETECT_DETECTOR_MOTION,"},
           {"npcdetect/properties.cpp", "{GST_NPC_DETECT_DETECTOR_MOTION, "},
           {"npcdetect/settings.cpp",
            "if (settings.detector == GST_NPC_DETECT_DETECTOR_MOTION)\n    return "
            "make_motion(wanted);"},
           {"npcdetect/meson.build", "'detectors/motion.cpp'"}})
    EXPECT_NE(text_of(elements + file).find(line), std::string::npos) << file << ": " << line;
}

}  // namespace
