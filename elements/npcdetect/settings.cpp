// SPDX-License-Identifier: LGPL-2.1-or-later
// What npcdetect's properties say, and the detectors that they ask for.
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

GType detector_get_type() {
  static const GEnumValue values[] = {
      {GST_NPC_DETECT_DETECTOR_AUTO, "network when model is set, else hog", "auto"},
      {GST_NPC_DETECT_DETECTOR_HOG, "HOG people detector of OpenCV, needs no model", "hog"},
      {GST_NPC_DETECT_DETECTOR_NETWORK, "Neural network from model", "network"},
      {GST_NPC_DETECT_DETECTOR_MOTION, "Whatever moves, for views from above; needs no model",
       "motion"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static("GstNpcDetectDetector", values);
  return type;
}

GType faces_get_type() {
  static const GEnumValue values[] = {
      {GST_NPC_DETECT_FACES_OFF, "Do not look for faces", "off"},
      {GST_NPC_DETECT_FACES_CASCADE, "Frontal faces by a cascade of OpenCV", "cascade"},
      {GST_NPC_DETECT_FACES_YUNET, "Faces by the network YuNet, from face-model", "yunet"},
      {0, nullptr, nullptr},
  };
  static const GType type = g_enum_register_static("GstNpcDetectFaces", values);
  return type;
}

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
