// SPDX-License-Identifier: LGPL-2.1-or-later
// The parts of a frame that nothing looks at.
#include "npcdetect/core/mask.h"

#include <opencv2/imgproc.hpp>

namespace npc::detect {

void blacken(cv::Mat &picture, const std::vector<Polygon> &masks) {
  for (const Polygon &mask : masks) {
    std::vector<cv::Point> corners;
    for (const cv::Point2f &corner : mask)
      corners.emplace_back(cvRound(corner.x * picture.cols), cvRound(corner.y * picture.rows));
    cv::fillPoly(picture, corners, cv::Scalar::all(0));
    // Scaling has mixed the pixels at the edge with their neighbours.
    cv::polylines(picture, corners, true, cv::Scalar::all(0), 3);
  }
}

}  // namespace npc::detect
