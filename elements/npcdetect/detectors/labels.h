// SPDX-License-Identifier: LGPL-2.1-or-later
// Which class a network's numbers stand for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace npc::detect {

/// The 80 classes of the COCO data set, in the order in which networks number them.
const std::vector<std::string> &coco_labels();

/// `text` as a name that is allowed in a record: other characters become underscores ("traffic
/// light": "traffic_light"), and what is over 64 characters is cut off.
std::string label_as_name(std::string_view text);

/// One label a line, from the file at `path`. Throws DetectorError.
std::vector<std::string> read_labels(const std::string &path);

}  // namespace npc::detect
