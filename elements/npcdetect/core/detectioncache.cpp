// SPDX-License-Identifier: LGPL-2.1-or-later
// What of a scene is looked at anew, and what is still known of the rest.
#include "npcdetect/core/detectioncache.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "npcdetect/core/propagation.h"

namespace npc::detect {
namespace {

// Beyond these shares, changed cells of all cells and crops of the picture, the whole is looked at.
constexpr double kChangedMost = 0.5, kCropsMost = 0.75;
// A part that changed is grown by this share of its size on each side: of who moves, often only
// legs are seen to.
constexpr double kGrow = 0.4;
// Two boxes that overlap more than this are one object, before and now.
constexpr float kSame = 0.4f;
// One of two boxes that lies in the other by more than this takes its place.
constexpr float kCover = 0.6f;
// Looks that must have found someone before one that does not is doubted.
constexpr int kTrusted = 2;
// The share of changed cells in a box up to which nothing changed there.
constexpr double kStill = 0.02;

cv::Point middle_of(const cv::Rect2f &box) {
  return {cvFloor(box.x + box.width / 2), cvFloor(box.y + box.height / 2)};
}

float overlap_of(const cv::Rect2f &a, const cv::Rect2f &b) {
  const float shared = (a & b).area();
  return shared > 0 ? shared / (a.area() + b.area() - shared) : 0;
}

bool covers(const cv::Rect2f &a, const cv::Rect2f &b) {
  return (a & b).area() > kCover * std::min(a.area(), b.area());
}

/// Joins rectangles until none overlaps another.
void join(std::vector<cv::Rect> &parts) {
  for (bool joined = true; joined;) {
    joined = false;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      for (std::size_t j = parts.size() - 1; j > i; --j) {
        if ((parts[i] & parts[j]).empty())
          continue;
        parts[i] |= parts[j];
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(j));
        joined = true;
      }
    }
  }
}

}  // namespace

void DetectionCache::configure(cv::Size picture, const DetectorCaps &reach) {
  forget();
  image_ = picture;
  caps_ = reach;
}

cv::Rect DetectionCache::cells_of(const cv::Rect2f &box) const {
  const double across = static_cast<double>(gate_.now().cols) / image_.width;
  const double down = static_cast<double>(gate_.now().rows) / image_.height;
  const cv::Point upper(cvFloor(box.x * across), cvFloor(box.y * down));
  const cv::Point lower(cvCeil((box.x + box.width) * across), cvCeil((box.y + box.height) * down));
  return cv::Rect(upper, lower) & cv::Rect({}, gate_.now().size());
}

void DetectionCache::propagate() {
  if (known_.empty() || gate_.now().empty())
    return;
  const auto across = static_cast<float>(gate_.now().cols) / static_cast<float>(image_.width);
  const auto down = static_cast<float>(gate_.now().rows) / static_cast<float>(image_.height);
  std::vector<cv::Rect2f> boxes;
  for (const Known &one : known_)
    boxes.emplace_back(one.object.box.x * across, one.object.box.y * down,
                       one.object.box.width * across, one.object.box.height * down);
  propagate_boxes(gate_.before(), gate_.now(), gate_.moving(), boxes);
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    known_[i].object.box.x = boxes[i].x / across;
    known_[i].object.box.y = boxes[i].y / down;
  }
}

/// The parts of the picture that changed, in its pixels.
std::vector<cv::Rect> DetectionCache::changed_parts() const {
  std::vector<cv::Rect> parts;
  cv::Mat labels, figures, centres, joined;
  cv::dilate(gate_.changed(), joined, {});
  const int count = cv::connectedComponentsWithStats(joined, labels, figures, centres, 8, CV_16U);
  const double across = static_cast<double>(image_.width) / gate_.now().cols;
  const double down = static_cast<double>(image_.height) / gate_.now().rows;
  for (int i = 1; i < count; ++i) {
    const int *part = figures.ptr<int>(i);
    parts.emplace_back(
        cvFloor(part[cv::CC_STAT_LEFT] * across), cvFloor(part[cv::CC_STAT_TOP] * down),
        cvCeil(part[cv::CC_STAT_WIDTH] * across), cvCeil(part[cv::CC_STAT_HEIGHT] * down));
  }
  return parts;
}

cv::Rect DetectionCache::grown(const cv::Rect &part) const {
  const int more_across = cvCeil(2 * kGrow * std::max(part.width, part.height / 2));
  const int across = std::max(caps_.least.width, part.width + more_across);
  const int down = std::max(caps_.least.height, part.height + cvCeil(2 * kGrow * part.height));
  return cv::Rect(part.x - (across - part.width) / 2, part.y - (down - part.height) / 2, across,
                  down) &
         cv::Rect({}, image_);
}

CropRegion DetectionCache::window_of(const cv::Rect &core) const {
  const int margin = caps_.border + cvCeil(core.height * caps_.margin);
  auto span = [margin](int begin, int length, int least, int most) {
    const int wanted = std::min(std::max(length + 2 * margin, least), most);
    const int shifted = std::clamp(begin - (wanted - length) / 2, 0, most - wanted);
    // At an edge nothing is gained by going on at the other side, unless the crop were too small.
    const int end = std::max(std::min(begin + length + margin, most), shifted + least);
    return cv::Range(shifted, std::min(end, most));
  };
  const cv::Range across = span(core.x, core.width, caps_.crop_least.width, image_.width);
  const cv::Range down = span(core.y, core.height, caps_.crop_least.height, image_.height);
  return {cv::Rect(across.start, down.start, across.size(), down.size()), core};
}

