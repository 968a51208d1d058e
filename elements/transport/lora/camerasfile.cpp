// SPDX-License-Identifier: LGPL-2.1-or-later
// Reading of the cameras file.
#include "transport/lora/camerasfile.h"

#include <sodium.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <set>

#include "base/name.h"
#include "base/openfile.h"

namespace npc::lora {
namespace {

constexpr std::size_t kMostFile = 1 << 20;

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos)
    return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

/// A text from the file that can be shown: no key, and nothing that is written by accident where a
/// key should be, is a short name.
std::string shown(std::string_view text) {
  return text.size() <= 16 && is_name(text) ? "\"" + std::string(text) + "\"" : "this";
}

class Reader {
 public:
  explicit Reader(std::vector<Camera> *cameras) : cameras_(cameras) {}

  Status read(std::string_view text) {
    for (std::size_t begin = 0; begin < text.size();) {
      ++line_;
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      const std::string_view line = trimmed(text.substr(begin, end - begin));
      begin = end + 1;
      if (line.empty() || line.front() == '#')
        continue;
      if (Status status = line.front() == '[' ? begin_section(line) : read_setting(line);
          !status.is_ok())
        return status;
    }
    if (Status status = end_section(); !status.is_ok())
      return status;
    return cameras_->empty() ? wrong("there is no camera in this file.") : Status();
  }

 private:
  static std::string at(int line) { return "Line " + std::to_string(std::max(line, 1)) + ": "; }
  Status wrong(const std::string &what) const { return Status::failed(at(line_) + what); }

  Status begin_section(std::string_view line) {
    if (Status status = end_section(); !status.is_ok())
      return status;
    int number = 0;
    const std::string_view digits =
        trimmed(line.back() == ']' ? line.substr(1, line.size() - 2) : std::string_view());
    const auto [end, failure] =
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (failure != std::errc() || end != digits.data() + digits.size() || number < 1 ||
        number > 255)
      return wrong("a camera begins with its number, 1 to 255, as in [7].");
    for (const Camera &other : *cameras_) {
      if (other.number == number)
        return wrong("camera " + std::to_string(number) + " is there twice.");
    }
    section_ = line_;
    names_.clear();
    current_ = Camera();
    current_.number = static_cast<std::uint8_t>(number);
    return {};
  }

  Status read_setting(std::string_view line) {
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos)
      return wrong("write name=value, or a camera's number as in [7].");
    if (section_ == 0)
      return wrong("a camera's number, as in [7], must come first.");
    const std::string name(trimmed(line.substr(0, equals)));
    const std::string_view value = trimmed(line.substr(equals + 1));
    if (!std::set<std::string>{"site", "camera", "lines", "key", "next-key"}.contains(name))
      return wrong(shown(name) + " is none of site, camera, lines, key, next-key.");
    if (!names_.insert(name).second)
      return wrong(name + " is there twice in one camera.");
    if (name == "key")
      return read_key(name, value, &current_.key);
    if (name == "next-key") {
      current_.next_key.reset();
      return value.empty() ? Status() : read_key(name, value, &current_.next_key.emplace());
    }
    if (name == "lines")
      return read_lines(value);
    if (!is_name(value))
      return wrong(name + " must have 1 to 64 letters, digits, _ or -.");
    (name == "site" ? current_.site : current_.camera) = value;
    return {};
  }

  Status read_key(const std::string &name, std::string_view value, Key *key) const {
    const std::optional<Key> read = parse_key(value);
    if (!read)
      return wrong(name + " must have 64 hexadecimal digits. openssl rand -hex 32 makes one.");
    *key = *read;
    return {};
  }

  Status read_lines(std::string_view value) {
    while (!value.empty()) {
      const std::size_t comma = value.find(',');
      const std::string_view line = trimmed(value.substr(0, comma));
      value = comma == std::string_view::npos ? std::string_view() : value.substr(comma + 1);
      if (!is_name(line))
        return wrong("a line's name must have 1 to 64 letters, digits, _ or -.");
      if (std::find(current_.lines.begin(), current_.lines.end(), line) != current_.lines.end())
        return wrong("the line " + shown(line) + " is there twice.");
      current_.lines.emplace_back(line);
    }
    if (current_.lines.size() > kMostLines)
      return wrong("a camera can have up to 4 lines over LoRa.");
    return {};
  }

  Status end_section() {
    if (section_ == 0)
      return {};
    const std::string where = at(section_) + "camera " + std::to_string(current_.number);
    for (const char *needed : {"site", "camera", "key"}) {
      if (!names_.contains(needed))
        return Status::failed(where + " has no " + needed + ".");
    }
    if (current_.next_key && *current_.next_key == current_.key)
      return Status::failed(where + " has the same key twice: next-key is for a new one.");
    for (const Camera &other : *cameras_) {
      const std::string both = where + " and camera " + std::to_string(other.number);
      if (other.site == current_.site && other.camera == current_.camera)
        return Status::failed(both + " have the same site and camera.");
      if (share_key(other, current_))
        return Status::failed(both + " have the same key: each needs its own.");
    }
    cameras_->push_back(current_);
    section_ = 0;
    return {};
  }

  static bool share_key(const Camera &one, const Camera &other) {
    const auto has = [](const Camera &camera, const Key &key) {
      return camera.key == key || (camera.next_key && *camera.next_key == key);
    };
    return has(one, other.key) || (other.next_key && has(one, *other.next_key));
  }

  std::vector<Camera> *cameras_;
  Camera current_;
  std::set<std::string> names_;  // of settings in this section
  int line_ = 0;
  int section_ = 0;  // the line it began at; 0 if there is none
};

}  // namespace

Status parse_cameras(std::string_view text, std::vector<Camera> *cameras) {
  std::vector<Camera> read;
  Status status = Reader(&read).read(text);
  if (status.is_ok())
    *cameras = std::move(read);
  return status;
}

Status read_cameras(const std::string &path, std::vector<Camera> *cameras) {
  const std::string named = "The cameras file \"" + path + "\"";
  const Opened opened = open_file(path, O_RDONLY);
  if (opened.is_other)
    return Status::failed(named + " is not a file, but a directory, a pipe or a device.");
  if (opened.error != 0)
    return Status::failed(named + " cannot be read: " + message_of(opened.error) + ".");
  struct stat file = {};
  if (fstat(opened.file.get(), &file) != 0 || (file.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return Status::failed(named + " holds keys and must be open to its owner only: run chmod 600 " +
                          path + ".");
  std::optional<std::string> text = read_whole(opened.file, kMostFile);
  if (!text)
    return Status::failed(named + " cannot be read: " + message_of(errno) + ".");
  const Status status = text->size() > kMostFile ? Status::failed("It has more than 1 MiB.")
                                                 : parse_cameras(*text, cameras);
  sodium_memzero(text->data(), text->size());
  return status.is_ok() ? status : Status::failed(named + " cannot be used. " + status.error());
}

}  // namespace npc::lora
