// SPDX-License-Identifier: LGPL-2.1-or-later
// On which of two sides something is, once it has stayed there for long enough.
#include "npccount/core/debouncer.h"

namespace npc::count {
namespace {

// Parts of a step are rounded to whole ns; that must not decide.
constexpr Time kRounding = std::chrono::microseconds(1);
// A band of no width would divide by zero.
constexpr double kThinnest = 1e-3;

Side side_of(double position) {
  return position < -1 ? Side::kA : position > 1 ? Side::kB : Side::kNone;
}

// The edge of the band on that side.
double edge_of(Side side) {
  return side == Side::kA ? -1 : 1;
}

}  // namespace

Debouncer::Settled Debouncer::move(Time now, double position, Time settle) {
  const Time step = started_ ? now - time_ : Time::zero();
  const double from = started_ ? position_ : position;
  started_ = true;
  time_ = now;
  position_ = position;

  Settled settled;
  const Side first = side_of(from), last = side_of(position);
  if (first == last) {
    settled.after = stay(last, 1, step, settle);
    return settled;
  }
  if (first != Side::kNone)
    settled.before = stay(first, (edge_of(first) - from) / (position - from), step, settle);
  // Across the band to the other side, or into it.
  side_ = Side::kNone;
  settled.after = stay(
      last, last == Side::kNone ? 0 : (position - edge_of(last)) / (position - from), step, settle);
  return settled;
}

// Stays on a side for a share of the step. Returns the side if it is settled there.
Side Debouncer::stay(Side side, double share, Time step, Time settle) {
  if (side != side_) {
    side_ = side;
    stayed_ = Time::zero();
  }
  stayed_ += Time(static_cast<Time::rep>(share * static_cast<double>(step.count())));
  return stayed_ + kRounding < settle ? Side::kNone : side;
}

double half_band(const std::optional<double> &band, double height, const FrameSize &frame) {
  return std::max(band ? *band * frame.height : kBandShare * height, kThinnest);
}

}  // namespace npc::count
