// SPDX-License-Identifier: LGPL-2.1-or-later
// The parts of a frame that nothing looks at.
#pragma once

#include <opencv2/core.hpp>
#include <vector>

namespace npc::detect {

/// A polygon whose corners are in fractions of the upright frame.
using Polygon = std::vector<cv::Point2f>;

/// Blackens `masks` in `picture`, which is a frame in any size.
void blacken(cv::Mat &picture, const std::vector<Polygon> &masks);

}  // namespace npc::detect
