// SPDX-License-Identifier: LGPL-2.1-or-later
// The state of a gateway as text, a line for each thing:
//
//   npc-lora 1
//   camera NUMBER KEY-ID
//   boot NUMBER TAG START LINES-KNOWN LINES-SEEN WINDOWS REUSED LISTENS ANCHOR-SEQ ANCHOR-TIME
//   FIRST-LAST,… line NUMBER BOOT NEXT-SEQ IN OUT UNREPORTED-IN UNREPORTED-OUT end
//
// where - stands for what is not there.
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "transport/lora/receiver/receiver.h"

namespace npc::lora {
namespace {

constexpr std::string_view kFirstLine = "npc-lora 1", kLastLine = "end";

/// Takes words from the front of a line.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}

  std::string_view next() {
    const std::size_t space = std::min(rest_.find(' '), rest_.size());
    const std::string_view word = rest_.substr(0, space);
    rest_.remove_prefix(std::min(space + 1, rest_.size()));
    ok_ &= !word.empty();
    return word;
  }

  template <typename Number>
  Number number(Number least, Number most) {
    return in_range(next(), least, most);
  }

  template <typename Number>
  std::optional<Number> maybe(Number least, Number most) {
    const std::string_view word = next();
    if (word == "-")
      return std::nullopt;
    return in_range(word, least, most);
  }

  template <typename Number>
  Number in_range(std::string_view word, Number least, Number most) {
    Number value = least;
    const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), value);
    ok_ &= failure == std::errc() && end == word.data() + word.size() && value >= least &&
           value <= most;
    return ok_ ? value : least;
  }

  void fail() { ok_ = false; }
  bool are_over() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

template <typename Number>
std::string text_of(const std::optional<Number> &number) {
  return number ? std::to_string(*number) : "-";
}

std::string text_of(const Ranges &ranges) {
  std::string text;
  for (const Range &range : ranges.list())
    text += (text.empty() ? "" : ",") + std::to_string(range.from) + "-" + std::to_string(range.to);
  return text.empty() ? "-" : text;
}

using LineFlags = std::array<bool, kMostLines>;

unsigned bits_of(const LineFlags &flags) {
  unsigned bits = 0;
  for (std::size_t i = 0; i < flags.size(); ++i)
    bits |= static_cast<unsigned>(flags[i]) << i;
  return bits;
}

LineFlags read_bits(Words *words) {
  const auto bits = words->number<unsigned>(0, (1u << kMostLines) - 1);
  LineFlags flags{};
  for (std::size_t i = 0; i < flags.size(); ++i)
    flags[i] = (bits >> i & 1) != 0;
  return flags;
}

void append(const CameraState &state, std::string *text) {
  for (const auto &[number, boot] : state.boots) {
    *text +=
        "boot " + std::to_string(number) + " " + text_of(boot.tag) + " " +
        std::to_string(boot.start) + " " + std::to_string(bits_of(boot.lines_known)) + " " +
        std::to_string(bits_of(boot.lines_seen)) + " " + std::to_string(boot.windows) + " " +
        std::to_string(boot.reused) + " " + std::to_string(boot.listens) + " " +
        (boot.anchor ? std::to_string(boot.anchor->seq) + " " + std::to_string(boot.anchor->time_ms)
                     : "- -") +
        " " + text_of(boot.covered) + "\n";
  }
  for (std::size_t i = 0; i < kMostLines; ++i) {
    if (const auto &line = state.lines[i])
      *text += "line " + std::to_string(i) + " " + std::to_string(line->boot) + " " +
               std::to_string(line->next_seq) + " " + std::to_string(line->in) + " " +
               std::to_string(line->out) + " " + std::to_string(line->unreported_in) + " " +
               std::to_string(line->unreported_out) + "\n";
  }
}

Ranges read_ranges(Words *words) {
  Ranges ranges;
  std::string_view rest = words->next();
  if (rest == "-")
    return ranges;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view range = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const std::size_t dash = std::min(range.find('-'), range.size());
    const auto first = words->in_range<std::uint32_t>(range.substr(0, dash), 0, kNoSeq - 1);
    const auto last = words->in_range<std::uint32_t>(range.substr(std::min(dash + 1, range.size())),
                                                     first, kNoSeq - 1);
    if (!ranges.empty() && first <= ranges.last() + 1)
      words->fail();
    ranges.add({first, last});
  }
  return ranges;
}

