// SPDX-License-Identifier: LGPL-2.1-or-later
// What every detector is: a picture in, boxes with a class and a confidence out.
#pragma once

#include <memory>
#include <opencv2/core.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace npc::detect {

/// One object in a picture.
struct Detection {
  cv::Rect2f box;     ///< pixels of the picture; may reach beyond its edges
  float confidence;   ///< 0 to 1
  std::string label;  ///< class, a name as in gst_npc_name_is_valid()
};

/// What a detector wants to look at.
struct InputSpec {
  cv::Size size;  ///< the frame scaled to this
  int type;       ///< CV_8UC1: luma, CV_8UC3: BGR
};

/// How a detector may be spared work.
struct DetectorCaps {
  bool every_frame = false;  ///< it learns from frames: it is given each one, whole
  bool crops = false;        ///< a crop costs less than the whole; else the whole is looked at
  cv::Size least = {};       ///< the smallest object it finds, pixels of the picture
  cv::Size crop_least = {};  ///< the smallest crop it can look at
  float margin = 0;          ///< what it needs around an object, in heights of the object
  int border = 0;            ///< and in pixels
};

/// A detector cannot be made, or cannot go on. what() is a sentence for the user that says what to
/// do.
class DetectorError : public std::runtime_error {
 public:
  enum class Kind {
    not_found,  ///< a file is not there
    unusable,   ///< a file is there, but not what is needed
    settings,   ///< the properties contradict each other or the model
    failed,     ///< the library gave up in mid-stream
  };
  DetectorError(Kind kind, const std::string &sentence)
      : std::runtime_error(sentence), kind_(kind) {}
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

/// Finds objects. Used by one thread at a time.
class Detector {
 public:
  virtual ~Detector() = default;

  /// What detect() is to be given when frames have the size `frame`.
  virtual InputSpec input_spec(cv::Size frame) const = 0;

  /// How little it may be given of pictures as wished for. The default: the whole or nothing.
  virtual DetectorCaps caps() const { return {}; }

  /// From where on a detection can begin a track, unless a user says otherwise.
  virtual double confidence() const { return 0.5; }

  /// Appends what is in `picture` (as wished for, or a crop of it) with at least `floor` confidence
  /// to `found`. Throws DetectorError.
  virtual void detect(const cv::Mat &picture, float floor, std::vector<Detection> &found) = 0;

  /// The time of the picture that detect() is given next, for those that learn: seconds of the
  /// stream, from anywhere.
  virtual void set_time([[maybe_unused]] double seconds) {}

  /// Leaves nothing of what it was given: copies that the library keeps become those of `blank`, a
  /// black picture as wished for. Throws DetectorError.
  virtual void forget(const cv::Mat &blank) {
    std::vector<Detection> ignored;
    detect(blank, 0.5f, ignored);
  }
};

/// How a people detector is to be made; the npcdetect properties of the same names.
struct DetectorSettings {
  std::string model;  ///< path; empty: HOG
  std::string labels;
  std::vector<std::string> classes = {"person"};
  cv::Size input;                   ///< 0: the model's own
  double input_pixels = 640 * 360;  ///< the most, for a network that takes pictures of any size
  double least_size = 0.002;        ///< of a moving blob, as a share of the picture's area
};

/// OpenCV's HOG people detector.
std::unique_ptr<Detector> make_hog(const DetectorSettings &settings);

/// A neural network from an ONNX or Darknet file. Throws DetectorError.
std::unique_ptr<Detector> make_network(const DetectorSettings &settings);

/// Whatever moves, by comparison with a background that is learned. Throws DetectorError.
std::unique_ptr<Detector> make_motion(const DetectorSettings &settings);

}  // namespace npc::detect
