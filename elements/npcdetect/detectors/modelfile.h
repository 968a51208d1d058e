// SPDX-License-Identifier: LGPL-2.1-or-later
// Neural networks from files that may be missing, torn, or something else altogether.
#pragma once

#include <opencv2/dnn/dnn.hpp>
#include <string>

namespace npc::detect {

struct Model {
  cv::dnn::Net net;
  cv::Size
      input;  ///< size of the picture that the file itself asks for; empty if it leaves that open
  bool any_size = false;  ///< pictures of other sizes will do, too
};

/// All of a file that a detector needs. Throws DetectorError: with the sentence `absent` if there
/// is no such plain file, with another if it cannot be read or has more than `most` bytes.
std::string read_file(const std::string &path, std::size_t most, const std::string &absent);

/// Loads `path`: `.onnx`, or Darknet's `.weights` with its `.cfg` of the same name beside it.
/// Throws DetectorError.
Model load_model(const std::string &path);

}  // namespace npc::detect
