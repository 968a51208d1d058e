// SPDX-License-Identifier: LGPL-2.1-or-later
// Lines of strangers: records as JSON, and messages of the first No-picture Camera.
#include "npcsrc/receivers/lines.h"

#include <gst/npc/npccounts.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <memory>
#include <random>

#include "base/name.h"

namespace npc::source {
namespace {

// A process that makes up cameras would fill the memory.
constexpr std::size_t kMostCameras = 4096;

std::string random_boot() {
  std::random_device random;
  char digits[17];
  std::snprintf(digits, sizeof(digits), "%08x%08x", random(), random());
  return digits;
}

std::string_view take_word(std::string_view &text) {
  constexpr std::string_view kSpace = " \t\r";
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(kSpace));
  text.remove_prefix(word.size());
  return word;
}

std::optional<unsigned> take_number(std::string_view &text) {
  const std::string_view word = take_word(text);
  unsigned number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size())
    return std::nullopt;
  return number;
}

// See lora::boot_name(). Records of a radio are merged where there is little time to send.
constexpr std::string_view kRadioBoot = "lora-";

}  // namespace

std::optional<Arrival> read_record(std::string_view line, std::string &error) {
  g_autoptr(GError) refused = nullptr;
  g_autoptr(GstNpcCounts) counts =
      gst_npc_counts_from_json(line.data(), static_cast<gssize>(line.size()), &refused);
  if (counts == nullptr) {
    error = refused->message;
    return std::nullopt;
  }
  g_autofree gchar *json = gst_npc_counts_to_json(counts);
  Arrival arrival;
  arrival.id = {{counts->site, counts->camera, counts->boot}, counts->seq};
  arrival.json = json;
  arrival.time = std::chrono::milliseconds(counts->time);
  arrival.interval = std::chrono::milliseconds(counts->interval);
  // Another gateway had it from the radio, and says itself what is missing there.
  if (std::string_view(counts->boot).starts_with(kRadioBoot))
    arrival.windows = 0;
  return arrival;
}

std::optional<Arrival> ClassicReader::read(std::string_view message, std::string &error) {
  std::string_view rest = message;
  const std::string camera(take_word(rest));
  const auto people = take_number(rest), moving = take_number(rest), faces = take_number(rest);
  if (!people || !moving || !faces || !take_word(rest).empty() || !is_name(camera)) {
    error = "The line is neither a record nor <camera> <people> <moving> <faces>.";
    return std::nullopt;
  }
  if (boot_.empty() || (next_.size() >= kMostCameras && !next_.contains(camera))) {
    boot_ = random_boot();
    next_.clear();
  }
  const std::uint64_t seq = next_[camera]++;
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  const std::string people_text = std::to_string(*people);
  const std::string json =
      R"({"version":1,"site":")" + site_ + R"(","camera":")" + camera + R"(","boot":")" + boot_ +
      R"(","seq":)" + std::to_string(seq) + R"(,"time":)" + std::to_string(now.count()) +
      R"(,"interval":0,"people":)" + people_text + R"(,"people_max":)" + people_text +
      R"(,"moving":)" + std::to_string(*moving) + R"(,"faces":)" + std::to_string(*faces) + "}";
  return read_record(json, error);
}

}  // namespace npc::source
