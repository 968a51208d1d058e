// SPDX-License-Identifier: LGPL-2.1-or-later
// The state of what is stored, and after it the frames that may not be.
#include "npcsrc/receivers/lora/statefile.h"

#include "base/statefile.h"

namespace npc::source {
namespace {

// Of 255 cameras with eight boots of a thousand holes each, it has less.
constexpr std::size_t kMostState = 64 << 20;
constexpr std::string_view kFrames = "npc-lora-frames";

bool read(const std::string &text, lora::Receiver &receiver, std::vector<lora::KeptFrame> *frames) {
  const std::size_t middle = text.find(kFrames);
  return middle != std::string::npos &&
         lora::read_frames(std::string_view(text).substr(middle), frames) &&
         receiver.restore(std::string_view(text).substr(0, middle)).is_ok();
}

}  // namespace

Status load_lora_state(const std::string &path, lora::Receiver &receiver,
                       std::vector<lora::KeptFrame> *frames) {
  frames->clear();
  return load_state(path,
                    {"npcsrc", "What cameras send again over LoRa is handed on twice", kMostState},
                    [&](const std::string &text) { return read(text, receiver, frames); });
}

Status save_lora_state(const std::string &path, const lora::Receiver &receiver) {
  return save_state(path, receiver.state() + lora::write_frames(receiver.unstored()),
                    "Nothing is acknowledged over LoRa until it can be, so cameras keep their "
                    "counts");
}

}  // namespace npc::source
