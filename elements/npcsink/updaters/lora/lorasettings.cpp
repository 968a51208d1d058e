// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading of the URI of a lora updater.
#include "npcsink/updaters/lora/lorasettings.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <string_view>

#include "base/name.h"

namespace npc::sink {
namespace {

using std::chrono::seconds;

// Of the air, for one camera: twenty of them load a channel by 5 %, of which few frames collide.
constexpr int kLoadDivisor = 400;
constexpr seconds kPeriodStep{30};
constexpr int kMostPeriod = 16384;  // s

seconds default_period(const lora::Modulation &modulation, std::size_t bytes) {
  const auto least =
      std::chrono::ceil<seconds>(kLoadDivisor * lora::time_on_air(modulation, bytes));
  return (least + kPeriodStep - seconds(1)) / kPeriodStep * kPeriodStep;
}

std::vector<std::string> read_lines(const Uri &uri) {
  std::vector<std::string> lines;
  const std::string text = uri.parameter("lines", "");
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view name = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    if (!is_name(name) || std::find(lines.begin(), lines.end(), name) != lines.end())
      throw UriError(uri.text, "lines must be names of lines, each once, as in lines=door,exit");
    lines.emplace_back(name);
  }
  return lines;
}

std::string file_of(const Uri &uri, const std::string &name, const std::string &use) {
  std::string path = uri.file_parameter(name);
  if (path.empty())
    throw UriError(uri.text, name + " is missing; write the path of " + use);
  return path;
}

}  // namespace

LoraSettings read_lora_settings(const Uri &uri) {
  uri.allow_parameters({"ack", "bandwidth", "board", "camera", "frequency", "gpio-chip", "history",
                        "key-file", "lines", "period", "pins", "power", "region", "sf",
                        "state-file"});
  LoraSettings settings;
  settings.radio = lora::read_radio(uri);
  settings.lines = read_lines(uri);
  settings.key_file = file_of(uri, "key-file", "the file with the key of this camera");
  settings.state_file = file_of(uri, "state-file", "a file that keeps what must outlive a restart");
  if (!uri.parameters.contains("camera"))
    throw UriError(uri.text, "camera is missing; write its number at the gateway, 1 to 255");
  lora::SenderSettings &sender = settings.sender;
  sender.camera = static_cast<std::uint8_t>(lora::number_parameter(uri, "camera", 1, 1, 255));
  sender.modulation = settings.radio.plan.modulation;
  sender.lines = settings.lines.size();
  sender.history = static_cast<std::size_t>(lora::number_parameter(uri, "history", 1, 0, 3));
  sender.ack = lora::number_parameter(uri, "ack", 1, 0, 1) == 1;
  sender.seed = std::random_device{}();
  // Of the length of windows nothing is known yet.
  sender.window_ms = 1000;
  sender.period = seconds(1);
  lora::check(uri, lora::check_settings(sender));
  lora::RadioPlan &plan = settings.radio.plan;
  plan.most_bytes = lora::most_frame_bytes(sender);
  const auto standard = default_period(sender.modulation, plan.most_bytes);
  sender.period = seconds(
      lora::number_parameter(uri, "period", static_cast<int>(standard.count()), 1, kMostPeriod));
  plan.period = sender.period;
  sender.duty = lora::check_radio(uri, settings.radio);
  return settings;
}

}  // namespace npc::sink
