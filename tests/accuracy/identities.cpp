// SPDX-License-Identifier: LGPL-2.1-or-later
// CLEAR MOT, frame by frame.
#include "accuracy/identities.h"

#include <algorithm>
#include <vector>

#include "npccount/core/assignment.h"

using namespace npc::count;

namespace npc::accuracy {
namespace {

constexpr double kLeastOverlap = 0.5;

}  // namespace

double Identities::accuracy() const {
  return truth == 0 ? 0 : 1 - static_cast<double>(truth - followed + phantom + switches) / truth;
}

double Identities::followed_share() const {
  return truth == 0 ? 0 : static_cast<double>(followed) / truth;
}

void IdentityScore::add(std::span<const Seen> truth, std::span<const Seen> tracks) {
  frame_++;
  std::vector<const Seen *> people;
  for (const Seen &person : truth)
    people.push_back(&person);
  std::vector<const Seen *> free;
  for (const Seen &track : tracks)
    free.push_back(&track);

  // Two may have had the same track: the one who had it last comes first.
  std::ranges::stable_sort(people, std::greater(), [this](const Seen *person) {
    const auto last = last_.find(person->id);
    return last == last_.end() ? 0 : last->second.frame;
  });
  std::erase_if(people, [&](const Seen *person) {
    const auto last = last_.find(person->id);
    if (last == last_.end())
      return false;
    const auto kept = std::ranges::find_if(free, [&](const Seen *track) {
      return track->id == last->second.track &&
             count::overlap(person->box, track->box) >= kLeastOverlap;
    });
    if (kept == free.end())
      return false;
    follow(*person, **kept);
    free.erase(kept);
    return true;
  });

  // More than any overlap can be: two pairs are better than one, whatever they overlap.
  const auto pair = static_cast<double>(people.size());
  std::vector<double> gains;
  for (const Seen *person : people) {
    for (const Seen *track : free) {
      const double overlap = count::overlap(person->box, track->box);
      gains.push_back(overlap >= kLeastOverlap ? pair + overlap : 0);
    }
  }
  int paired = 0;
  const std::vector<int> columns = count::assign(gains, people.size(), free.size());
  for (std::size_t i = 0; i < people.size(); i++) {
    if (columns[i] == count::kUnassigned)
      continue;
    follow(*people[i], *free[static_cast<std::size_t>(columns[i])]);
    paired++;
  }
  result_.truth += static_cast<int>(truth.size());
  result_.phantom += static_cast<int>(free.size()) - paired;
}

void IdentityScore::follow(const Seen &person, const Seen &track) {
  result_.followed++;
  const auto last = last_.find(person.id);
  if (last != last_.end() && last->second.track != track.id)
    result_.switches++;
  last_[person.id] = {track.id, frame_};
}

}  // namespace npc::accuracy
