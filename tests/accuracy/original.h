// SPDX-License-Identifier: LGPL-2.1-or-later
// The original algorithm of the No-picture Camera, ported as it was, to measure ours against.
#pragma once

#include <opencv2/core.hpp>
#include <opencv2/objdetect.hpp>
#include <string>
#include <vector>

namespace npc::accuracy {

// What the original algorithm sees in one frame.
struct OriginalCounts {
  int people = 0;
  int moving = 0;
  int faces = 0;
};

// Where its time went, in ms since construction.
struct OriginalTimes {
  double faces = 0;
  double people = 0;
  double moving = 0;
};

// Single frames in, counts out; it knows no tracks. The one thing carried from frame to frame is
// the masked grey picture that the optical flow starts from.
class Original {
 public:
  // size: what each frame is scaled to first, 320x240 in the original.
  // cascade: the file haarcascade_frontalface_alt.xml. Throws std::runtime_error if it cannot be
  // read.
  Original(cv::Size size, const std::string &cascade);

  // bgr: a frame of any size, CV_8UC3.
  OriginalCounts count(const cv::Mat &bgr);

  const OriginalTimes &times() const { return times_; }

 private:
  int find_faces(const cv::Mat &grey);
  std::vector<cv::Rect> find_people(const cv::Mat &frame);
  int find_moving(const cv::Mat &grey, const std::vector<cv::Rect> &people);

  cv::Size size_;
  cv::CascadeClassifier cascade_;
  cv::HOGDescriptor hog_;
  cv::Mat previous_;
  OriginalTimes times_;
};

// Its non-maximum suppression: the box with the lowest lower edge stays, and the others of which
// more than `threshold` of their own area lies in it go; again with those that are left.
std::vector<cv::Rect> suppress_by_lower_edge(std::vector<cv::Rect> boxes, double threshold);

}  // namespace npc::accuracy
