// SPDX-License-Identifier: LGPL-2.1-or-later
// What a detection network puts out: recognised by its shape and numbers, turned into boxes.
#pragma once

#include <opencv2/core.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace npc::detect {

/// Ways to write boxes that are known.
enum class OutputLayout {
  /// OpenCV's layers for Darknet's [yolo] and [region]: a matrix a scale, rows of centre x, centre
  /// y, width, height in
  /// fractions of the input, objectness, and a score for each class that has the objectness in it
  /// already.
  darknet,
  /// YOLOX: one tensor (1, cells, 5 + classes), cells of the strides 8, 16 and 32 in that order,
  /// centre and the logarithm
  /// of the size in strides, objectness and scores between 0 and 1.
  yolox,
  /// The same from a file whose last layers have made centre and size into pixels of the input.
  yolox_decoded,
  /// YOLOv5 and v7 as Ultralytics exports them: one tensor (1, 3 x cells, 5 + classes), centre and
  /// size in pixels of the input, objectness and scores between 0 and 1.
  yolov5,
  /// YOLOv8, v9 and 11 as Ultralytics exports them: one tensor (1, 4 + classes, cells), centre and
  /// size in pixels of the input and scores, which have no objectness.
  yolov8,
  /// YOLOv10, and others with the suppression inside: one tensor (1, boxes, 6), rows of left, top,
  /// right, bottom in pixels of the input, score, class.
  yolov10,
  /// FastestDet: one tensor (1, 5 + classes, rows, columns) of stride 16: objectness, the offset
  /// from the cell before tanh, the size as a share of the input before the logistic function, and
  /// class probabilities. A score is objectness^0.6 x class^0.4.
  fastestdet,
  /// SSD: one tensor (1, 1, boxes, 7), rows of image, class, score, left, top, right, bottom in
  /// fractions of the input.
  ssd,
};

/// A box in pixels of the network's input.
struct OutputBox {
  cv::Rect2f box;
  float confidence;
  int index;  ///< class, from 0
};

/// The layout of `outputs`, those of a black picture of that size, if it is a known one. Shapes may
/// be alike where the meaning of the numbers is not: these are looked at, too.
std::optional<OutputLayout> recognise_outputs(std::span<const cv::Mat> outputs, cv::Size input);

/// Whether `outputs` have a shape that `layout` can be read from.
bool fits_layout(OutputLayout layout, std::span<const cv::Mat> outputs, cv::Size input);

/// How many classes the outputs tell apart; nothing for a layout whose shape does not say (SSD).
std::optional<int> classes_in_outputs(OutputLayout layout, std::span<const cv::Mat> outputs);

/// All boxes with at least `floor` confidence; numbers that are not finite are left out.
std::vector<OutputBox> read_outputs(OutputLayout layout, std::span<const cv::Mat> outputs,
                                    cv::Size input, float floor);

/// The layout of that name, if there is one: as in layout_names().
std::optional<OutputLayout> layout_of(std::string_view name);

/// All names, for a sentence.
std::string layout_names();

/// The outputs' shapes, such as "1x85x22x22", for a sentence.
std::string describe_outputs(std::span<const cv::Mat> outputs);

}  // namespace npc::detect
