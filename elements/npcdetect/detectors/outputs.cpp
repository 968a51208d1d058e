// SPDX-License-Identifier: LGPL-2.1-or-later
// What a detection network puts out: recognised by its shape and numbers, turned into boxes.
#include "npcdetect/detectors/outputs.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace npc::detect {
namespace {

constexpr std::pair<std::string_view, OutputLayout> kNames[] = {
    {"darknet", OutputLayout::darknet},
    {"yolox", OutputLayout::yolox},
    {"yolox-decoded", OutputLayout::yolox_decoded},
    {"ssd", OutputLayout::ssd}};
constexpr int kStrides[] = {8, 16, 32};
// How far boxes are from their cell at most, in strides on average. A trained network sees nothing
// in a black picture and leaves them within about one.
constexpr double kFarthest = 4;
// Rounding of probabilities, and centres a little beyond the frame.
constexpr float kRounding = 1e-3f, kBeyond = 0.5f;

int yolox_cells(cv::Size input) {
  int cells = 0;
  for (int stride : kStrides)
    cells += (input.width / stride) * (input.height / stride);
  return cells;
}

bool is_yolox(const cv::Mat &output, cv::Size input) {
  return output.dims == 3 && output.size[0] == 1 && output.size[1] == yolox_cells(input) &&
         output.size[2] > 5;
}

bool is_ssd(const cv::Mat &output) {
  return output.dims == 4 && output.size[0] == 1 && output.size[1] == 1 && output.size[3] == 7;
}

/// Index and value of the best of the scores from `first` on.
std::pair<int, float> best_class(const float *first, int count) {
  const float *best = std::max_element(first, first + count);
  return {static_cast<int>(best - first), *best};
}

void keep(std::vector<OutputBox> &boxes, const OutputBox &box, float floor) {
  const cv::Rect2f &b = box.box;
  // An area is finite only if both sides are.
  if (box.confidence >= floor && std::isfinite(b.x) && std::isfinite(b.y) &&
      std::isfinite(b.area()) && b.width > 0 && b.height > 0)
    boxes.push_back({b, std::min(box.confidence, 1.0f), box.index});
}

void read_darknet(const cv::Mat &output, cv::Size input, float floor,
                  std::vector<OutputBox> &boxes) {
  for (int i = 0; i < output.rows; ++i) {
    const float *row = output.ptr<float>(i);
    const auto [index, score] = best_class(row + 5, output.cols - 5);
    const float width = row[2] * input.width, height = row[3] * input.height;
    keep(boxes,
         {{row[0] * input.width - width / 2, row[1] * input.height - height / 2, width, height},
          score,
          index},
         floor);
  }
}

/// Calls `take` with the row, the middle in pixels and the stride of each cell of YOLOX.
template <typename Take>
void for_each_cell(const cv::Mat &output, cv::Size input, Take take) {
  const float *row = output.ptr<float>();
  for (int stride : kStrides)
    for (int y = 0; y < input.height / stride; ++y)
      for (int x = 0; x < input.width / stride; ++x, row += output.size[2])
        take(row, cv::Point2f(x + 0.5f, y + 0.5f) * stride, static_cast<float>(stride));
}

void read_yolox(const cv::Mat &output, cv::Size input, bool decoded, float floor,
                std::vector<OutputBox> &boxes) {
  const int classes = output.size[2] - 5;
  for_each_cell(output, input, [&](const float *row, const cv::Point2f &middle, float stride) {
    // Most cells hold nothing: spare them the exponentials.
    if (!(row[4] >= floor))
      return;
    const auto [index, score] = best_class(row + 5, classes);
    cv::Point2f centre(row[0], row[1]);
    cv::Size2f size(row[2], row[3]);
    if (!decoded) {
      centre = middle + (centre - cv::Point2f(0.5f, 0.5f)) * stride;
      size = cv::Size2f(std::exp(size.width), std::exp(size.height)) * stride;
    }
    const cv::Point2f corner = centre - cv::Point2f(size.width, size.height) / 2;
    keep(boxes, {{corner, size}, row[4] * score, index}, floor);
  });
}

bool is_probability(float number) {
  return number >= -kRounding && number <= 1 + kRounding;
}

/// By the numbers: offsets within the cell, or pixels that follow the cells across the picture.
std::optional<OutputLayout> recognise_yolox(const cv::Mat &output, cv::Size input) {
  const int columns = output.size[2];
  // Distances in strides: of the cells from the picture's middle, of centres from the middle of
  // their cell if they are pixels, fractions of the picture or offsets.
  double spread = 0, pixels = 0, fractions = 0, offsets = 0;
  bool probable = true;
  const auto distance = [](const cv::Point2f &a, const cv::Point2f &b) {
    return std::abs(a.x - b.x) + std::abs(a.y - b.y);
  };
  const cv::Point2f whole(static_cast<float>(input.width), static_cast<float>(input.height));
  for_each_cell(output, input, [&](const float *row, const cv::Point2f &middle, float stride) {
    const cv::Point2f centre(row[0], row[1]);
    spread += distance(middle, whole / 2) / stride;
    pixels += distance(middle, centre) / stride;
    fractions += distance(middle, {centre.x * whole.x, centre.y * whole.y}) / stride;
    offsets += distance(centre, {0.5f, 0.5f});
    probable = probable && std::all_of(row + 4, row + columns, is_probability);
  });
  if (!probable || fractions < spread / 2)
    return std::nullopt;
  if (pixels < spread / 2)
    return OutputLayout::yolox_decoded;
  if (offsets < kFarthest * output.size[1])
    return OutputLayout::yolox;
  return std::nullopt;
}

/// Whether the rows are fractions of the picture with probabilities behind.
bool is_darknet(const cv::Mat &output, int columns) {
  if (output.dims != 2 || output.cols <= 5 || output.cols != columns)
    return false;
  for (int i = 0; i < output.rows; ++i) {
    const float *row = output.ptr<float>(i);
    const auto is_share = [](float number) { return number >= -kBeyond && number <= 1 + kBeyond; };
    if (!std::all_of(row, row + 2, is_share) ||
        !std::all_of(row + 4, row + columns, is_probability))
      return false;
  }
  return true;
}

void read_ssd(const cv::Mat &output, cv::Size input, float floor, std::vector<OutputBox> &boxes) {
  const float *row = output.ptr<float>();
  for (int i = 0; i < output.size[2]; ++i, row += 7) {
    // A negative image number ends the list of OpenCV's DetectionOutput layer.
    if (!(row[0] >= 0) || !(row[1] >= 0 && row[1] < 10000))
      continue;
    keep(boxes,
         {{row[3] * input.width, row[4] * input.height, (row[5] - row[3]) * input.width,
           (row[6] - row[4]) * input.height},
          row[2],
          static_cast<int>(row[1])},
         floor);
  }
}

}  // namespace

