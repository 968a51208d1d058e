// SPDX-License-Identifier: LGPL-2.1-or-later
// The updater, the receiver and the detector of docs/contributing.md, as they stand there: what it
// takes to add one is what the page says.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <fstream>
#include <opencv2/imgproc.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "base/wait.h"
#include "npcdetect/detectors/detector.h"
#include "npcsink/updaters/registry.h"
#include "npcsink/updaters/syslog.h"
#include "npcsrc/receivers/lines.h"
#include "npcsrc/receivers/udp.h"

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

std::string record_json(int seq) {
  return R"({"version":1,"site":"home","camera":"door","boot":"5f0c","seq":)" +
         std::to_string(seq) + R"(,"time":1767225600000,"interval":2000,"people":3})";
}

// A socket at a free port of the loopback interface.
class Datagrams {
 public:
  Datagrams() : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = at(0);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr *>(&address), size), 0);
    EXPECT_EQ(getsockname(socket_.get(), reinterpret_cast<sockaddr *>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  std::uint16_t port() const { return port_; }
  void send(const std::string &text, std::uint16_t port) const {
    const sockaddr_in address = at(port);
    EXPECT_EQ(sendto(socket_.get(), text.data(), text.size(), 0,
                     reinterpret_cast<const sockaddr *>(&address), sizeof(address)),
              static_cast<ssize_t>(text.size()));
  }

 private:
  static sockaddr_in at(std::uint16_t port) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }

  npc::Descriptor socket_;
  std::uint16_t port_ = 0;
};

TEST(Contributing, TheReceiverOfThePageIsMadeByItsUriAndReceives) {
  const std::uint16_t port = Datagrams().port();  // free again
  const std::string uri = "udp://127.0.0.1:" + std::to_string(port);
  const auto receiver = npc::source::make_udp_receiver(npc::parse_uri(uri));
  EXPECT_EQ(receiver->origin(), uri);
  ASSERT_EQ(receiver->open().error(), "");
  const Datagrams sender;
  for (const std::string &text :
       {record_json(1), std::string("no record"), std::string(5000, ' '), record_json(2)})
    sender.send(text, port);
  npc::source::Reception came;
  const npc::Bell bell;
  constexpr auto kEver = std::chrono::steady_clock::time_point::max();
  while (came.records.size() + came.refused < 4)
    ASSERT_EQ(receiver->receive(came, bell.get(), kEver).error(), "");
  ASSERT_EQ(came.records.size(), 2u);
  EXPECT_EQ(came.records.front().id.seq, 1u);
  EXPECT_EQ(came.records.back().id.seq, 2u);
  EXPECT_EQ(came.refused, 2u);
  EXPECT_EQ(came.reason, npc::source::kTooLong);
  bell.ring();
  EXPECT_TRUE(receiver->receive(came, bell.get(), kEver).is_ok());
  receiver->close();
  EXPECT_THROW(npc::source::make_udp_receiver(npc::parse_uri("udp:7000")), npc::UriError);
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
           {"npcsrc/receivers/registry.cpp", "Kind{\"file\", make_file_receiver}"},
           {"npcsrc/meson.build", "'receivers/file.cpp'"},
           {"npcdetect/detectors/detector.h",
            "std::unique_ptr<Detector> make_motion(const DetectorSettings &settings);"},
           {"npcdetect/settings.h", "GST_NPC_DETECT_DETECTOR_MOTION,"},
           {"npcdetect/settings.cpp", "{GST_NPC_DETECT_DETECTOR_MOTION, "},
           {"npcdetect/settings.cpp",
            "if (settings.detector == GST_NPC_DETECT_DETECTOR_MOTION)\n    return "
            "make_motion(wanted);"},
           {"npcdetect/meson.build", "'detectors/motion.cpp'"}})
    EXPECT_NE(text_of(elements + file).find(line), std::string::npos) << file << ": " << line;
}

}  // namespace