bool read_boot(Words words, CameraState *state) {
  const auto number = words.number<std::uint16_t>(0, 0xffff);
  BootState boot;
  boot.tag = words.maybe<std::uint16_t>(0, 0xffff);
  boot.start = words.number<std::uint32_t>(0, kNoSeq - 1);
  boot.lines_known = read_bits(&words);
  boot.lines_seen = read_bits(&words);
  boot.windows = words.number<std::uint32_t>(1, 16u << 15);
  boot.reused = words.number<int>(0, 1) != 0;
  boot.listens = words.number<int>(0, 1) != 0;
  const auto seq = words.maybe<std::uint32_t>(0, kNoSeq - 1);
  // Microseconds of any such time are still a number.
  constexpr std::int64_t kMostTime = std::numeric_limits<std::int64_t>::max() / 4000;
  const auto time = words.maybe<std::int64_t>(-kMostTime, kMostTime);
  if (seq && time)
    boot.anchor = {*seq, *time};
  boot.covered = read_ranges(&words);
  return words.are_over() && seq.has_value() == time.has_value() &&
         boot.covered.list().size() <= CameraState::kMostRanges &&
         state->boots.emplace(number, std::move(boot)).second &&
         !state->is_stale(state->boots.begin()->first);
}

bool read_line(Words words, CameraState *state) {
  constexpr std::uint64_t kMostTotal = std::numeric_limits<std::uint64_t>::max() / 4;
  const auto number = words.number<std::size_t>(0, kMostLines - 1);
  CameraState::LineState line;
  line.boot = words.number<std::uint16_t>(0, 0xffff);
  line.next_seq = words.number<std::uint32_t>(0, kNoSeq);
  for (std::uint64_t *total : {&line.in, &line.out, &line.unreported_in, &line.unreported_out})
    *total = words.number<std::uint64_t>(0, kMostTotal);
  if (!words.are_over() || state->lines[number])
    return false;
  state->lines[number] = line;
  return true;
}

using States = std::map<std::uint8_t, CameraState>;

bool read_camera(Words words, States *states, CameraState **current) {
  const auto number = static_cast<std::uint8_t>(words.number<int>(1, 255));
  const std::string id(words.next());
  const auto [added, is_new] = states->try_emplace(number);
  *current = &added->second;
  if (id != "-")
    added->second.key_id = id;
  return words.are_over() && is_new && id.size() <= 16;
}

/// Whether all of it is as append() writes it.
bool read_states(std::string_view text, States *states) {
  CameraState *current = nullptr;
  bool has_begun = false, is_over = false;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos || is_over)
      return false;
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (!has_begun) {
      has_begun = line == kFirstLine;
      if (!has_begun)
        return false;
      continue;
    }
    if (line == kLastLine) {
      is_over = true;
      continue;
    }
    Words words(line);
    const std::string_view what = words.next();
    const bool ok = what == "camera" ? read_camera(words, states, &current)
                    : !current       ? false
                    : what == "boot" ? read_boot(words, current)
                                     : what == "line" && read_line(words, current);
    if (!ok)
      return false;
  }
  return is_over;
}

}  // namespace

std::string Receiver::state() const {
  std::string text(kFirstLine);
  text += "\n";
  for (const auto &[number, link] : links_) {
    text += "camera " + std::to_string(number) + " " +
            (link.stored.key_id.empty() ? "-" : link.stored.key_id) + "\n";
    append(link.stored, &text);
  }
  text += kLastLine;
  return text + "\n";
}

Status Receiver::restore(std::string_view text) {
  States states;
  if (!read_states(text, &states))
    return Status::failed("The state of the LoRa receiver is damaged, or of another version.");
  for (auto &[number, link] : links_) {
    const auto found = states.find(number);
    link.stored = found == states.end() ? CameraState() : std::move(found->second);
    link.live = link.stored;
  }
  unstored_.clear();
  stored_ticket_ = last_ticket_;
  return {};
}

}  // namespace npc::lora