CropRegion DetectionCache::whole() const {
  return {cv::Rect({}, image_), cv::Rect({}, image_)};
}

/// Who stands in one of `cores`, if only in part, is in it whole.
void DetectionCache::take_in_standing(std::vector<cv::Rect> &cores) const {
  std::vector<bool> taken(known_.size(), false);
  for (bool more = true; more;) {
    more = false;
    join(cores);
    for (std::size_t i = 0; i < known_.size(); ++i) {
      const cv::Rect box = grown(known_[i].object.box);
      for (cv::Rect &core : cores) {
        if (taken[i] || (box & core).empty())
          continue;
        core |= box;
        taken[i] = more = true;
      }
    }
  }
}

std::vector<CropRegion> DetectionCache::plan() {
  if (gate_.share_changed(cv::Rect({}, gate_.now().size())) > kChangedMost)
    return {whole()};
  const bool unsettled =
      std::ranges::any_of(known_, [](const Known &one) { return !one.settled(); });
  if (!unsettled && cv::countNonZero(gate_.changed()) == 0)
    return {};
  if (!caps_.crops)
    return {whole()};
  std::vector<cv::Rect> cores = changed_parts();
  for (const Known &one : known_)
    if (!one.settled())
      cores.emplace_back(one.object.box);
  for (cv::Rect &core : cores)
    core = grown(core);
  // What lies beyond the picture needs no look.
  std::erase_if(cores, [](const cv::Rect &core) { return core.empty(); });
  take_in_standing(cores);
  std::vector<CropRegion> windows;
  double area = 0;
  for (const cv::Rect &core : cores) {
    windows.push_back(window_of(core));
    area += windows.back().crop.area();
  }
  if (area > kCropsMost * image_.area())
    return {whole()};
  return windows;
}

/// Whether what was found at `box` in the crop of `window` counts.
bool DetectionCache::counts_in(const CropRegion &window, const cv::Rect2f &box) const {
  return is_whole(window) || window.core.contains(middle_of(box));
}

std::vector<DetectionCache::Known> DetectionCache::take_found(
    std::span<const CropRegion> windows, std::span<const std::vector<Detection>> found,
    float strong) const {
  std::vector<Known> fresh;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const auto others = static_cast<std::ptrdiff_t>(fresh.size());
    for (const Detection &object : found[i]) {
      if (!counts_in(windows[i], object.box))
        continue;
      // Two windows that meet in someone may both have found him.
      const auto twin =
          std::find_if(fresh.begin(), fresh.begin() + others, [&object](const Known &other) {
            return other.object.label == object.label && covers(other.object.box, object.box);
          });
      const bool again = twin != fresh.begin() + others;
      if (again && twin->object.confidence >= object.confidence)
        continue;
      const Known one{object, object.confidence >= strong};
      if (again)
        *twin = one;
      else
        fresh.push_back(one);
    }
  }
  return fresh;
}

/// Whether a look that did not find `old`, which others found before, is not to be believed yet.
bool DetectionCache::is_doubted(const Known &old) const {
  return old.strong && old.seen >= kTrusted && old.missed == 0 &&
         gate_.share_changed(cells_of(old.object.box)) <= kStill;
}

void DetectionCache::update(std::span<const CropRegion> windows,
                            std::span<const std::vector<Detection>> found, float strong) {
  std::vector<Known> now = take_found(windows, found, strong);
  const std::size_t fresh = now.size();
  std::vector<bool> claimed(fresh, false);
  for (Known &old : known_) {
    std::size_t best = fresh;
    float most = kSame;
    bool covered = false;
    for (std::size_t i = 0; i < fresh; ++i) {
      if (now[i].object.label != old.object.label)
        continue;
      covered = covered || covers(now[i].object.box, old.object.box);
      const float overlap = overlap_of(now[i].object.box, old.object.box);
      if (!claimed[i] && overlap > most) {
        most = overlap;
        best = i;
      }
    }
    if (best < fresh) {
      claimed[best] = true;
      now[best].seen = old.strong ? std::min(old.seen, kTrusted) + 1 : 1;
      continue;
    }
    const bool looked_at = std::ranges::any_of(
        windows, [&](const CropRegion &window) { return counts_in(window, old.object.box); });
    if (covered || (looked_at && !is_doubted(old)))
      continue;
    old.missed += looked_at ? 1 : 0;
    now.push_back(std::move(old));
  }
  for (const CropRegion &window : windows)
    gate_.mark_seen(is_whole(window) ? cv::Rect({}, gate_.now().size()) : cells_of(window.core));
  known_ = std::move(now);
}

void DetectionCache::replace(std::vector<Detection> found) {
  known_.clear();
  for (Detection &object : found)
    known_.push_back({std::move(object)});
  gate_.mark_seen(cv::Rect({}, gate_.now().size()));
}

std::vector<Detection> DetectionCache::standing() const {
  std::vector<Detection> objects;
  for (const Known &one : known_)
    objects.push_back(one.object);
  return objects;
}

void DetectionCache::forget() {
  gate_.wipe();
  known_.clear();
}

}  // namespace npc::detect
