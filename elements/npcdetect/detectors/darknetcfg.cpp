// SPDX-License-Identifier: LGPL-2.1-or-later
// The text that describes a Darknet network, read and checked before OpenCV sees it.
#include "npcdetect/detectors/darknetcfg.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>
#include <vector>

#include "npcdetect/detectors/detector.h"

namespace npc::detect {
namespace {

// All limits are far beyond any detector that is in use, and far below what harms.
constexpr std::size_t kMostLayers = 2000;
constexpr std::int64_t kMostSide = 4096, kMostFilters = 65536, kMostStep = 64;
constexpr std::int64_t kMostClasses = 10000, kMostAnchors = 100;
// What one layer may put out: 1 GiB.
constexpr std::int64_t kMostNumbers = 1 << 28;

struct Option {
  std::string value;
  int line;
};
struct Section {
  std::string type;
  int line;
  std::map<std::string, Option> options;
};
/// What a layer puts out.
struct Shape {
  std::int64_t channels = 0, width = 0, height = 0;
  std::int64_t total() const { return channels * width * height; }
};

/// In how many places a window fits.
std::int64_t places(std::int64_t length, std::int64_t window, std::int64_t stride) {
  return length < window ? 0 : (length - window) / stride + 1;
}

class Reader {
 public:
  explicit Reader(const std::string &path) : path_(path) {}

  DarknetCfg read(std::string_view text) {
    split(text);
    DarknetCfg cfg;
    cfg.input = cv::Size(static_cast<int>(number(sections_[0], "width", 0, 0, kMostSide)),
                         static_cast<int>(number(sections_[0], "height", 0, 0, kMostSide)));
    number(sections_[0], "channels", 3, 3, 3);
    // What OpenCV takes where nothing is said.
    const auto side = [](int given) { return given > 0 ? given : 416; };
    Shape shape{3, side(cfg.input.width), side(cfg.input.height)};
    for (std::size_t i = 1; i < sections_.size(); i++) {
      shape = layer(sections_[i], shape);
      // Written so that no product overflows.
      if (shape.width < 1 || shape.height < 1 || shape.channels < 1 ||
          shape.width > kMostNumbers / shape.height ||
          shape.channels > kMostNumbers / (shape.width * shape.height))
        refuse(sections_[i].line,
               "the layer [" + sections_[i].type + "] would put out nothing, or more than 1 GiB");
      shapes_.push_back(shape);
    }
    cfg.weights = weights_;
    for (const Section &section : sections_) {
      cfg.text += "[" + section.type + "]\n";
      for (const auto &[key, option] : section.options)
        cfg.text += key + "=" + option.value + "\n";
    }
    return cfg;
  }

 private:
  [[noreturn]] void refuse(int line, const std::string &error) const {
    throw DetectorError(DetectorError::Kind::unusable,
                        "The file " + path_ + " cannot be used: in line " + std::to_string(line) +
                            ", " + error +
                            ". It is damaged, or describes no detector: fetch it again, together "
                            "with its .weights.");
  }

  // As Darknet does: a # or ; begins a comment only at the beginning of a line, and blanks count
  // nowhere.
  void split(std::string_view text) {
    int number = 0;
    while (!text.empty()) {
      const auto end = text.find('\n');
      std::string line(text.substr(0, end));
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
      number++;
      std::erase_if(line, [](char c) { return c <= ' ' || c > 'z'; });
      if (line.empty() || line[0] == '#' || line[0] == ';')
        continue;
      if (line[0] == '[')
        begin(line, number);
      else
        take(line, number);
    }
    if (sections_.size() < 2)
      refuse(number, "it ends, and there was no layer");
  }

  void begin(const std::string &line, int number) {
    const auto end = line.find(']');
    const std::string type = line.substr(1, end - 1);
    if (end == std::string::npos || (type == "net") != sections_.empty())
      refuse(number, "there is " + line + ", where one [net] comes first and then layers follow");
    if (sections_.size() > kMostLayers)
      refuse(number, "there are more layers than " + std::to_string(kMostLayers));
    sections_.push_back({type, number, {}});
  }

