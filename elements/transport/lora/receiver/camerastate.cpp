// SPDX-License-Identifier: LGPL-2.1-or-later
// The rules by which frames become records: each window once, each crossing once.
#include "transport/lora/receiver/camerastate.h"

#include <algorithm>
#include <cstdlib>

namespace npc::lora {
namespace {

// Clocks of camera and gateway may drift from one another by so much between two frames.
constexpr std::int64_t kDrift = 2000;  // ms
// So much of a difference is believed at once: a frame waits in its radio now longer, now shorter.
constexpr std::int64_t kSmoothing = 16;

struct Part {
  Range windows;
  BlockPeople people;
  bool is_own;
};

/// The blocks that a frame says something about, the oldest first.
std::vector<Part> parts_of(const CountsFrame &frame) {
  const std::uint32_t first = frame.head.seq + 1 - frame.windows;
  std::vector<Part> parts = {{{first, frame.head.seq}, frame.people, true}};
  for (std::size_t i = 0; i < frame.history.size(); ++i) {
    const std::uint64_t before = (i + 1) * std::uint64_t{frame.windows};
    if (before > first)
      break;
    const auto begin = static_cast<std::uint32_t>(first - before);
    parts.push_back({{begin, begin + frame.windows - 1}, frame.history[i], false});
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

/// When the frame's last window ended. The age is exact to a tenth of a second in new frames, and
/// to hours in very old ones: the anchor of their boot knows better.
std::int64_t end_of(const CountsFrame &frame, std::int64_t began_ms, BootState *state) {
  const CodedAge age = coded_age(frame.age_ms);
  const std::int64_t said = began_ms - static_cast<std::int64_t>(frame.age_ms);
  const std::uint32_t seq = frame.head.seq;
  std::optional<BootState::Anchor> &anchor = state->anchor;
  if (!anchor) {
    anchor = {seq, said};
    return said;
  }
  const std::int64_t expected =
      anchor->time_ms + (std::int64_t{seq} - anchor->seq) * frame.window_ms;
  const std::int64_t step = static_cast<std::int64_t>(age.step_ms);
  const bool fits = std::abs(said - expected) <= std::max(kDrift, 2 * step);
  const std::int64_t end = !fits        ? said
                           : step > 100 ? expected
                                        : expected + (said - expected) / kSmoothing;
  if (seq > anchor->seq && step <= 100)
    anchor = {seq, end};
  return end;
}

bool is_before(const CameraState::LineState &line, std::uint16_t boot, std::uint32_t next_seq) {
  return line.boot < boot || (line.boot == boot && line.next_seq < next_seq);
}

}  // namespace

bool CameraState::is_stale(std::uint16_t boot) const {
  return !boots.empty() && int{boot} <= int{newest_boot()} - kMostBoots;
}

bool CameraState::listens(std::uint16_t boot) const {
  const auto state = boots.find(boot);
  return state != boots.end() && state->second.listens;
}

bool CameraState::is_known(const CountsFrame &frame) const {
  const auto state = boots.find(frame.head.boot);
  if (state == boots.end())
    return false;
  if (state->second.reused)
    return true;
  const std::vector<Part> parts = parts_of(frame);
  return std::all_of(parts.begin(), parts.end(), [&state](const Part &part) {
    return state->second.covered.covers(part.windows);
  });
}

bool CameraState::has_hole_before(const CountsFrame &frame) const {
  const auto state = boots.find(frame.head.boot);
  if (state == boots.end() || state->second.covered.empty())
    return true;
  const Range &first = state->second.covered.list().front();
  const std::uint64_t reach = frame.history.size() * std::uint64_t{frame.windows};
  return first.from > 0 || first.to + reach < state->second.covered.last();
}

BootState &CameraState::boot_state(std::uint16_t boot, Reception *reception) {
  BootState &state = boots[boot];
  while (is_stale(boots.begin()->first)) {
    for (const Range &hole : boots.begin()->second.covered.holes())
      reception->events.push_back({Event::Kind::kLost, boots.begin()->first, hole});
    boots.erase(boots.begin());
  }
  return state;
}

void CameraState::give_up(std::uint16_t boot, BootState *state, Range windows,
                          Reception *reception) {
  for (const Range &hole : state->covered.uncovered(windows))
    reception->events.push_back({Event::Kind::kLost, boot, hole});
  state->covered.add(windows);
}

void CameraState::take_totals(const CountsFrame &frame, const BootState &state,
                              ReceivedBlock *block) {
  for (std::size_t i = 0; i < frame.lines.size(); ++i) {
    const std::size_t number = frame.first_line + i;
    std::optional<LineState> &line = lines[number];
    // Without the boot's hello nobody knows whether totals went on, or began anew.
    if (!state.lines_known[number] || !line)
      continue;
    const LineTotals &said = frame.lines[i];
    ReceivedLine received;
    received.number = number;
    if (is_before(*line, frame.head.boot, frame.head.seq + 1)) {
      const std::uint64_t in = (said.in - line->in) & 0xffff, out = (said.out - line->out) & 0xffff;
      received.in = in + line->unreported_in;
      received.out = out + line->unreported_out;
      received.in_total = line->in + in;
      received.out_total = line->out + out;
      line = {frame.head.boot, frame.head.seq + 1, received.in_total, received.out_total, 0, 0};
    } else {
      // A late one: its crossings were published with a newer one.
      received.in_total = line->in - std::min((line->in - said.in) & 0xffff, line->in);
      received.out_total = line->out - std::min((line->out - said.out) & 0xffff, line->out);
    }
    block->lines.push_back(received);
  }
}

void CameraState::publish(const CountsFrame &frame, Range windows, const BlockPeople &people,
                          bool is_own, std::int64_t end_ms, Reception *reception) {
  BootState &state = boots[frame.head.boot];
  // A camera merges blocks that it has sent before: what came of them then is not published again.
  for (const Range &part : state.covered.uncovered(windows)) {
    ReceivedBlock block;
    block.boot = frame.head.boot;
    block.seq = static_cast<std::uint32_t>(part.to);
    block.windows = static_cast<std::uint32_t>(part.size());
    block.interval_ms = std::uint64_t{block.windows} * frame.window_ms;
    block.time_ms = end_ms - std::int64_t{frame.head.seq - block.seq} * frame.window_ms;
    block.people = people;
    block.flags = is_own ? frame.flags : 0;
    if (is_own && part == state.covered.uncovered(windows).back())
      take_totals(frame, state, &block);
    reception->blocks.push_back(block);
  }
  state.covered.add(windows);
}

Reception CameraState::apply(const CountsFrame &frame, std::int64_t began_ms) {
  Reception reception;
  if (is_stale(frame.head.boot) || is_known(frame))
    return reception;
  BootState &state = boot_state(frame.head.boot, &reception);
  state.listens |= frame.head.wanted;
  const bool is_start = state.covered.empty() || state.covered.last() < state.start;
  const std::uint64_t next = state.covered.empty() ? state.start : state.covered.last() + 1;
  if (state.covered.empty() || frame.head.seq > state.covered.last())
    state.windows = frame.windows;
  std::fill_n(state.lines_seen.begin() + frame.first_line, frame.lines.size(), true);
  const std::int64_t end = end_of(frame, began_ms, &state);
  for (const Part &part : parts_of(frame))
    publish(frame, part.windows, part.people, part.is_own, end, &reception);
  if (!reception.blocks.empty()) {
    const ReceivedBlock &first = reception.blocks.front();
    const std::uint64_t from = first.seq + 1 - first.windows;
    // Before a hello, what came first is taken for the beginning.
    if (from > next && (state.tag || next > 0))
      reception.events.push_back({Event::Kind::kGap, frame.head.boot, {next, from - 1}, is_start});
  }
  if (state.covered.list().size() > kMostRanges)
    give_up(frame.head.boot, &state, state.covered.holes().front(), &reception);
  return reception;
}

Reception CameraState::apply(const HelloFrame &frame) {
  Reception reception;
  const std::uint16_t boot = frame.head.boot;
  if (is_stale(boot))
    return reception;
  BootState &state = boot_state(boot, &reception);
  state.listens |= frame.head.wanted;
  if (state.tag && *state.tag != frame.boot_tag) {
    if (!state.reused)
      reception.events.push_back({Event::Kind::kBootReused, boot, {}});
    state.reused = true;
    return reception;
  }
  const std::uint32_t start = frame.head.seq;
  if (!state.tag && !state.covered.empty() && state.covered.first() > start)
    reception.events.push_back({Event::Kind::kGap, boot, {start, state.covered.first() - 1}, true});
  // What is before a boot's first hello was never meant to come: it is not lost.
  if (start > state.start) {
    if (state.tag)
      give_up(boot, &state, {0, start - 1}, &reception);
    state.covered.add({0, start - 1});
    state.start = start;
  }
  state.tag = frame.boot_tag;
  for (std::size_t i = 0; i < frame.lines.size(); ++i) {
    const LineTotals &said = frame.lines[i];
    std::optional<LineState> &line = lines[frame.first_line + i];
    state.lines_known[frame.first_line + i] = true;
    if (line && !is_before(*line, boot, start))
      continue;
    LineState next = {boot, start, said.in, said.out, 0, 0};
    if (line && said.in >= line->in && said.out >= line->out) {
      next.unreported_in = line->unreported_in + (said.in - line->in);
      next.unreported_out = line->unreported_out + (said.out - line->out);
    } else if (line) {
      next.unreported_in = line->unreported_in;
      next.unreported_out = line->unreported_out;
      reception.events.push_back({Event::Kind::kTotalsReset, boot, {}});
    }
    line = next;
  }
  return reception;
}

AckFrame CameraState::ack_of(std::uint16_t boot) const {
  AckFrame ack;
  ack.head.boot = boot;
  ack.head.seq = kNoSeq;
  const auto found = boots.find(boot);
  if (found == boots.end()) {
    ack.head.wanted = true;
    return ack;
  }
  const BootState &state = found->second;
  // Whoever uses a number again must jump past it, which an ack for a later one makes it do.
  if (state.reused) {
    ack.head.boot = static_cast<std::uint16_t>(std::min(newest_boot() + 1, 0xffff));
    return ack;
  }
  ack.windows = state.windows;
  ack.head.wanted = !state.tag;
  for (std::size_t i = 0; i < kMostLines; ++i)
    ack.head.wanted |= state.lines_seen[i] && !state.lines_known[i];
  std::uint64_t next = 0;
  if (!state.covered.empty() && state.covered.first() == 0)
    next = state.covered.list().front().to + 1;
  if (next > 0)
    ack.head.seq = static_cast<std::uint32_t>(next - 1);
  for (std::uint32_t bit = 0; bit < kBitmapBits; ++bit) {
    const std::uint64_t first = next + std::uint64_t{bit} * state.windows;
    if (state.covered.empty() || first > state.covered.last())
      break;
    if (state.covered.covers({first, first + state.windows - 1}))
      ack.bitmap |= 1u << bit;
  }
  return ack;
}

}  // namespace npc::lora
