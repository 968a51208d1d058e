// SPDX-License-Identifier: LGPL-2.1-or-later
// Faces at their price: searched where people are, and elsewhere once in a while.
#include "npcdetect/core/faces.h"

#include <algorithm>
#include <cmath>

namespace npc::detect {
namespace {

// Faces are looked for in frames of at most so many rows.
constexpr int kRows = 720;

// A face's width in widths of the person's box, be it all of them or head and shoulders.
constexpr float kFaceLeast = 0.22f, kFaceMost = 0.8f;
// Of a person of usual build, upright; what decides whether a search is worth it.
constexpr float kFaceUsual = 0.4f;
// Where it may be: so much beyond the box at the sides and above, in its widths; and so far down.
constexpr float kBeside = 0.2f, kAbove = 0.35f;
constexpr float kDownWidths = 1.0f, kDownHeights = 0.35f;

// The least width of a face that the whole picture is searched for, in heights of the picture: a
// face is a ninth of a person, and whoever has a larger one does not fit in.
constexpr float kCloseFace = 0.08f;

// A face that is not found again is believed once more: turning heads flicker.
constexpr int kMissedMost = 1;
// Two boxes that share more than this (IoU) are the same person, or the same face.
constexpr float kSamePerson = 0.3f, kSameFace = 0.3f;

float overlap(const cv::Rect2f &a, const cv::Rect2f &b) {
  const float shared = (a & b).area(), all = a.area() + b.area() - shared;
  return all > 0 ? shared / all : 0;
}

cv::Rect upper_part(const cv::Rect2f &person, cv::Size picture) {
  const float down =
      std::min(person.height, std::max(kDownWidths * person.width, kDownHeights * person.height));
  const cv::Rect2f part(person.x - kBeside * person.width, person.y - kAbove * person.width,
                        person.width * (1 + 2 * kBeside), down + kAbove * person.width);
  return cv::Rect(cvFloor(part.x), cvFloor(part.y), cvCeil(part.width), cvCeil(part.height)) &
         cv::Rect({}, picture);
}

}  // namespace

InputSpec Faces::input_spec(cv::Size frame) const {
  const double scale = std::min(1.0, static_cast<double>(kRows) / frame.height);
  return {cv::Size(std::max(1, cvRound(frame.width * scale)),
                   std::max(1, cvRound(frame.height * scale))),
          finder_->picture_type()};
}

bool Faces::is_worth(const cv::Rect2f &person) const {
  return kFaceUsual * person.width >= finder_->least();
}

bool Faces::is_due(double now, double interval) {
  interval_ = interval;
  // Time that goes back makes everything due.
  const auto is_old = [now](double searched, double interval) {
    return now < searched || now - searched >= interval;
  };
  return is_old(searched_, interval_) || std::ranges::any_of(people_, [&](const Person &person) {
           return is_worth(person.box) && is_old(person.searched, kPersonInterval);
         });
}

void Faces::follow(std::span<const cv::Rect2f> people) {
  std::vector<Person> now;
  std::vector<int> indices(people_.size(), -1);
  for (const cv::Rect2f &box : people) {
    int best = -1;
    float most = kSamePerson;
    for (std::size_t i = 0; i < people_.size(); ++i) {
      const float shared = overlap(people_[i].box, box);
      if (indices[i] == -1 && shared > most) {
        most = shared;
        best = static_cast<int>(i);
      }
    }
    if (best != -1)
      indices[best] = static_cast<int>(now.size());
    now.push_back({box, best == -1 ? kNever : people_[best].searched});
  }
  std::erase_if(faces_, [&indices](const Face &face) {
    return face.person != -1 && indices[face.person] == -1;
  });
  for (Face &face : faces_) {
    if (face.person == -1)
      continue;
    const cv::Rect2f &before = people_[face.person].box;
    face.person = indices[face.person];
    const cv::Rect2f &after = now[face.person].box;
    face.what.box +=
        cv::Point2f(after.x + after.width / 2 - before.x - before.width / 2, after.y - before.y);
  }
  people_ = std::move(now);
  publish();
}

void Faces::search(const cv::Mat &picture, double now, float floor) {
  if (now < searched_ || now - searched_ >= interval_) {
    search_whole(picture, floor);
    searched_ = now;
  }
  std::vector<int> due;
  for (std::size_t i = 0; i < people_.size(); ++i)
    if (is_worth(people_[i].box) &&
        (now < people_[i].searched || now - people_[i].searched >= kPersonInterval))
      due.push_back(static_cast<int>(i));
  std::ranges::stable_sort(due, {}, [this](int i) { return people_[i].searched; });
  due.resize(std::min(due.size(), kPeopleMost));
  for (int i : due) {
    search_person(picture, i, floor);
    people_[i].searched = now;
  }
  publish();
}

void Faces::search_person(const cv::Mat &picture, int index, float floor) {
  const cv::Rect2f &person = people_[index].box;
  const cv::Rect part = upper_part(person, picture.size());
  std::vector<Detection> found;
  if (!part.empty())
    finder_->find(picture(part),
                  {std::max(finder_->least(), kFaceLeast * person.width), kFaceMost * person.width},
                  floor, found);
  // One head each. The nearest to the middle: another's may be beside it.
  const float middle = person.x + person.width / 2;
  const auto best = std::ranges::min_element(found, {}, [&](const Detection &face) {
    return std::abs(static_cast<float>(part.x) + face.box.x + face.box.width / 2 - middle) -
           face.confidence * face.box.width;
  });
  if (best == found.end()) {
    std::erase_if(faces_, [index](Face &face) {
      return face.person == index && ++face.missed > kMissedMost;
    });
    return;
  }
  best->box += cv::Point2f(part.tl());
  // It takes the place of what was known there, whoever's it was.
  std::erase_if(faces_, [&](const Face &face) {
    return face.person == index || overlap(face.what.box, best->box) > kSameFace;
  });
  faces_.push_back({*best, index});
}

void Faces::search_whole(const cv::Mat &picture, float floor) {
  std::vector<Detection> found;
  const auto rows = static_cast<float>(picture.rows);
  finder_->find(picture, {std::max(finder_->least(), kCloseFace * rows), rows}, floor, found);
  std::vector<Face> fresh;
  for (const Detection &face : found) {
    const bool known = std::ranges::any_of(faces_, [&face](const Face &other) {
      return other.person != -1 && overlap(other.what.box, face.box) > kSameFace;
    });
    if (!known)
      fresh.push_back({face, -1});
  }
  std::erase_if(faces_, [&fresh](Face &face) {
    return face.person == -1 &&
           (std::ranges::any_of(fresh,
                                [&face](const Face &other) {
                                  return overlap(other.what.box, face.what.box) > kSameFace;
                                }) ||
            ++face.missed > kMissedMost);
  });
  faces_.insert(faces_.end(), fresh.begin(), fresh.end());
}

void Faces::publish() {
  standing_.clear();
  for (const Face &face : faces_)
    standing_.push_back(face.what);
}

void Faces::reset() {
  people_.clear();
  faces_.clear();
  standing_.clear();
  searched_ = kNever;
}

void Faces::forget(const cv::Mat &blank) {
  reset();
  // The smallest part and the largest: a finder may keep copies of both.
  std::vector<Detection> ignored;
  const cv::Rect part(0, 0, std::min(blank.cols, 64), std::min(blank.rows, 64));
  for (const cv::Mat &picture : {blank, blank(part)})
    finder_->find(picture, {finder_->least(), static_cast<float>(blank.rows)}, 0.5f, ignored);
}

}  // namespace npc::detect