  void take(const std::string &line, int number) {
    const auto equals = line.find('=');
    if (equals == std::string::npos || equals == 0 || sections_.empty())
      refuse(number, "there is neither a [section] nor an option=value of one");
    // OpenCV keeps the name of the section under this one, and would take the layer for another.
    if (line.starts_with("layer_type="))
      refuse(number, "there is layer_type, which is no option");
    if (equals + 1 < line.size())
      sections_.back().options[line.substr(0, equals)] = {line.substr(equals + 1), number};
  }

  const Option &option(const Section &section, const std::string &key) const {
    const auto found = section.options.find(key);
    if (found == section.options.end())
      refuse(section.line, "the section [" + section.type + "] has no " + key);
    return found->second;
  }

  std::int64_t parse(std::string_view text, const std::string &key, const Option &option,
                     std::int64_t least, std::int64_t most) const {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    // What follows a number may be a comment; digits do not.
    if (error != std::errc() || value < least || value > most ||
        (end != text.data() + text.size() && *end != '#' && *end != ';' && *end != '.'))
      refuse(option.line,
             key + "=" + option.value.substr(0, 80) + " has a number that is not " +
                 (least == most ? std::to_string(least)
                                : "from " + std::to_string(least) + " to " + std::to_string(most)));
    return value;
  }

  /// A whole number from `least` to `most`, `otherwise` if it is not given. What OpenCV is to read
  /// is that number, and nothing behind it.
  std::int64_t number(Section &section, const std::string &key, std::int64_t otherwise,
                      std::int64_t least, std::int64_t most) {
    const auto found = section.options.find(key);
    if (found == section.options.end())
      return otherwise;
    const std::int64_t value = parse(found->second.value, key, found->second, least, most);
    found->second.value = std::to_string(value);
    return value;
  }
  std::int64_t needed(Section &section, const std::string &key, std::int64_t least,
                      std::int64_t most) {
    option(section, key);
    return number(section, key, 0, least, most);
  }

  /// Whole numbers with commas between them, at least one.
  std::vector<std::int64_t> list(Section &section, const std::string &key, std::int64_t least,
                                 std::int64_t most) const {
    const Option &given = option(section, key);
    std::vector<std::int64_t> numbers;
    std::string_view rest = given.value;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      numbers.push_back(parse(rest.substr(0, comma), key, given, least, most));
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
    return numbers;
  }

  /// The layers that `key` names: from the first one on, or if negative from the section's own
  /// back.
  std::vector<Shape> sources(Section &section, const std::string &key) const {
    const auto before = static_cast<std::int64_t>(shapes_.size());
    std::vector<Shape> found;
    for (const std::int64_t at : list(section, key, -before, before - 1))
      found.push_back(shapes_[static_cast<std::size_t>(at < 0 ? at + before : at)]);
    return found;
  }

  Shape layer(Section &section, const Shape &in) {
    const std::string &type = section.type;
    if (type == "convolutional")
      return convolutional(section, in);
    if (type == "connected") {
      const std::int64_t output = needed(section, "output", 1, kMostFilters);
      add_weights(section, output, in.total());
      return {output, 1, 1};
    }
    if (type == "maxpool") {
      const std::int64_t size = number(section, "size", 2, 1, kMostStep);
      const std::int64_t stride = number(section, "stride", 2, 1, kMostStep);
      const std::int64_t padding = number(section, "padding", size - 1, 0, kMostStep);
      return {in.channels, places(in.width + padding, size, stride),
              places(in.height + padding, size, stride)};
    }
    if (type == "avgpool")
      return {in.channels, 1, 1};
    if (type == "route")
      return route(section);
    if (type == "shortcut" || type == "scale_channels" || type == "sam") {
      const Shape from = sources(section, "from").front();
      return type == "scale_channels" ? from : in;
    }
    if (type == "upsample") {
      const std::int64_t stride = number(section, "stride", 1, 1, kMostStep);
      return {in.channels, in.width * stride, in.height * stride};
    }
    if (type == "reorg") {
      const std::int64_t stride = number(section, "stride", 2, 1, kMostStep);
      return {in.channels * stride * stride, in.width / stride, in.height / stride};
    }
    if (type == "yolo" || type == "region")
      return boxes(section, in);
    if (type == "softmax")
      number(section, "groups", 1, 1, 1);
    else if (type != "dropout" && type != "cost")
      refuse(section.line, "there is a layer [" + type + "], which is not known");
    return in;
  }

