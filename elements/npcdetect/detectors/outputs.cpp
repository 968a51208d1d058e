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
    {"yolov5", OutputLayout::yolov5},
    {"yolov8", OutputLayout::yolov8},
    {"yolov10", OutputLayout::yolov10},
    {"fastestdet", OutputLayout::fastestdet},
    {"ssd", OutputLayout::ssd}};
constexpr int kFastestDetStride = 16;
constexpr int kAnchors = 3;  // of a cell of YOLOv5
// Exporters keep 300 or so boxes.
constexpr int kBoxesMost = 10000;
constexpr int kStrides[] = {8, 16, 32};
// How far boxes are from their cell at most, in strides on average. A trained network sees nothing
// in a black picture and leaves them within about one.
constexpr double kFarthest = 4;
// Rounding of probabilities, and centres a little beyond the frame.
constexpr float kRounding = 1e-3f, kBeyond = 0.5f;

int count_cells(cv::Size input) {
  int cells = 0;
  for (int stride : kStrides)
    cells += (input.width / stride) * (input.height / stride);
  return cells;
}

bool is_probability(float number) {
  return number >= -kRounding && number <= 1 + kRounding;
}

bool is_of_three(const cv::Mat &output) {
  return output.dims == 3 && output.size[0] == 1;
}

bool is_yolox(const cv::Mat &output, cv::Size input) {
  return is_of_three(output) && output.size[1] == count_cells(input) && output.size[2] > 5;
}

bool is_yolov5(const cv::Mat &output, cv::Size input) {
  return is_of_three(output) && output.size[1] == kAnchors * count_cells(input) &&
         output.size[2] > 5;
}

bool is_yolov8(const cv::Mat &output, cv::Size input) {
  return is_of_three(output) && output.size[1] > 4 && output.size[2] == count_cells(input);
}

bool is_yolov10(const cv::Mat &output) {
  return is_of_three(output) && output.size[1] > 0 && output.size[1] <= kBoxesMost &&
         output.size[2] == 6;
}

