// SPDX-License-Identifier: LGPL-2.1-or-later
// Which class a network's numbers stand for.
#include "npcdetect/detectors/labels.h"

#include <sstream>

#include "npcdetect/detectors/detector.h"
#include "npcdetect/detectors/modelfile.h"

namespace npc::detect {
namespace {
// As GST_NPC_NAME_MAX, which a core without GStreamer cannot see.
constexpr std::size_t kNameMax = 64;
// More than any data set has; a file with more lines is not a list of labels.
constexpr std::size_t kLabelsMax = 10000;
constexpr std::size_t kBytesMost = 1u << 20;
}  // namespace

const std::vector<std::string> &coco_labels() {
  static const std::vector<std::string> labels = {
      "person",        "bicycle",       "car",           "motorbike",
      "aeroplane",     "bus",           "train",         "truck",
      "boat",          "traffic_light", "fire_hydrant",  "stop_sign",
      "parking_meter", "bench",         "bird",          "cat",
      "dog",           "horse",         "sheep",         "cow",
      "elephant",      "bear",          "zebra",         "giraffe",
      "backpack",      "umbrella",      "handbag",       "tie",
      "suitcase",      "frisbee",       "skis",          "snowboard",
      "sports_ball",   "kite",          "baseball_bat",  "baseball_glove",
      "skateboard",    "surfboard",     "tennis_racket", "bottle",
      "wine_glass",    "cup",           "fork",          "knife",
      "spoon",         "bowl",          "banana",        "apple",
      "sandwich",      "orange",        "broccoli",      "carrot",
      "hot_dog",       "pizza",         "donut",         "cake",
      "chair",         "sofa",          "pottedplant",   "bed",
      "diningtable",   "toilet",        "tvmonitor",     "laptop",
      "mouse",         "remote",        "keyboard",      "cell_phone",
      "microwave",     "oven",          "toaster",       "sink",
      "refrigerator",  "book",          "clock",         "vase",
      "scissors",      "teddy_bear",    "hair_drier",    "toothbrush"};
  return labels;
}

std::string label_as_name(std::string_view text) {
  std::string name(text.substr(0, kNameMax));
  for (char &c : name) {
    const bool allowed = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                         (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (!allowed)
      c = '_';
  }
  return name;
}

std::vector<std::string> read_labels(const std::string &path) {
  std::istringstream file(
      read_file(path, kBytesMost,
                "The file of labels " + path +
                    " cannot be opened: set labels to a text file with one class a line."));
  std::vector<std::string> labels;
  for (std::string line; std::getline(file, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
      line.pop_back();
    // An empty line in the middle still takes a number; label_as_name() has nothing to change in
    // it.
    labels.push_back(label_as_name(line));
    if (labels.size() > kLabelsMax)
      throw DetectorError(
          DetectorError::Kind::unusable,
          "The file " + path + " has more than 10000 lines: it is not a list of labels.");
  }
  while (!labels.empty() && labels.back().empty())
    labels.pop_back();
  return labels;
}

}  // namespace npc::detect
