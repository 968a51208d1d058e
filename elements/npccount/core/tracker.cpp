// SPDX-License-Identifier: LGPL-2.1-or-later
// Follows what a detector sees from frame to frame, so that each person is counted once.
#include "npccount/core/tracker.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "npccount/core/assignment.h"

namespace npc::count {
namespace {

using namespace std::chrono_literals;

// A track that is not yet confirmed may miss a frame or two, but not more: what flickers is noise.
constexpr Time kTentativeKeep = 300ms;
// One late frame must not make all that it shows believed.
constexpr std::size_t kIntervals = 5;

// Two boxes of one class that share more than this are one object seen twice.
constexpr double kSame = 0.6;
// So are two of different size when this much of the small one lies in the large one: detectors
// that look at several scales (HOG) see a giant around a person, or around two. Children of five
// eighths of an adult's height are still people of their own.
constexpr double kNested = 0.85;
constexpr double kNestedSize = 1.6;
// A box is where it was predicted if it shares this much with the prediction...
constexpr double kMatchOverlap = 0.3;
// ...or if its anchor is within this many body heights of it, plus so many for each second since it
// was last seen: with seconds between frames, a walker's boxes do not overlap at all.
constexpr double kMatchDistance = 0.3;
constexpr double kMatchSpeed = 1.5;
constexpr double kMatchDistanceMost = 3;
// By distance alone only boxes of about the same size match.
constexpr double kMatchSize = 1.7;

// Beyond this, arithmetic on pixels is not meaningful.
constexpr double kAbsurd = 1e6;

bool is_usable(const Detection &detection) {
  const Box &box = detection.box;
  for (double number : {box.x, box.y, box.width, box.height})
    if (!std::isfinite(number) || std::abs(number) > kAbsurd)
      return false;
  return box.width >= 1 && box.height >= 1 && std::isfinite(detection.confidence) &&
         !detection.label.empty();
}

bool is_same(const Box &a, const Box &b) {
  if (overlap(a, b) > kSame)
    return true;
  const double size = std::max(a.height, b.height) / std::min(a.height, b.height);
  return size > kNestedSize && shared_area(a, b) > kNested * std::min(a.area(), b.area());
}

// From anchor to anchor, in body heights.
double distance(const Box &a, const Box &b) {
  return std::hypot(a.centre_x() - b.centre_x(), a.bottom() - b.bottom()) * 2 /
         (a.height + b.height);
}

// How well a detection continues a track that was last seen `gap` ago at `last`; 0 if it cannot.
double likeness(const Box &predicted, const Box &last, const Box &seen, Time gap) {
  const double shared = overlap(predicted, seen);
  // People turn round: after seconds, where they were is as good a guess as where they went.
  const double away = std::min(distance(predicted, seen), distance(last, seen));
  const double reach = std::min(kMatchDistance + kMatchSpeed * seconds(gap), kMatchDistanceMost);
  const double size = predicted.height / seen.height;
  const bool near = away <= reach && size < kMatchSize && size > 1 / kMatchSize;
  if (shared < kMatchOverlap && !near)
    return 0;
  return shared + std::exp(-away);
}

}  // namespace

void Tracker::update(Time now, std::span<const Detection> detections) {
  const Time step = note_interval(now);
  forget_old(now);
  for (Item &item : items_) {
    item.motion.predict(step);
    item.track.box = item.motion.box();
    item.seen = false;
  }

  std::vector<const Detection *> strong, weak;
  for (const Detection *detection : select(detections))
    (detection->weak ? weak : strong).push_back(detection);
  match(now, Stage::kStrong, strong);
  match(now, Stage::kWeak, weak);
  match(now, Stage::kTentative, strong);

  std::erase_if(items_, [&](const Item &item) { return !item.seen && is_gone(item); });
  for (const Detection *detection : strong)
    begin(now, *detection);
  make_room();
  publish(now);
}

void Tracker::reset() {
  items_.clear();
  tracks_.clear();
  intervals_.clear();
  started_ = false;
}

// Returns the time since the last frame and keeps the usual one up to date.
Time Tracker::note_interval(Time now) {
  const Time step = started_ ? std::max(now - last_frame_, Time::zero()) : Time::zero();
  last_frame_ = now;
  if (!std::exchange(started_, true)) {
    interval_ = kConfirm;
    return step;
  }
  if (intervals_.size() == kIntervals)
    intervals_.erase(intervals_.begin());
  intervals_.push_back(std::min(step, kKeepMost));
  std::vector<Time> sorted = intervals_;
  std::sort(sorted.begin(), sorted.end());
  interval_ = sorted[sorted.size() / 2];
  return step;
}

// The usable detections, strong and sure ones first, each object once.
std::vector<const Detection *> Tracker::select(std::span<const Detection> detections) const {
  std::vector<const Detection *> usable;
  for (const Detection &detection : detections)
    if (is_usable(detection))
      usable.push_back(&detection);
  std::stable_sort(usable.begin(), usable.end(), [](const Detection *a, const Detection *b) {
    return a->weak != b->weak ? b->weak : a->confidence > b->confidence;
  });
  usable.resize(std::min(usable.size(), kMost));

  std::vector<const Detection *> chosen;
  for (const Detection *candidate : usable) {
    const bool known = std::any_of(chosen.begin(), chosen.end(), [&](const Detection *other) {
      return other->label == candidate->label && is_same(other->box, candidate->box);
    });
    if (!known)
      chosen.push_back(candidate);
  }
  return chosen;
}

void Tracker::forget_old(Time now) {
  const Time keep = std::clamp(interval_ * 3 / 2, kKeep, kKeepMost);
  const Time tentative_keep = std::max(kTentativeKeep, interval_ * 3 / 2);
  std::erase_if(items_, [&](const Item &item) {
    return now - item.track.last_seen > (item.track.confirmed ? keep : tentative_keep);
  });
}

// Matches the tracks of one stage with the detections and takes out those that found one.
void Tracker::match(Time now, Stage stage, std::vector<const Detection *> &unmatched) {
  std::vector<Item *> candidates;
  for (Item &item : items_)
    if (!item.seen && item.track.confirmed == (stage != Stage::kTentative))
      candidates.push_back(&item);
  if (candidates.empty() || unmatched.empty())
    return;

  // False alarms flash here and there: a wide reach would make them the walk of somebody.
  const Time longest = stage == Stage::kTentative ? interval_ : Time::max();
  std::vector<double> gains;
  gains.reserve(candidates.size() * unmatched.size());
  for (const Item *item : candidates) {
    const Time gap = std::min(now - item->track.last_seen, longest);
    for (const Detection *detection : unmatched)
      gains.push_back(item->track.label == detection->label
                          ? likeness(item->track.box, item->last_box, detection->box, gap)
                          : 0);
  }
  const std::vector<int> columns = assign(gains, candidates.size(), unmatched.size());
  for (std::size_t row = 0; row < candidates.size(); row++)
    if (columns[row] != kUnassigned)
      extend(now, *candidates[row], *std::exchange(unmatched[columns[row]], nullptr));
  std::erase(unmatched, nullptr);
}

void Tracker::extend(Time now, Item &item, const Detection &detection) {
  item.motion.correct(now, detection.box, frame_);
  item.track.box = item.motion.box();
  item.last_box = item.track.box;
  item.track.last_seen = now;
  item.seen = true;
  if (!detection.weak)
    item.evidence = std::min(item.evidence + interval_, kConfirm);
  item.track.confirmed = item.track.confirmed || item.evidence >= kConfirm;
}

void Tracker::begin(Time now, const Detection &detection) {
  Item item{
      {},  Motion(now, detection.box, frame_), std::min(interval_, kConfirm), detection.box, now,
      true};
  item.track.id = ++last_id_;
  item.track.label = detection.label;
  item.track.box = detection.box;
  item.track.last_seen = now;
  item.track.confirmed = item.evidence >= kConfirm;
  items_.push_back(std::move(item));
}

void Tracker::make_room() {
  if (items_.size() <= kMost)
    return;
  std::vector<std::size_t> order(items_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return items_[a].track.last_seen > items_[b].track.last_seen;
  });
  order.resize(kMost);
  std::sort(order.begin(), order.end());
  std::vector<Item> rest;
  for (std::size_t index : order)
    rest.push_back(std::move(items_[index]));
  items_ = std::move(rest);
}

// Whoever is not seen and should be half out of the frame has left it.
bool Tracker::is_gone(const Item &item) const {
  const Box &box = item.track.box;
  return box.centre_x() < 0 || box.centre_x() > frame_.width || box.centre_y() < 0 ||
         box.centre_y() > frame_.height;
}

// How long a track that is not seen still counts. At few frames a second that bridges one frame, so
// that a detector that flickers does not halve the count; with seconds between frames nothing is
// bridged, for whoever is gone may be anywhere. And none is held for longer than it was seen.
Time Tracker::hold_of(const Item &item) const {
  const Time longest = std::clamp(interval_ * 5 / 4, kHold, kHoldMost);
  return std::min(longest, item.track.last_seen - item.first_seen);
}

void Tracker::publish(Time now) {
  tracks_.clear();
  for (Item &item : items_) {
    item.track.present = item.track.confirmed && now - item.track.last_seen <= hold_of(item);
    item.track.speed = item.motion.speed();
    tracks_.push_back(item.track);
  }
}

}  // namespace npc::count
