// SPDX-License-Identifier: LGPL-2.1-or-later
// Neural networks from files that may be missing, torn, or something else altogether.
#pragma once

#include <opencv2/dnn/dnn.hpp>
#include <string>

namespace npc {

enum class ModelFormat { onnx, darknet };

struct Model {
  cv::dnn::Net net;
  ModelFormat format;
  cv::Size
      input;  ///< size of the picture that the file itself asks for; empty if it leaves that open
};

/// Loads `path`: `.onnx`, or Darknet's `.weights` with its `.cfg` of the same name beside it.
/// Throws DetectorError.
Model load_model(const std::string &path);

}  // namespace npc