bool is_fastestdet(const cv::Mat &output, cv::Size input) {
  return output.dims == 4 && output.size[0] == 1 && output.size[1] > 5 &&
         output.size[2] == input.height / kFastestDetStride &&
         output.size[3] == input.width / kFastestDetStride;
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

void read_yolov5(const cv::Mat &output, float floor, std::vector<OutputBox> &boxes) {
  const float *row = output.ptr<float>();
  for (int i = 0; i < output.size[1]; ++i, row += output.size[2]) {
    if (!(row[4] >= floor))
      continue;
    const auto [index, score] = best_class(row + 5, output.size[2] - 5);
    keep(boxes, {{row[0] - row[2] / 2, row[1] - row[3] / 2, row[2], row[3]}, row[4] * score, index},
         floor);
  }
}

/// Numbers of a cell are a column.
void read_yolov8(const cv::Mat &output, float floor, std::vector<OutputBox> &boxes) {
  const cv::Mat columns(output.size[1], output.size[2], CV_32F,
                        const_cast<float *>(output.ptr<float>()));
  for (int cell = 0; cell < columns.cols; ++cell) {
    int best = 4;
    for (int row = 5; row < columns.rows; ++row)
      if (columns.at<float>(row, cell) > columns.at<float>(best, cell))
        best = row;
    const float width = columns.at<float>(2, cell), height = columns.at<float>(3, cell);
    keep(boxes,
         {{columns.at<float>(0, cell) - width / 2, columns.at<float>(1, cell) - height / 2, width,
           height},
          columns.at<float>(best, cell),
          best - 4},
         floor);
  }
}

void read_yolov10(const cv::Mat &output, float floor, std::vector<OutputBox> &boxes) {
  const float *row = output.ptr<float>();
  for (int i = 0; i < output.size[1]; ++i, row += 6)
    if (row[5] >= 0 && row[5] < 10000)
      keep(boxes,
           {{row[0], row[1], row[2] - row[0], row[3] - row[1]}, row[4], static_cast<int>(row[5])},
           floor);
}

void read_fastestdet(const cv::Mat &output, cv::Size input, float floor,
                     std::vector<OutputBox> &boxes) {
  const int rows = output.size[2], columns = output.size[3];
  const auto at = [&](int channel, int y, int x) {
    return output.ptr<float>(0, channel)[static_cast<std::ptrdiff_t>(y) * columns + x];
  };
  const auto logistic = [](float number) { return 1 / (1 + std::exp(-number)); };
  for (int y = 0; y < rows; ++y) {
    for (int x = 0; x < columns; ++x) {
      int best = 5;
      for (int channel = 6; channel < output.size[1]; ++channel)
        if (at(channel, y, x) > at(best, y, x))
          best = channel;
      const float score = std::pow(at(0, y, x), 0.6f) * std::pow(at(best, y, x), 0.4f);
      if (!(score >= floor))
        continue;
      const cv::Size2f size(logistic(at(3, y, x)) * input.width,
                            logistic(at(4, y, x)) * input.height);
      const cv::Point2f centre(
          (static_cast<float>(x) + std::tanh(at(1, y, x))) * input.width / columns,
          (static_cast<float>(y) + std::tanh(at(2, y, x))) * input.height / rows);
      keep(boxes, {{centre - cv::Point2f(size.width, size.height) / 2, size}, score, best - 5},
           floor);
    }
  }
}

/// Whether each of `count` numbers from `first` on, `step` apart, is a probability.
bool are_probabilities(const float *first, int count, int step = 1) {
  for (int i = 0; i < count; ++i)
    if (!is_probability(first[static_cast<std::ptrdiff_t>(i) * step]))
      return false;
  return true;
}

/// By the numbers: those of a black picture are what they would be in a picture of something.
std::optional<OutputLayout> recognise_others(const cv::Mat &output, cv::Size input) {
  const float *numbers = output.ptr<float>();
  if (is_yolov5(output, input)) {
    for (int i = 0; i < output.size[1]; ++i)
      if (!are_probabilities(numbers + static_cast<std::ptrdiff_t>(i) * output.size[2] + 4,
                             output.size[2] - 4))
        return std::nullopt;
    return OutputLayout::yolov5;
  }
  if (is_yolov8(output, input)) {
    const std::ptrdiff_t boxes = std::ptrdiff_t{4} * output.size[2];
    return are_probabilities(numbers + boxes, static_cast<int>(output.total() - boxes))
               ? std::optional(OutputLayout::yolov8)
               : std::nullopt;
  }
  if (is_yolov10(output))
    return are_probabilities(numbers + 4, output.size[1], 6) ? std::optional(OutputLayout::yolov10)
                                                             : std::nullopt;
  if (is_fastestdet(output, input)) {
    const int cells = output.size[2] * output.size[3];
    return are_probabilities(numbers, cells) &&
                   are_probabilities(numbers + std::ptrdiff_t{5} * cells,
                                     (output.size[1] - 5) * cells)
               ? std::optional(OutputLayout::fastestdet)
               : std::nullopt;
  }
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
  if (outputs.size() == 1 && first.dims > 2)
    return recognise_others(first, input);
  if (std::ranges::all_of(
          outputs, [&first](const cv::Mat &output) { return is_darknet(output, first.cols); }))
    return OutputLayout::darknet;
  return std::nullopt;
}

bool fits_layout(OutputLayout layout, std::span<const cv::Mat> outputs, cv::Size input) {
  const auto is_readable = [](const cv::Mat &output) {
    return output.type() == CV_32F && output.isContinuous();
  };
  if (outputs.empty() || !std::ranges::all_of(outputs, is_readable))
    return false;
  const cv::Mat &first = outputs.front();
  if (layout == OutputLayout::darknet)
    return std::ranges::all_of(outputs, [&first](const cv::Mat &output) {
      return output.dims == 2 && output.cols > 5 && output.cols == first.cols;
    });
  if (outputs.size() != 1)
    return false;
  switch (layout) {
    case OutputLayout::yolox:
    case OutputLayout::yolox_decoded:
      return is_yolox(first, input);
    case OutputLayout::yolov5:
      return is_yolov5(first, input);
    case OutputLayout::yolov8:
      return is_yolov8(first, input);
    case OutputLayout::yolov10:
      return is_yolov10(first);
    case OutputLayout::fastestdet:
      return is_fastestdet(first, input);
    default:
      return is_ssd(first);
  }
}

std::optional<int> classes_in_outputs(OutputLayout layout, std::span<const cv::Mat> outputs) {
  switch (layout) {
    case OutputLayout::darknet:
      return outputs.front().cols - 5;
    case OutputLayout::yolox:
    case OutputLayout::yolox_decoded:
    case OutputLayout::yolov5:
      return outputs.front().size[2] - 5;
    case OutputLayout::yolov8:
      return outputs.front().size[1] - 4;
    case OutputLayout::fastestdet:
      return outputs.front().size[1] - 5;
    case OutputLayout::yolov10:
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
      case OutputLayout::yolov5:
        read_yolov5(output, floor, boxes);
        break;
      case OutputLayout::yolov8:
        read_yolov8(output, floor, boxes);
        break;
      case OutputLayout::yolov10:
        read_yolov10(output, floor, boxes);
        break;
      case OutputLayout::fastestdet:
        read_fastestdet(output, input, floor, boxes);
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
