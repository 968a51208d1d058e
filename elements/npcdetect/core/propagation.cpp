// SPDX-License-Identifier: LGPL-2.1-or-later
// Takes boxes along with what moves in them, from one frame to the next.
#include "npcdetect/core/propagation.h"

#include <algorithm>
#include <opencv2/video/tracking.hpp>

namespace npc::detect {
namespace {

// Points of a box: at most so many across and down.
constexpr int kAcross = 2, kDown = 4;
// Fewer do not make a median.
constexpr int kFewest = 3;
// How far a point may be off after the way forth and back, in cells.
constexpr float kReturn = 0.5f;
const cv::Size kWindow(5, 5);
constexpr int kLevels = 1;
// A twentieth of a cell is a quarter of a pixel or so: finer than any box.
const cv::TermCriteria kEnough(cv::TermCriteria::COUNT + cv::TermCriteria::EPS, 8, 0.05);

float median_of(std::vector<float> &values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace

void propagate_boxes(const cv::Mat &before, const cv::Mat &now, const cv::Mat &moving,
                     std::span<cv::Rect2f> boxes) {
  std::vector<cv::Point2f> from;
  std::vector<std::size_t> box_of;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    for (int across = 0; across < kAcross; ++across) {
      for (int down = 0; down < kDown; ++down) {
        const cv::Point2f point(
            boxes[i].x + boxes[i].width * (static_cast<float>(across) + 0.5f) / kAcross,
            boxes[i].y + boxes[i].height * (static_cast<float>(down) + 0.5f) / kDown);
        const cv::Rect around =
            cv::Rect(cvFloor(point.x) - 1, cvFloor(point.y) - 1, 3, 3) & cv::Rect({}, now.size());
        if (!around.empty() && cv::countNonZero(moving(around)) > 0) {
          from.push_back(point);
          box_of.push_back(i);
        }
      }
    }
  }
  if (from.size() < kFewest)
    return;
  std::vector<cv::Mat> pyramid_before, pyramid_now;
  cv::buildOpticalFlowPyramid(before, pyramid_before, kWindow, kLevels);
  cv::buildOpticalFlowPyramid(now, pyramid_now, kWindow, kLevels);
  std::vector<cv::Point2f> to, back;
  std::vector<uint8_t> found, returned;
  std::vector<float> error;
  cv::calcOpticalFlowPyrLK(pyramid_before, pyramid_now, from, to, found, error, kWindow, kLevels,
                           kEnough);
  cv::calcOpticalFlowPyrLK(pyramid_now, pyramid_before, to, back, returned, error, kWindow, kLevels,
                           kEnough);
  std::vector<float> across, down;
  for (std::size_t begin = 0, end; begin < from.size(); begin = end) {
    across.clear();
    down.clear();
    for (end = begin; end < from.size() && box_of[end] == box_of[begin]; ++end) {
      if (found[end] != 0 && returned[end] != 0 && cv::norm(back[end] - from[end]) < kReturn) {
        across.push_back(to[end].x - from[end].x);
        down.push_back(to[end].y - from[end].y);
      }
    }
    if (across.size() >= kFewest) {
      boxes[box_of[begin]].x += median_of(across);
      boxes[box_of[begin]].y += median_of(down);
    }
  }
  for (std::vector<cv::Mat> *pyramid : {&pyramid_before, &pyramid_now})
    for (cv::Mat &level : *pyramid)
      level.setTo(0);
}

}  // namespace npc::detect
