// SPDX-License-Identifier: LGPL-2.1-or-later
// What the file beside a model says of it, where the model itself does not.
#include "npcdetect/detectors/modeldescription.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "npcdetect/detectors/detector.h"
#include "npcdetect/detectors/labels.h"
#include "npcdetect/detectors/modelfile.h"

namespace npc::detect {
namespace {

using nlohmann::json;

// Names of a thousand classes and more.
constexpr std::size_t kMost = 1u << 20;
constexpr int kSideMost = 8192;

/// Says in words what is wrong; the caller knows the file.
struct Refusal {
  std::string what;
};

double number_of(const json &value, const char *key) {
  if (!value.is_number() || !std::isfinite(value.get<double>()))
    throw Refusal{std::string(key) + " is not a number"};
  return value.get<double>();
}

cv::Size input_of(const json &value) {
  if (!value.is_array() || value.size() != 2)
    throw Refusal{"input is not [width, height]"};
  int sides[2] = {};
  for (std::size_t i = 0; i < 2; ++i) {
    if (!value[i].is_number_unsigned() || value[i] < 1u || value[i] > kSideMost)
      throw Refusal{"input has a side that is not from 1 to " + std::to_string(kSideMost)};
    sides[i] = value[i].get<int>();
  }
  return {sides[0], sides[1]};
}

cv::Scalar mean_of(const json &value) {
  if (!value.is_array() || value.size() != 3)
    throw Refusal{"mean is not a list of three numbers"};
  return {number_of(value[0], "mean"), number_of(value[1], "mean"), number_of(value[2], "mean")};
}

std::vector<std::string> classes_of(const json &value) {
  std::vector<std::string> classes;
  if (!value.is_array() || value.empty())
    throw Refusal{"classes is not a list of names"};
  for (const json &name : value) {
    if (!name.is_string() || name.get_ref<const std::string &>().empty())
      throw Refusal{"classes has one that is not a name"};
    classes.push_back(label_as_name(name.get<std::string>()));
  }
  return classes;
}

std::string text_of(const json &value, const char *key) {
  if (!value.is_string())
    throw Refusal{std::string(key) + " is not a text"};
  return value.get<std::string>();
}

void take(const std::string &key, const json &value, ModelDescription &description) {
  if (key == "classes") {
    description.classes = classes_of(value);
  } else if (key == "input") {
    description.input = input_of(value);
  } else if (key == "mean") {
    description.mean = mean_of(value);
  } else if (key == "scale") {
    description.scale = number_of(value, "scale");
    if (*description.scale <= 0)
      throw Refusal{"scale is not above 0"};
  } else if (key == "channels") {
    const std::string order = text_of(value, "channels");
    if (order != "rgb" && order != "bgr")
      throw Refusal{"channels is neither rgb nor bgr"};
    description.rgb = order == "rgb";
  } else if (key == "layout") {
    description.layout = layout_of(text_of(value, "layout"));
    if (!description.layout)
      throw Refusal{"layout is none of " + layout_names()};
  } else if (key == "confidence") {
    description.confidence = number_of(value, "confidence");
    if (!(*description.confidence > 0 && *description.confidence <= 1))
      throw Refusal{"confidence is not above 0 and at most 1"};
  } else {
    throw Refusal{"it has the key " + label_as_name(key) +
                  ", which is none of classes, input, mean, scale, channels, layout, confidence"};
  }
}

}  // namespace

ModelDescription parse_model_description(std::string_view text, const std::string &path) {
  try {
    const json object = json::parse(text, nullptr, false);
    if (!object.is_object())
      throw Refusal{"it is no JSON object"};
    ModelDescription description;
    for (const auto &[key, value] : object.items())
      take(key, value, description);
    return description;
  } catch (const Refusal &refusal) {
    throw DetectorError(DetectorError::Kind::unusable,
                        "The file " + path +
                            ", which describes the model beside it, cannot be "
                            "used: " +
                            refusal.what + ".");
  }
}

ModelDescription describe_model(const std::string &path) {
  const std::string file = std::filesystem::path(path).replace_extension(".json").string();
  std::error_code error;
  if (!std::filesystem::exists(file, error))
    return {};
  return parse_model_description(read_file(file, kMost, "There is no plain file " + file + "."),
                                 file);
}

}  // namespace npc::detect
