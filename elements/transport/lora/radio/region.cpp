// SPDX-License-Identifier: LGPL-2.1-or-later
// Regions and their limits.
#include "transport/lora/radio/region.h"

#include <algorithm>
#include <cstdio>
#include <span>

#include "transport/lora/radio/dutybudget.h"

namespace npc::lora {
namespace {

constexpr std::uint32_t kNoLimit = 1000000;

struct SubBand {
  std::uint32_t low, high;  // Hz
  std::uint32_t duty;       // millionths
  int most_power;           // dBm
};

struct Region {
  std::string_view name;
  std::uint32_t default_frequency;
  std::span<const SubBand> sub_bands;
  int least_bandwidth;              // of a channel that never changes
  std::chrono::milliseconds dwell;  // the longest frame; 0 if any
};

// ERC recommendation 70-03, annex 1. Listening before talking would lift the duty cycle only
// together with changing frequencies, which this does not do.
constexpr SubBand kEurope[] = {
    {865000000, 868000000, 10000, 14}, {868000000, 868600000, 10000, 14},
    {868700000, 869200000, 1000, 14},  {869400000, 869650000, 100000, 27},
    {869700000, 870000000, 10000, 14},
};
// FCC 15.247: narrower signals must hop.
constexpr SubBand kAmerica[] = {{902000000, 928000000, kNoLimit, 30}};
constexpr SubBand kAsia[] = {{920000000, 925000000, 10000, 16}};

constexpr Region kRegions[] = {
    {"eu868", 868100000, kEurope, 0, std::chrono::milliseconds(0)},
    {"us915", 903000000, kAmerica, 500000, std::chrono::milliseconds(0)},
    {"as923", 923200000, kAsia, 0, std::chrono::milliseconds(400)},
};

const Region *find_region(std::string_view name) {
  const auto *found = std::find_if(std::begin(kRegions), std::end(kRegions),
                                   [name](const Region &region) { return region.name == name; });
  return found == std::end(kRegions) ? nullptr : found;
}

std::string in_mhz(std::uint32_t hz) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.4f", hz / 1e6);
  std::string shown = text;
  while (shown.ends_with('0') && !shown.ends_with(".0"))
    shown.pop_back();
  return shown;
}

std::string in_seconds(std::chrono::microseconds time) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f s", static_cast<double>(time.count()) / 1e6);
  return text;
}

std::string name_of(const Modulation &modulation) {
  return "SF" + std::to_string(modulation.spreading_factor) + " at " +
         std::to_string(modulation.bandwidth / 1000) + " kHz";
}

Status check_modulation(const Modulation &modulation) {
  if (modulation.spreading_factor < 7 || modulation.spreading_factor > 12)
    return Status::failed("A LoRa spreading factor is 7 to 12, and not " +
                          std::to_string(modulation.spreading_factor) + ".");
  if (modulation.bandwidth != 125000 && modulation.bandwidth != 250000 &&
      modulation.bandwidth != 500000)
    return Status::failed("A LoRa bandwidth is 125, 250 or 500 kHz.");
  if (modulation.coding_rate < 1 || modulation.coding_rate > 4 || modulation.preamble < 6 ||
      modulation.preamble > 1000)
    return Status::failed("A LoRa coding rate is 1 to 4, and a preamble 6 to 1000 symbols.");
  return {};
}

const SubBand *find_sub_band(const Region &region, const RadioPlan &plan) {
  const auto half = static_cast<std::uint32_t>(plan.modulation.bandwidth / 2);
  for (const SubBand &band : region.sub_bands) {
    if (plan.frequency >= band.low + half && plan.frequency <= band.high - half)
      return &band;
  }
  return nullptr;
}

std::string frequency_error(const Region &region, const RadioPlan &plan) {
  std::string error = "A channel at " + in_mhz(plan.frequency) + " MHz, " +
                      std::to_string(plan.modulation.bandwidth / 1000) +
                      " kHz wide, is not inside what region=" + std::string(region.name) +
                      " allows:";
  for (const SubBand &band : region.sub_bands)
    error += " " + in_mhz(band.low) + " to " + in_mhz(band.high) + " MHz,";
  error.back() = '.';
  return error;
}

/// The most bytes that stay within `longest`; 0 if none do.
std::size_t most_bytes_within(const Modulation &modulation, std::chrono::microseconds longest) {
  std::size_t bytes = 255;
  while (bytes > 0 && time_on_air(modulation, bytes) > longest)
    --bytes;
  return bytes;
}

std::string length_error(const RadioPlan &plan, std::chrono::microseconds longest,
                         const std::string &limit) {
  const std::size_t most = most_bytes_within(plan.modulation, longest);
  return "Frames of " + std::to_string(plan.most_bytes) + " bytes with " +
         name_of(plan.modulation) + " are longer than " + limit + ": " +
         (most == 0 ? "use a smaller spreading factor."
                    : "with it they can have " + std::to_string(most) +
                          " bytes. Use less history or a smaller spreading factor.");
}

}  // namespace

std::uint32_t default_frequency(std::string_view region) {
  const Region *found = find_region(region);
  return found ? found->default_frequency : 0;
}

Status check_region(const RadioPlan &plan, std::uint32_t *duty) {
  const Region *region = find_region(plan.region);
  if (!region)
    return Status::failed("There is no region \"" + plan.region + "\": use eu868, us915 or as923.");
  if (Status status = check_modulation(plan.modulation); !status.is_ok())
    return status;
  if (plan.modulation.bandwidth < region->least_bandwidth)
    return Status::failed("region=" + plan.region + " needs a bandwidth of " +
                          std::to_string(region->least_bandwidth / 1000) +
                          " kHz: narrower signals must change their channel all the time there.");
  const SubBand *band = find_sub_band(*region, plan);
  if (!band)
    return Status::failed(frequency_error(*region, plan));
  if (plan.power > band->most_power)
    return Status::failed(std::to_string(plan.power) + " dBm are more than the " +
                          std::to_string(band->most_power) + " dBm that are allowed at " +
                          in_mhz(plan.frequency) + " MHz.");
  const auto airtime = time_on_air(plan.modulation, plan.most_bytes);
  if (region->dwell.count() > 0 && airtime > region->dwell)
    return Status::failed(length_error(plan, region->dwell,
                                       "the " + std::to_string(region->dwell.count()) +
                                           " ms that region=" + plan.region + " allows"));
  if (airtime > DutyBudget::longest(band->duty))
    return Status::failed(length_error(
        plan, DutyBudget::longest(band->duty),
        "what the duty cycle at " + in_mhz(plan.frequency) + " MHz allows in 6 minutes"));
  const auto shortest = DutyBudget::shortest_period(band->duty, airtime);
  if (plan.period.count() > 0 && plan.period < shortest)
    return Status::failed("Frames of " + std::to_string(plan.most_bytes) + " bytes with " +
                          name_of(plan.modulation) + " can be sent every " + in_seconds(shortest) +
                          " at " + in_mhz(plan.frequency) +
                          " MHz, not more often: use a longer period.");
  *duty = band->duty;
  return {};
}

}  // namespace npc::lora
