// SPDX-License-Identifier: LGPL-2.1-or-later
// Files that keep a state over restarts, which users name with `state-file`.
#include "base/statefile.h"

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/openfile.h"

namespace npc {
namespace {

Status set_aside(const std::string &path, const StateFileUse &use, const std::string &what) {
  std::string error = "The state file " + path + " " + what + ". " + use.beginning + "; ";
  const std::string aside = path + ".bad";
  if (std::rename(path.c_str(), aside.c_str()) == 0)
    error += "the file was renamed to " + aside + ".";
  else
    error += "renaming the file to " + aside + " failed: " + message_of(errno) + ".";
  return Status::failed(std::move(error));
}

}  // namespace

Status load_state(const std::string &path, const StateFileUse &use,
                  const std::function<bool(const std::string &text)> &accept) {
  const Opened opened = open_file(path, O_RDONLY);
  if (opened.error == ENOENT)
    return {};
  // What is no plain file is not ours to rename.
  if (opened.is_other)
    return Status::failed("The state file " + path +
                          " is a folder or a device: set state-file to the path of a plain file. " +
                          use.beginning + ".");
  if (opened.error != 0)
    return set_aside(path, use, "cannot be opened: " + message_of(opened.error));
  const auto text = read_whole(opened.file, use.most);
  if (!text)
    return set_aside(path, use, "cannot be read: " + message_of(errno));
  if (text->size() > use.most)
    return set_aside(path, use, "is too large to be one");
  if (!accept(*text))
    return set_aside(path, use, std::string("is broken, or not a file of ") + use.owner + "'s");
  return {};
}

Status save_state(const std::string &path, std::string_view text, const std::string &cost) {
  const Replaced replaced = replace_file(path, text);
  if (replaced.is_done())
    return {};
  std::string error = "The state file " + path + " cannot be written: ";
  std::string advice = "Set state-file to a path that can be written to.";
  if (replaced.is_other) {
    error += "it is a folder or a device";
  } else if (replaced.is_blocked) {
    error += path + ".new is in the way: it is no plain file";
    advice = "Remove it, or set state-file to another path.";
  } else {
    error += message_of(replaced.error);
  }
  return Status::failed(error + ". " + cost + ". " + advice);
}

}  // namespace npc
