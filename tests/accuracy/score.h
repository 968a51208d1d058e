// SPDX-License-Identifier: LGPL-2.1-or-later
// How far counts are from the truth, window by window.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "accuracy/crossings.h"
#include "accuracy/truth.h"

namespace npc::accuracy {

// What a counter said about the frames first to last - 1 of a clip.
struct Window {
  int first = 0;
  int last = 0;
  Counts counted;
  Counts truth;
};

// The error of one of the record's numbers over the windows.
struct Error {
  double mean_absolute = 0;
  double bias = 0;        // mean of counted - true
  double exact = 0;       // share of windows without error, 0 to 1
  double within_one = 0;  // share of windows with an error of at most 1
};

// The median as npccount defines it: of an even number of values the mean of the middle two,
// rounded half up. 0 if there are none.
int median(std::vector<int> values);

// The median of people and of moving in the frames first to last - 1.
Counts median_counts(std::span<const Counts> frames, int first, int last);

// Windows of `length` frames from the first frame on, each with the median of `frames`; the last
// one takes what remains.
std::vector<Window> cut_windows(std::span<const Counts> frames, int length);

// Fills in each window's truth: the median over the same frames.
void compare(std::vector<Window> &windows, std::span<const Counts> truth);

Error error_of(std::span<const Window> windows, int Counts::*number);

// What is wrong with a mean absolute error, as sentences: that it is above the limit, or not below
// that of the original algorithm, if that is known. Empty if nothing is.
std::string complaint(double error, double limit, std::optional<double> original);

// The same of crossings: that fewer are right than `least_f1`, or that the share of phantoms is not
// below `phantoms`.
std::string complaint(const CrossingScore &score, std::optional<double> least_f1,
                      std::optional<double> phantoms);

// The frames of the clip that lie in a window.
int covered_frames(std::span<const Window> windows);

}  // namespace npc::accuracy
