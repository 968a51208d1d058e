// SPDX-License-Identifier: LGPL-2.1-or-later
// Received frames as text.
#include "transport/lora/receiver/keptframes.h"

#include <sodium.h>

#include <sstream>
#include <utility>

namespace npc::lora {
namespace {

constexpr std::string_view kBegin = "npc-lora-frames 1\n";

bool read_bytes(const std::string &digits, Bytes *bytes) {
  bytes->resize(kMostBytes);
  std::size_t size = 0;
  const char *end = nullptr;
  if (sodium_hex2bin(bytes->data(), bytes->size(), digits.data(), digits.size(), nullptr, &size,
                     &end) != 0 ||
      end != digits.data() + digits.size())
    return false;
  bytes->resize(size);
  return size > 0;
}

}  // namespace

std::string write_frames(std::span<const KeptFrame> frames) {
  std::string text(kBegin);
  for (const KeptFrame &frame : frames) {
    std::string digits(2 * frame.bytes.size() + 1, '\0');
    sodium_bin2hex(digits.data(), digits.size(), frame.bytes.data(), frame.bytes.size());
    digits.pop_back();
    text += "frame " + std::to_string(frame.began_ms) + " " + std::to_string(frame.rssi) + " " +
            digits + "\n";
  }
  return text + "end\n";
}

bool read_frames(std::string_view text, std::vector<KeptFrame> *frames) {
  if (!text.starts_with(kBegin) || !text.ends_with("end\n"))
    return false;
  std::istringstream input{std::string(text.substr(kBegin.size()))};
  std::vector<KeptFrame> read;
  std::string word, digits;
  while (input >> word && word == "frame") {
    KeptFrame &frame = read.emplace_back();
    if (!(input >> frame.began_ms >> frame.rssi >> digits) || !read_bytes(digits, &frame.bytes))
      return false;
  }
  if (word != "end" || input >> word)
    return false;
  *frames = std::move(read);
  return true;
}

}  // namespace npc::lora
