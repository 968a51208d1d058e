// SPDX-License-Identifier: LGPL-2.1-or-later
// Faces by a boosted cascade, from the files of OpenCV.
#include <filesystem>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

#include "npcdetect/detectors/facefinder.h"
#include "npcdetect/detectors/modelfile.h"

namespace npc::detect {
namespace {

constexpr const char *kDirectories[] = {
    "/usr/share/opencv4/haarcascades",
    "/usr/local/share/opencv4/haarcascades",
    "/usr/share/opencv/haarcascades",
    "/usr/share/OpenCV/haarcascades",
};
constexpr const char *kFile = "haarcascade_frontalface_alt.xml";
// Ten times the largest that OpenCV has.
constexpr std::size_t kFileMost = 32u << 20;

// A cascade says yes or no. Its yes counts as this, so that it is strong for any usual
// `confidence`.
constexpr float kConfidence = 0.9f;
// Steps of size; coarse ones, at half the cost, where sizes differ by more than kWide.
constexpr double kFineStep = 1.1, kCoarseStep = 1.2;
constexpr float kWide = 6;
// How many hits of a size, or a neighbouring one, must agree.
constexpr int kNeighbours = 4;

class Cascade final : public FaceFinder {
 public:
  explicit Cascade(const std::string &path) {
    const std::string text =
        read_file(path, kFileMost,
                  "There is no file " + path + ": set face-model to a cascade, or leave it empty.");
    bool loaded = false;
    try {
      const cv::FileStorage file(text, cv::FileStorage::READ | cv::FileStorage::MEMORY);
      loaded = file.isOpened() && classifier_.read(file.getFirstTopLevelNode());
    } catch (const cv::Exception &) {
      // Not even XML: as unusable as the wrong XML.
    }
    if (!loaded)
      throw DetectorError(DetectorError::Kind::unusable,
                          "The file " + path +
                              " is not a cascade that OpenCV can read: set face-model to one, or "
                              "leave it empty.");
  }

  int picture_type() const override { return CV_8UC1; }
  float least() const override {
    return static_cast<float>(classifier_.getOriginalWindowSize().width);
  }

  void find(const cv::Mat &part, const FaceSizes &sizes, float floor,
            std::vector<Detection> &found) override {
    if (kConfidence < floor)
      return;
    std::vector<cv::Rect> faces;
    const int least = cvFloor(sizes.least), most = cvCeil(sizes.most);
    const double step = sizes.most > kWide * sizes.least ? kCoarseStep : kFineStep;
    classifier_.detectMultiScale(part, faces, step, kNeighbours, 0, cv::Size(least, least),
                                 cv::Size(most, most));
    for (const cv::Rect &face : faces)
      found.push_back({face, kConfidence, "face"});
  }

 private:
  cv::CascadeClassifier classifier_;
};

}  // namespace

std::unique_ptr<FaceFinder> make_cascade(const std::string &path) {
  std::error_code ignored;
  if (!path.empty())
    return std::make_unique<Cascade>(path);
  std::string searched;
  for (const char *directory : kDirectories) {
    const std::string candidate = std::string(directory) + "/" + kFile;
    if (std::filesystem::is_regular_file(candidate, ignored))
      return std::make_unique<Cascade>(candidate);
    searched += std::string(searched.empty() ? "" : ", ") + directory;
  }
  throw DetectorError(DetectorError::Kind::not_found,
                      std::string("There is no ") + kFile + " in " + searched +
                          ": install the package opencv-data, or set face-model to a cascade.");
}

}  // namespace npc::detect
