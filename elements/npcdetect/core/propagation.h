// SPDX-License-Identifier: LGPL-2.1-or-later
// Takes boxes along with what moves in them, from one frame to the next.
#pragma once

#include <opencv2/core.hpp>
#include <span>
#include <vector>

namespace npc::detect {

/// Moves each of `boxes`, in units of cells, by the median of the ways of points in it (sparse
/// optical flow of Lucas and Kanade, forward and back), found between the cells of two frames.
/// Only points in cells that are not 0 in `moving` are followed; a box with too few of them stays.
void propagate_boxes(const cv::Mat &before, const cv::Mat &now, const cv::Mat &moving,
                     std::span<cv::Rect2f> boxes);

}  // namespace npc::detect
