// SPDX-License-Identifier: LGPL-2.1-or-later
// Blobs of a moving foreground from frame to frame: what was known apart stays apart.
#include "npcdetect/detectors/blobs.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <opencv2/imgproc.hpp>

namespace npc::detect {
namespace {

// What is hidden for longer is another blob when it comes back.
constexpr double kForget = 0.5;
// Known for as long, a blob may claim its part of a larger one. Younger ones are often pieces.
constexpr double kMature = 0.4;
// A component is a known blob's if it covers this much of where that should be.
constexpr float kClaim = 0.4f;
// Pieces are one blob as long as they are not larger together than it was, but for this.
constexpr float kGrowth = 1.25f;
// A blob has moved when its centre is this far from where it was first seen, relative to the square
// root of its area.
constexpr double kMoved = 0.25;
// What begins beside a known blob and is smaller than this share of it is a part of it.
constexpr double kCompanion = 0.3;
// Share of a new speed in the one that is remembered.
constexpr float kSpeedShare = 0.4f;

cv::Point2f centre(const cv::Rect2f &box) {
  return (box.tl() + box.br()) / 2;
}

cv::Rect2f around(cv::Point2f middle, cv::Size2f size) {
  return {middle.x - size.width / 2, middle.y - size.height / 2, size.width, size.height};
}

}  // namespace

std::vector<Blobs::Component> Blobs::find_components(const cv::Mat &mask) {
  cv::Mat stats, centroids;
  const int count = cv::connectedComponentsWithStats(mask, labels_, stats, centroids, 8, CV_32S);
  std::vector<Component> components;
  for (int label = 1; label < count; ++label) {
    const int *row = stats.ptr<int>(label);
    components.push_back({{row[cv::CC_STAT_LEFT], row[cv::CC_STAT_TOP], row[cv::CC_STAT_WIDTH],
                           row[cv::CC_STAT_HEIGHT]},
                          static_cast<double>(row[cv::CC_STAT_AREA]),
                          label,
                          {}});
  }
  return components;
}

/// Gives each known blob the component that covers most of where it should be.
void Blobs::claim(std::vector<Component> &components) const {
  for (std::size_t i = 0; i < known_.size(); ++i) {
    Component *best = nullptr;
    float most = 0;
    for (Component &component : components) {
      const float shared = (cv::Rect2f(component.box) & known_[i].box).area();
      const float least = std::min(known_[i].box.area(), static_cast<float>(component.box.area()));
      if (shared > kClaim * least && shared > most) {
        most = shared;
        best = &component;
      }
    }
    if (best != nullptr)
      best->claims.push_back(i);
  }
}

/// Adds the pieces that a known blob fell into to the largest of them.
void Blobs::unite(std::vector<Component> &components) const {
  for (Component &whole : components) {
    if (whole.claims.size() != 1)
      continue;
    const cv::Rect2f &known = known_[whole.claims.front()].box;
    for (Component &piece : components) {
      if (&piece == &whole || !piece.claims.empty() || piece.area == 0)
        continue;
      const cv::Rect both = whole.box | piece.box;
      if (!known.contains(centre(piece.box)) || both.width > kGrowth * known.width ||
          both.height > kGrowth * known.height)
        continue;
      whole.box = both;
      whole.area += piece.area;
      piece.area = 0;
    }
  }
}

bool Blobs::is_companion(const Component &fresh, const std::vector<Component> &components) const {
  const cv::Rect around(fresh.box.x - near_, fresh.box.y - near_, fresh.box.width + 2 * near_,
                        fresh.box.height + 2 * near_);
  return std::ranges::any_of(components, [&](const Component &other) {
    return !other.claims.empty() && fresh.area < kCompanion * other.area &&
           (around & other.box).area() > 0;
  });
}

void Blobs::follow(Known &known, const cv::Rect2f &box, double step) const {
  // `known.box` was moved on already: what is left is the error of its speed.
  const cv::Point2f error = centre(box) - centre(known.box);
  if (step > 0)
    known.velocity += kSpeedShare * error / static_cast<float>(step);
  known.box = box;
  known.age += step;
  known.unseen = 0;
  known.seen = true;
  const cv::Point2f way = centre(box) - known.origin;
  known.moved = known.moved || std::hypot(way.x, way.y) > kMoved * std::sqrt(box.area());
}

/// Several known blobs in one component: each pixel goes to the nearest of them, and each blob goes
/// to the middle of its pixels, in its old size.
void Blobs::divide(const Component &component, double step) {
  struct Sum {
    double x = 0, y = 0, count = 0;
  };
  std::vector<Sum> sums(component.claims.size());
  for (int y = component.box.y; y < component.box.br().y; ++y) {
    const int *row = labels_.ptr<int>(y);
    for (int x = component.box.x; x < component.box.br().x; ++x) {
      if (row[x] != component.label)
        continue;
      std::size_t nearest = 0;
      float least = std::numeric_limits<float>::max();
      for (std::size_t i = 0; i < sums.size(); ++i) {
        const cv::Rect2f &box = known_[component.claims[i]].box;
        const cv::Point2f way =
            cv::Point2f(static_cast<float>(x), static_cast<float>(y)) - centre(box);
        const float far = std::max(std::abs(way.x) / box.width, std::abs(way.y) / box.height);
        if (far < least) {
          least = far;
          nearest = i;
        }
      }
      sums[nearest].x += x;
      sums[nearest].y += y;
      sums[nearest].count++;
    }
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    Known &known = known_[component.claims[i]];
    if (sums[i].count < least_)
      continue;
    const cv::Point2f middle(static_cast<float>(sums[i].x / sums[i].count + 0.5),
                             static_cast<float>(sums[i].y / sums[i].count + 0.5));
    follow(known, around(middle, known.box.size()), step);
  }
}

std::vector<Blob> Blobs::update(const cv::Mat &mask, double step) {
  for (Known &known : known_) {
    known.box += known.velocity * static_cast<float>(step);
    known.seen = false;
    known.unseen += step;
  }
  std::vector<Component> components = find_components(mask);
  claim(components);
  unite(components);
  std::vector<Known> fresh;
  for (Component &component : components) {
    if (component.area < least_)
      continue;
    // Only blobs that went about on their own are held apart: others may have been pieces.
    if (component.claims.size() > 1 && std::ranges::any_of(component.claims, [this](std::size_t i) {
          return known_[i].age < kMature || !known_[i].moved;
        }))
      component.claims = {*std::ranges::max_element(
          component.claims, {}, [this](std::size_t i) { return known_[i].box.area(); })};
    if (component.claims.empty()) {
      if (!is_companion(component, components))
        fresh.push_back({component.box, {}, centre(component.box)});
    } else if (component.claims.size() == 1) {
      follow(known_[component.claims.front()], component.box, step);
    } else {
      divide(component, step);
    }
  }
  std::erase_if(known_, [](const Known &known) { return known.unseen > kForget; });
  known_.insert(known_.end(), fresh.begin(), fresh.end());

  std::vector<Blob> blobs;
  for (const Known &known : known_)
    if (known.seen)
      blobs.push_back({known.box, known.moved});
  return blobs;
}

}  // namespace npc::detect
