// SPDX-License-Identifier: LGPL-2.1-or-later
// The detectors that npcdetect's properties ask for.
#include "npcdetect/settings.h"

#include <utility>

namespace npc::detect {
namespace {

using Kind = DetectorError::Kind;

std::vector<std::string> split_classes(const std::string &text) {
  std::vector<std::string> classes;
  std::string name;
  for (char c : text + ",") {
    if (c != ',' && !g_ascii_isspace(c)) {
      name += c;
    } else if (!name.empty()) {
      classes.push_back(std::exchange(name, {}));
    }
  }
  return classes;
}

}  // namespace

std::unique_ptr<Detector> make_detector(const DetectSettings &settings) {
  if ((settings.input_width == 0) != (settings.input_height == 0))
    throw DetectorError(Kind::settings,
                        "Set both input-width and input-height, or neither of them.");
  const DetectorSettings wanted{
      settings.model,
      settings.labels,
      split_classes(settings.classes),
      cv::Size(static_cast<int>(settings.input_width), static_cast<int>(settings.input_height)),
      static_cast<double>(settings.input_pixels),
      settings.min_size};
  if (wanted.classes.empty())
    throw DetectorError(Kind::settings,
                        "The property classes names none: set for example classes=person.");
  if (settings.detector == GST_NPC_DETECT_DETECTOR_MOTION)
    return make_motion(wanted);
  const bool network =
      settings.detector == GST_NPC_DETECT_DETECTOR_NETWORK ||
      (settings.detector == GST_NPC_DETECT_DETECTOR_AUTO && !settings.model.empty());
  if (!network)
    return make_hog(wanted);
  if (settings.model.empty())
    throw DetectorError(Kind::settings,
                        "The detector network needs a model: set model to an ONNX or Darknet "
                        "file (pipelines/get-model fetches one).");
  return make_network(wanted);
}

std::unique_ptr<Faces> make_faces(const DetectSettings &settings) {
  if (settings.faces == GST_NPC_DETECT_FACES_CASCADE)
    return std::make_unique<Faces>(make_cascade(settings.face_model));
  if (settings.faces == GST_NPC_DETECT_FACES_YUNET)
    return std::make_unique<Faces>(make_yunet(settings.face_model));
  return nullptr;
}

}  // namespace npc::detect
