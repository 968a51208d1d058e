// SPDX-License-Identifier: LGPL-2.1-or-later
// What a detection network puts out: recognised by its shape, turned into boxes.
#include "outputs.h"

#include <algorithm>
#include <cmath>

namespace npc {
namespace {

constexpr int kStrides[] = {8, 16, 32};

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

void read_yolox(const cv::Mat &output, cv::Size input, float floor, std::vector<OutputBox> &boxes) {
  const int columns = output.size[2];
  const float *row = output.ptr<float>();
  for (int stride : kStrides) {
    for (int y = 0; y < input.height / stride; ++y) {
      for (int x = 0; x < input.width / stride; ++x, row += columns) {
        // Most cells hold nothing: spare them the exponentials.
        if (!(row[4] >= floor))
          continue;
        const auto [index, score] = best_class(row + 5, columns - 5);
        const float width = std::exp(row[2]) * stride, height = std::exp(row[3]) * stride;
        keep(
            boxes,
            {{(row[0] + x) * stride - width / 2, (row[1] + y) * stride - height / 2, width, height},
             row[4] * score,
             index},
            floor);
      }
    }
  }
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
    return OutputLayout::yolox;
  if (outputs.size() == 1 && is_ssd(first))
    return OutputLayout::ssd;
  if (std::ranges::all_of(outputs, [&first](const cv::Mat &output) {
        return output.dims == 2 && output.cols > 5 && output.cols == first.cols;
      }))
    return OutputLayout::darknet;
  return std::nullopt;
}

std::optional<int> classes_in_outputs(OutputLayout layout, std::span<const cv::Mat> outputs) {
  switch (layout) {
    case OutputLayout::darknet:
      return outputs.front().cols - 5;
    case OutputLayout::yolox:
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
        read_yolox(output, input, floor, boxes);
        break;
      case OutputLayout::ssd:
        read_ssd(output, input, floor, boxes);
        break;
    }
  }
  return boxes;
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

}  // namespace npc