  Shape convolutional(Section &section, const Shape &in) {
    const std::int64_t filters = needed(section, "filters", 1, kMostFilters);
    const std::int64_t size = needed(section, "size", 1, kMostStep);
    const std::int64_t stride = number(section, "stride", 1, 1, kMostStep);
    const std::int64_t groups = number(section, "groups", 1, 1, kMostFilters);
    const bool pad = number(section, "pad", 0, 0, kMostStep) != 0;
    const std::int64_t given = number(section, "padding", 0, 0, kMostStep);
    const std::int64_t padding = pad ? size / 2 : given;
    if (in.channels % groups != 0 || filters % groups != 0)
      refuse(option(section, "groups").line,
             "groups=" + std::to_string(groups) + " does not divide the " +
                 std::to_string(in.channels) + " channels and the " + std::to_string(filters) +
                 " filters");
    add_weights(section, filters, in.channels / groups * size * size);
    return {filters, places(in.width + 2 * padding, size, stride),
            places(in.height + 2 * padding, size, stride)};
  }

  Shape route(Section &section) {
    const std::vector<Shape> from = sources(section, "layers");
    Shape shape = from.front();
    for (std::size_t i = 1; i < from.size(); i++)
      shape.channels += from[i].channels;
    const std::int64_t groups = number(section, "groups", 1, 1, kMostFilters);
    number(section, "group_id", 0, 0, groups - 1);
    for (const Shape &each : from)
      if (each.channels % groups != 0)
        refuse(option(section, "groups").line, "groups=" + std::to_string(groups) +
                                                   " does not divide the " +
                                                   std::to_string(each.channels) + " channels");
    shape.channels /= groups;
    return shape;
  }

  Shape boxes(Section &section, const Shape &in) {
    const std::int64_t classes = needed(section, "classes", 1, kMostClasses);
    const std::int64_t anchors = needed(section, "num", 1, kMostAnchors);
    std::int64_t used = anchors;
    if (section.type == "yolo")
      used = static_cast<std::int64_t>(list(section, "mask", 0, anchors - 1).size());
    number(section, "coords", 4, 4, 4);
    const std::string &sizes = option(section, "anchors").value;
    if (std::ranges::count(sizes, ',') + (sizes.ends_with(',') ? 0 : 1) != 2 * anchors ||
        sizes.starts_with(',') || sizes.find(",,") != std::string::npos)
      refuse(option(section, "anchors").line, "the anchors are not twice as many as num says");
    if (in.channels != used * (5 + classes))
      refuse(section.line, "the section [" + section.type + "] gets " +
                               std::to_string(in.channels) + " channels, where " +
                               std::to_string(used) + " anchors of " + std::to_string(classes) +
                               " classes need " + std::to_string(used * (5 + classes)));
    return in;
  }

  // Each of `count` has a bias, and three numbers more where batches are normalised.
  void add_weights(Section &section, std::int64_t count, std::int64_t each) {
    const bool normalised = number(section, "batch_normalize", 0, 0, 1) == 1;
    weights_ += static_cast<std::uint64_t>(count * (each + (normalised ? 4 : 1)));
  }

  const std::string &path_;
  std::vector<Section> sections_;  // the first is [net]
  std::vector<Shape> shapes_;      // of the layers so far
  std::uint64_t weights_ = 0;
};

}  // namespace

DarknetCfg read_darknet_cfg(std::string_view text, const std::string &path) {
  return Reader(path).read(text);
}

}  // namespace npc::detect
