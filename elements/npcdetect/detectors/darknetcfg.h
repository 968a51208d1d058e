// SPDX-License-Identifier: LGPL-2.1-or-later
// The text that describes a Darknet network, read and checked before OpenCV sees it.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <string>
#include <string_view>

namespace npc::detect {

/// A configuration of which OpenCV can make a network.
struct DarknetCfg {
  std::string text;       ///< for OpenCV: what was read, and nothing that it might read differently
  cv::Size input;         ///< size of the picture that it asks for; empty if it leaves that open
  std::uint64_t weights;  ///< how many numbers belong into the file of weights
};

/// Reads the `text` of the file at `path`. OpenCV takes most numbers in it as they are: it divides
/// by them, counts layers with them, and asks for as much memory as they say. Throws DetectorError
/// if one is out of range.
DarknetCfg read_darknet_cfg(std::string_view text, const std::string &path);

}  // namespace npc::detect
