// SPDX-License-Identifier: LGPL-2.1-or-later
// Sums up what the frames of a window of time showed.
#include "npccount/core/window.h"

#include <algorithm>

namespace npc::count {
namespace {

// A reader divides by the length.
constexpr Time kShortest = std::chrono::milliseconds(1);

}  // namespace

FrameCounts count_tracks(std::span<const Track> tracks) {
  FrameCounts counts;
  for (const Track &track : tracks) {
    if (!track.present)
      continue;
    if (track.label == kPersonLabel) {
      counts.people++;
      if (track.speed > kMovingSpeed)
        counts.moving++;
    } else if (track.label == kFaceLabel) {
      counts.faces++;
    } else {
      counts.objects[track.label]++;
    }
  }
  return counts;
}

void Histogram::add(unsigned number) {
  if (number >= times_.size())
    times_.resize(number + 1);
  times_[number]++;
  count_++;
}

unsigned Histogram::at(std::uint64_t rank, std::uint64_t zeros) const {
  std::uint64_t below = zeros;
  unsigned number = 0;
  for (; number < times_.size(); number++) {
    below += times_[number];
    if (rank < below)
      return number;
  }
  return 0;
}

unsigned Histogram::median(std::uint64_t total) const {
  if (total == 0)
    return 0;
  const std::uint64_t zeros = total - count_;
  return (at((total - 1) / 2, zeros) + at(total / 2, zeros) + 1) / 2;
}

void Window::set_length(Time length) {
  next_length_ = length;
  if (!open_)
    length_ = length;
}

std::optional<WindowCounts> Window::advance(Time now) {
  const auto closed = move(now);
  // A silence that ends where a window begins is not of that window.
  if (stalling_ && frames_ == 0 && now <= start_)
    stalled_ = false;
  stalling_ = false;
  return closed;
}

std::optional<WindowCounts> Window::move(Time now) {
  if (!open_)
    return std::nullopt;
  reached_ = std::max(reached_, now);
  if (now - start_ < length_)
    return std::nullopt;
  std::optional<WindowCounts> closed;
  if (frames_ > 0 || stalled_)
    closed = sum_up();
  start_ += length_;
  length_ = next_length_;
  start_ += (now - start_) / length_ * length_;
  clear();
  degraded_ = lost_until_ > start_;
  stalled_ = stalling_;
  return closed;
}

void Window::lose(Time start, Time end) {
  // A loss of unknown length is at least that of a moment.
  end = std::max(end, start + Time(1));
  lost_until_ = std::max(lost_until_, end);
  degraded_ = degraded_ || (open_ && start < this->end() && end > start_);
}

void Window::stall(Time since) {
  if (!open_)
    open(since);
  stalling_ = true;
  stalled_ = stalled_ || since < end();
}

void Window::open(Time start) {
  open_ = true;
  start_ = reached_ = start;
  length_ = next_length_;
  degraded_ = lost_until_ > start_;
}

void Window::add(Time now, Time duration, const FrameCounts &counts) {
  if (!open_)
    open(now);
  reached_ = std::max(reached_, now + duration);
  frames_++;
  people_.add(counts.people);
  moving_.add(counts.moving);
  faces_.add(counts.faces);
  for (const auto &[name, count] : counts.objects) {
    auto known = objects_.find(name);
    if (known == objects_.end() && objects_.size() < kMostObjects)
      known = objects_.emplace(name, Histogram()).first;
    if (known != objects_.end())
      known->second.add(count);
  }
}

std::optional<WindowCounts> Window::finish() {
  std::optional<WindowCounts> closed;
  if (open_ && frames_ > 0) {
    closed = sum_up();
    closed->length = std::clamp(reached_ - start_, std::min(kShortest, length_), length_);
    closed->partial = closed->length < length_;
  }
  reset();
  return closed;
}

void Window::reset() {
  open_ = stalling_ = stalled_ = degraded_ = false;
  lost_until_ = Time::min();
  length_ = next_length_;
  clear();
}

WindowCounts Window::sum_up() const {
  WindowCounts sum;
  sum.start = start_;
  sum.length = length_;
  sum.degraded = degraded_;
  sum.stalled = stalled_;
  sum.people = people_.median(frames_);
  sum.most_people = people_.most();
  sum.moving = moving_.median(frames_);
  sum.faces = faces_.median(frames_);
  for (const auto &[name, tally] : objects_)
    sum.objects.push_back({name, tally.median(frames_)});
  return sum;
}

void Window::clear() {
  frames_ = 0;
  people_ = moving_ = faces_ = Histogram();
  for (auto &[name, tally] : objects_)
    tally = Histogram();
}

}  // namespace npc::count
