// SPDX-License-Identifier: LGPL-2.1-or-later
// What the file beside a model says of it, where the model itself does not.
#pragma once

#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "npcdetect/detectors/outputs.h"

namespace npc::detect {

/// Each field is what the file says; nothing where it is silent.
struct ModelDescription {
  std::vector<std::string> classes;  ///< names as in gst_npc_name_is_valid()
  std::optional<cv::Size> input;     ///< pixels
  std::optional<cv::Scalar> mean;    ///< subtracted from each channel, 0 to 255, in input order
  std::optional<double> scale;       ///< what remains is multiplied by it
  std::optional<bool> rgb;           ///< order of the channels; else BGR
  std::optional<OutputLayout> layout;
  std::optional<double> confidence;  ///< from which a detection can begin a track
};

/// Reads a JSON object with the keys `classes`, `input` ([width, height]), `mean` ([3 numbers]),
/// `scale`, `channels` ("rgb" or "bgr"), `layout` (a name of layout_names()) and `confidence`; each
/// may be absent. `path` is for sentences. Throws DetectorError for anything else.
ModelDescription parse_model_description(std::string_view json, const std::string &path);

/// Reads MODEL.json beside the model at `path`, that is, `yolo.json` beside `yolo.onnx`. Without
/// such a file nothing is said.
ModelDescription describe_model(const std::string &path);

}  // namespace npc::detect
