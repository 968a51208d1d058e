// SPDX-License-Identifier: LGPL-2.1-or-later
// Tells machines apart.
#include "base/machinehash.h"

#include <fcntl.h>
#include <unistd.h>

#include <random>
#include <string_view>

#include "base/openfile.h"
#include "base/shorthash.h"

namespace npc {
namespace {

// More than any machine-id or serial number has.
constexpr std::size_t kMostIdentity = 256;

std::string first_line(const std::string &name) {
  const Opened opened = open_file(name, O_RDONLY);
  const std::string text = read_whole(opened.file, kMostIdentity).value_or("");
  return text.substr(0, text.find_first_of(std::string_view("\n\0", 2)));
}

}  // namespace

std::string machine_hash() {
  // Cards are cloned with their machine-id: the serial number of a Raspberry Pi's chip is not.
  const std::string machine = first_line("/etc/machine-id");
  std::string serial = first_line("/sys/firmware/devicetree/base/serial-number");
  if (machine.empty() && serial.empty()) {
    char host[256] = {};
    gethostname(host, sizeof(host) - 1);
    serial = host[0] != '\0' ? host : std::to_string(std::random_device{}());
  }
  return short_hash("npc" + machine + serial);
}

}  // namespace npc
