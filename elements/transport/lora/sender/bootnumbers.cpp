// SPDX-License-Identifier: LGPL-2.1-or-later
// Boot numbers and their state file:
//
//   npc-lora-boots 1
//   next NUMBER
//   boot NUMBER FIRST-SEQ BOOT
//   end
#include "transport/lora/sender/bootnumbers.h"

#include <algorithm>
#include <sstream>

#include "transport/lora/frame/frame.h"

namespace npc::lora {
namespace {

constexpr std::uint32_t kMostNumber = 0xffff;
constexpr std::size_t kMostName = 64;

}  // namespace

std::uint64_t BootNumbers::Stretch::base() const {
  return first_seq / kNoSeq * kNoSeq;
}

const BootNumbers::Stretch *BootNumbers::find(std::string_view boot, std::uint64_t seq) const {
  const auto found = std::find_if(
      stretches_.rbegin(), stretches_.rend(),
      [&](const Stretch &stretch) { return stretch.boot == boot && seq >= stretch.first_seq; });
  return found != stretches_.rend() && seq - found->base() < kNoSeq ? &*found : nullptr;
}

const BootNumbers::Stretch *BootNumbers::find(std::uint32_t id) const {
  const auto found = std::find_if(stretches_.begin(), stretches_.end(),
                                  [id](const Stretch &stretch) { return stretch.id == id; });
  return found == stretches_.end() ? nullptr : &*found;
}

const BootNumbers::Stretch *BootNumbers::with_number(std::uint16_t number) const {
  const auto found =
      std::find_if(stretches_.begin(), stretches_.end(),
                   [number](const Stretch &stretch) { return stretch.number == number; });
  return found == stretches_.end() ? nullptr : &*found;
}

const BootNumbers::Stretch *BootNumbers::begin(std::string_view boot, std::uint64_t first_seq) {
  if (next_number_ > kMostNumber)
    return nullptr;
  stretches_.push_back(
      {next_id_++, static_cast<std::uint16_t>(next_number_++), std::string(boot), first_seq});
  if (stretches_.size() > kMost)
    stretches_.pop_front();
  return &stretches_.back();
}

bool BootNumbers::jump_past(std::uint16_t number) {
  const std::uint32_t next = std::max<std::uint32_t>(next_number_, number + 1u);
  if (next + stretches_.size() > kMostNumber + 1)
    return false;
  next_number_ = next;
  for (Stretch &stretch : stretches_)
    stretch.number = static_cast<std::uint16_t>(next_number_++);
  return true;
}

std::string BootNumbers::state() const {
  std::string text = "npc-lora-boots 1\nnext " + std::to_string(next_number_) + "\n";
  for (const Stretch &stretch : stretches_)
    text += "boot " + std::to_string(stretch.number) + " " + std::to_string(stretch.first_seq) +
            " " + stretch.boot + "\n";
  return text + "end\n";
}

Status BootNumbers::restore(std::string_view text) {
  const Status damaged =
      Status::failed("The state of the LoRa sender is damaged, or of another version.");
  std::istringstream input{std::string(text)};
  std::string word, version;
  BootNumbers read;
  if (!(input >> word >> version) || word != "npc-lora-boots" || version != "1" ||
      !(input >> word >> read.next_number_) || word != "next" || read.next_number_ < 1 ||
      read.next_number_ > kMostNumber + 1)
    return damaged;
  while (input >> word && word == "boot") {
    Stretch stretch;
    stretch.id = read.next_id_++;
    if (!(input >> stretch.number >> stretch.first_seq >> stretch.boot) ||
        stretch.number >= read.next_number_ || stretch.boot.size() > kMostName ||
        read.stretches_.size() >= kMost ||
        (!read.empty() && stretch.number <= read.newest().number))
      return damaged;
    read.stretches_.push_back(std::move(stretch));
  }
  if (word != "end" || input >> word)
    return damaged;
  *this = std::move(read);
  return {};
}

}  // namespace npc::lora
