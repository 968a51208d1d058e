// SPDX-License-Identifier: LGPL-2.1-or-later
// What of a scene is looked at anew, and what is still known of the rest.
#include "watch.h"

#include <algorithm>
#include <numeric>
#include <opencv2/imgproc.hpp>

#include "carry.h"

namespace npc {
namespace {

// Beyond these shares, changed cells of all cells and crops of the picture, the whole is looked at.
constexpr double kChangedMost = 0.5, kCropsMost = 0.6;
// A part that changed is grown by this share of its size: what moves is seldom seen whole.
constexpr double kGrow = 0.25;
// Two boxes that overlap more than this are one object, before and now.
constexpr float kSame = 0.4f;
// A new box that covers an old one by more than this takes its place.
constexpr float kCover = 0.5f;
// Looks that must have found someone before one that does not is doubted.
constexpr int kTrusted = 3;
// A share of changed cells in a box, up to which nothing moved there.
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

void Watch::configure(cv::Size picture, const Reach &reach) {
  forget();
  picture_ = picture;
  reach_ = reach;
}

void Watch::look(const cv::Mat &cells, double seconds) {
  cells.copyTo(cells_);
  gate_.look(cells_, seconds);
}

cv::Rect Watch::cells_of(const cv::Rect2f &box) const {
  const double across = static_cast<double>(cells_.cols) / picture_.width;
  const double down = static_cast<double>(cells_.rows) / picture_.height;
  const cv::Point upper(cvFloor(box.x * across), cvFloor(box.y * down));
  const cv::Point lower(cvCeil((box.x + box.width) * across), cvCeil((box.y + box.height) * down));
  return cv::Rect(upper, lower) & cv::Rect({}, cells_.size());
}

void Watch::carry() {
  if (standing_.empty() || gate_.before().empty())
    return;
  const float across = static_cast<float>(cells_.cols) / static_cast<float>(picture_.width);
  const float down = static_cast<float>(cells_.rows) / static_cast<float>(picture_.height);
  std::vector<cv::Rect2f> boxes;
  for (const Detection &object : standing_)
    boxes.emplace_back(object.box.x * across, object.box.y * down, object.box.width * across,
                       object.box.height * down);
  carry_boxes(gate_.before(), cells_, gate_.moving(), boxes);
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    standing_[i].box.x = boxes[i].x / across;
    standing_[i].box.y = boxes[i].y / down;
  }
}

/// The parts of the picture that changed, in its pixels.
std::vector<cv::Rect> Watch::changed_parts() const {
  std::vector<cv::Rect> parts;
  if (cv::countNonZero(gate_.changed()) == 0)
    return parts;
  cv::Mat labels, figures, centres, joined;
  cv::dilate(gate_.changed(), joined, {});
  const int count = cv::connectedComponentsWithStats(joined, labels, figures, centres, 8, CV_16U);
  const double across = static_cast<double>(picture_.width) / cells_.cols;
  const double down = static_cast<double>(picture_.height) / cells_.rows;
  for (int i = 1; i < count; ++i) {
    const int *part = figures.ptr<int>(i);
    parts.emplace_back(
        cvFloor(part[cv::CC_STAT_LEFT] * across), cvFloor(part[cv::CC_STAT_TOP] * down),
        cvCeil(part[cv::CC_STAT_WIDTH] * across), cvCeil(part[cv::CC_STAT_HEIGHT] * down));
  }
  return parts;
}

cv::Rect Watch::grown(const cv::Rect &part) const {
  const int across = std::max(reach_.least.width, cvCeil(part.width * (1 + 2 * kGrow)));
  const int down = std::max(reach_.least.height, cvCeil(part.height * (1 + 2 * kGrow)));
  return cv::Rect(part.x - (across - part.width) / 2, part.y - (down - part.height) / 2, across,
                  down) &
         cv::Rect({}, picture_);
}

Window Watch::window_of(const cv::Rect &core) const {
  const int across = reach_.border + cvCeil(core.height * reach_.margin);
  const int down = reach_.border + cvCeil(core.height * reach_.margin);
  const cv::Rect crop(core.x - across, core.y - down, core.width + 2 * across,
                      core.height + 2 * down);
  return {crop & cv::Rect({}, picture_), core};
}

Window Watch::whole() const {
  return {cv::Rect({}, picture_), cv::Rect({}, picture_)};
}

std::vector<Window> Watch::plan() {
  const double share = gate_.share_changed(cv::Rect({}, cells_.size()));
  if (share > kChangedMost)
    return {whole()};
  std::vector<cv::Rect> cores = changed_parts();
  for (std::size_t i = 0; i < standing_.size(); ++i)
    if (!pasts_[i].settled())
      cores.emplace_back(standing_[i].box);
  if (cores.empty())
    return {};
  if (!reach_.crops)
    return {whole()};
  for (cv::Rect &core : cores)
    core = grown(core);
  // Who stands in a window, if only in part, is in it whole.
  std::vector<bool> taken(standing_.size(), false);
  for (bool more = true; more;) {
    more = false;
    join(cores);
    for (std::size_t i = 0; i < standing_.size(); ++i) {
      const cv::Rect box = grown(standing_[i].box);
      for (cv::Rect &core : cores) {
        if (taken[i] || (box & core).empty())
          continue;
        core |= box;
        taken[i] = more = true;
      }
    }
  }
  std::vector<Window> windows;
  double area = 0;
  for (const cv::Rect &core : cores) {
    windows.push_back(window_of(core));
    area += windows.back().crop.area();
  }
  if (area > kCropsMost * picture_.area())
    return {whole()};
  return windows;
}

void Watch::update(std::span<const Window> windows, std::span<const std::vector<Detection>> found,
                   float strong) {
  std::vector<Detection> now;
  std::vector<Past> pasts;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const cv::Rect &core = windows[i].core;
    for (const Detection &object : found[i]) {
      const bool whole = core.size() == picture_;
      if (!whole && !core.contains(middle_of(object.box)))
        continue;
      Past past;
      past.strong = object.confidence >= strong;
      now.push_back(object);
      pasts.push_back(past);
    }
  }
  const std::size_t fresh = now.size();
  for (std::size_t old = 0; old < standing_.size(); ++old) {
    const Detection &object = standing_[old];
    Past past = pasts_[old];
    bool replaced = false;
    for (std::size_t i = 0; i < fresh && !replaced; ++i) {
      if (now[i].label != object.label)
        continue;
      if (overlap_of(now[i].box, object.box) > kSame && pasts[i].seen == 1) {
        pasts[i].seen = past.strong ? past.seen + 1 : 1;
        replaced = true;
      } else if (covers(now[i].box, object.box)) {
        replaced = true;
      }
    }
    if (replaced)
      continue;
    const bool looked_at = std::ranges::any_of(windows, [&](const Window &window) {
      return window.core.size() == picture_ || window.core.contains(middle_of(object.box));
    });
    if (looked_at) {
      const bool doubted = past.strong && past.seen >= kTrusted && past.missed == 0 &&
                           gate_.share_changed(cells_of(object.box)) <= kStill;
      if (!doubted)
        continue;
      past.missed = 1;
    }
    now.push_back(object);
    pasts.push_back(past);
  }
  for (const Window &window : windows)
    gate_.mark_seen(window.core.size() == picture_ ? cv::Rect({}, cells_.size())
                                                   : cells_of(window.core));
  standing_ = std::move(now);
  pasts_ = std::move(pasts);
}

void Watch::forget() {
  gate_.wipe();
  cells_.setTo(0);
  cells_.release();
  standing_.clear();
  pasts_.clear();
}

}  // namespace npc