std::optional<OutputLayout> recognise_outputs(std::span<const cv::Mat> outputs, cv::Size input) {
  if (outputs.empty() || std::ranges::any_of(outputs, [](const cv::Mat &output) {
        return output.type() != CV_32F || !output.isContinuous();
      }))
    return std::nullopt;
  const cv::Mat &first = outputs.front();
  if (outputs.size() == 1 && is_yolox(first, input))
    return recognise_yolox(first, input);
  if (outputs.size() == 1 && is_ssd(first))
    return OutputLayout::ssd;
  if (std::ranges::all_of(
          outputs, [&first](const cv::Mat &output) { return is_darknet(output, first.cols); }))
    return OutputLayout::darknet;
  return std::nullopt;
}

std::optional<int> classes_in_outputs(OutputLayout layout, std::span<const cv::Mat> outputs) {
  switch (layout) {
    case OutputLayout::darknet:
      return outputs.front().cols - 5;
    case OutputLayout::yolox:
    case OutputLayout::yolox_decoded:
      return outputs.front().size[2] - 5;
    case OutputLayout::ssd:
      break;
  }
  return std::nullopt;
}

std::vector<OutputBox> read_outputs(OutputLayout layout, std::span<const cv::Mat> outputs,
                                    cv::Size input, float floor) {
  std::vector<OutputBox> boxes;
  for (const cv::Mat &output : outputs) {
    switch (layout) {
      case OutputLayout::darknet:
        read_darknet(output, input, floor, boxes);
        break;
      case OutputLayout::yolox:
      case OutputLayout::yolox_decoded:
        read_yolox(output, input, layout == OutputLayout::yolox_decoded, floor, boxes);
        break;
      case OutputLayout::ssd:
        read_ssd(output, input, floor, boxes);
        break;
    }
  }
  return boxes;
}

std::optional<OutputLayout> layout_of(std::string_view name) {
  const auto at =
      std::ranges::find(kNames, name, &std::pair<std::string_view, OutputLayout>::first);
  return at != std::end(kNames) ? std::optional(at->second) : std::nullopt;
}

std::string layout_names() {
  std::string names;
  for (const auto &[name, layout] : kNames)
    names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

std::string describe_outputs(std::span<const cv::Mat> outputs) {
  std::string text;
  for (const cv::Mat &output : outputs) {
    if (!text.empty())
      text += " and ";
    for (int i = 0; i < output.dims; ++i)
      text += (i > 0 ? "x" : "") + std::to_string(output.size[i]);
  }
  return text;
}

}  // namespace npc::detect
