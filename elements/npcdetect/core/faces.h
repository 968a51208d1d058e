// SPDX-License-Identifier: LGPL-2.1-or-later
// Faces at their price: searched where people are, and elsewhere once in a while.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "npcdetect/detectors/facefinder.h"

namespace npc::detect {

/// Keeps the faces of a scene. People's upper parts are searched a few times a second, the whole
/// picture at a lower rate and for large faces only: those who are too close for all of them to be
/// seen. In between, faces go with their people, or stand.
///
/// Times are in seconds of the stream, boxes in pixels of the faces' own picture.
class Faces {
 public:
  /// A person is searched this often, but not more than kPeopleMost of them at a time.
  static constexpr double kPersonInterval = 0.25;
  static constexpr std::size_t kPeopleMost = 4;

  explicit Faces(std::unique_ptr<FaceFinder> finder) : finder_(std::move(finder)) {}

  /// What search() is to be given when frames have the size `frame`.
  InputSpec input_spec(cv::Size frame) const;

  /// Whether the picture of `now` should be searched, by what is known until now; the whole of it
  /// every `interval`.
  bool is_due(double now, double interval);

  /// Takes in where people are. Faces go with them.
  void follow(std::span<const cv::Rect2f> people);

  /// Searches the picture of `now` where that is due. Throws DetectorError.
  void search(const cv::Mat &picture, double now, float floor);

  /// The faces that are known.
  const std::vector<Detection> &standing() const { return standing_; }

  /// Forgets everything; what is kept of pictures becomes that of `blank`. Throws DetectorError.
  void forget(const cv::Mat &blank);

  /// Forgets where people and faces are.
  void reset();

 private:
  struct Person {
    cv::Rect2f box;
    double searched;
  };
  struct Face {
    Detection what;
    int person;  // index, or none
    int missed = 0;
  };

  bool is_worth(const cv::Rect2f &person) const;
  void search_person(const cv::Mat &picture, int index, float floor);
  void search_whole(const cv::Mat &picture, float floor);
  void publish();

  std::unique_ptr<FaceFinder> finder_;
  double interval_ = 1;
  double searched_ = kNever;  // the whole picture
  std::vector<Person> people_;
  std::vector<Face> faces_;
  std::vector<Detection> standing_;

  static constexpr double kNever = -1e18;
};

}  // namespace npc::detect
