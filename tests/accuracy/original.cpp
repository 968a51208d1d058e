// SPDX-License-Identifier: LGPL-2.1-or-later
// The original algorithm: Haar faces, HOG people, dense optical flow, each frame on its own.
#include "accuracy/original.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <opencv2/video/tracking.hpp>
#include <stdexcept>

namespace npc::accuracy {
namespace {

class Stopwatch {
 public:
  explicit Stopwatch(double &total) : total_(total) {}
  ~Stopwatch() {
    total_ += std::chrono::duration<double, std::milli>(Clock::now() - start_).count();
  }
  Stopwatch(const Stopwatch &) = delete;
  Stopwatch &operator=(const Stopwatch &) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  double &total_;
  Clock::time_point start_ = Clock::now();
};

double median(std::vector<float> &values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1)
    return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2.0;
}

}  // namespace

std::vector<cv::Rect> suppress_by_lower_edge(std::vector<cv::Rect> boxes, double threshold) {
  std::stable_sort(boxes.begin(), boxes.end(), [](const cv::Rect &a, const cv::Rect &b) {
    return a.y + a.height < b.y + b.height;
  });
  std::vector<cv::Rect> kept;
  while (!boxes.empty()) {
    const cv::Rect lowest = boxes.back();
    boxes.pop_back();
    kept.push_back(lowest);
    std::erase_if(
        boxes, [&](const cv::Rect &box) { return (box & lowest).area() > threshold * box.area(); });
  }
  return kept;
}

Original::Original(cv::Size size, const std::string &cascade) : size_(size) {
  if (!cascade_.load(cascade))
    throw std::runtime_error("cannot read the face cascade " + cascade +
                             ": install opencv-data, or say where it is with --cascade");
  hog_.setSVMDetector(cv::HOGDescriptor::getDefaultPeopleDetector());
}

OriginalCounts Original::count(const cv::Mat &bgr) {
  cv::Mat frame;
  cv::Mat grey;
  cv::resize(bgr, frame, size_);
  cv::cvtColor(frame, grey, cv::COLOR_BGR2GRAY);
  OriginalCounts counts;
  counts.faces = find_faces(grey);
  const std::vector<cv::Rect> people = find_people(frame);
  counts.people = static_cast<int>(people.size());
  counts.moving = find_moving(grey, people);
  return counts;
}

int Original::find_faces(const cv::Mat &grey) {
  const Stopwatch stopwatch(times_.faces);
  std::vector<cv::Rect> faces;
  cascade_.detectMultiScale(grey, faces, 1.3, 5);
  return static_cast<int>(faces.size());
}

std::vector<cv::Rect> Original::find_people(const cv::Mat &frame) {
  const Stopwatch stopwatch(times_.people);
  std::vector<cv::Rect> boxes;
  hog_.detectMultiScale(frame, boxes, 0, {4, 4}, {8, 8}, 1.07);
  return suppress_by_lower_edge(std::move(boxes), 0.65);
}

int Original::find_moving(const cv::Mat &grey, const std::vector<cv::Rect> &people) {
  const Stopwatch stopwatch(times_.moving);
  cv::Mat masked = cv::Mat::zeros(grey.size(), grey.type());
  const cv::Rect whole({0, 0}, grey.size());
  for (const cv::Rect &person : people) {
    const cv::Rect inside = person & whole;
    grey(inside).copyTo(masked(inside));
  }
  int moving = 0;
  if (!previous_.empty()) {
    cv::Mat flow;
    cv::calcOpticalFlowFarneback(previous_, masked, flow, 0.5, 1, 3, 15, 3, 5, 1);
    for (const cv::Rect &person : people) {
      const cv::Rect inside = person & whole;
      std::vector<float> speeds;
      speeds.reserve(static_cast<std::size_t>(inside.area()));
      for (int y = inside.y; y < inside.br().y; ++y) {
        const auto *row = flow.ptr<cv::Vec2f>(y);
        for (int x = inside.x; x < inside.br().x; ++x)
          speeds.push_back(0.8F * std::hypot(row[x][0], row[x][1]));
      }
      if (!speeds.empty() && median(speeds) > 1.6)
        ++moving;
    }
  }
  previous_ = masked;
  return moving;
}

}  // namespace npc::accuracy
