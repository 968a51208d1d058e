// SPDX-License-Identifier: LGPL-2.1-or-later
// Neural networks from files that may be missing, torn, or something else altogether.
#include "npcdetect/detectors/modelfile.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "base/openfile.h"
#include "npcdetect/detectors/darknetcfg.h"
#include "npcdetect/detectors/detector.h"

namespace npc::detect {
namespace {

// A larger file is a mistake, not a model that a small computer could run.
constexpr std::size_t kModelMost = 1u << 30;
// A hundred times the largest that is known.
constexpr std::size_t kCfgMost = 4u << 20;

/// One field of a protocol buffer message: its number, and its bytes or its integer.
struct Field {
  std::uint64_t number;
  std::uint64_t integer = 0;
  std::string_view bytes;
};

std::optional<std::uint64_t> take_varint(std::string_view &rest) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && !rest.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80)
      return value;
  }
  return std::nullopt;
}

/// Cuts the next field off `rest`; nothing at the end or where the bytes make no sense.
std::optional<Field> take_field(std::string_view &rest) {
  const auto tag = take_varint(rest);
  if (!tag)
    return std::nullopt;
  Field field{*tag >> 3, 0, {}};
  const unsigned wire = *tag & 7;
  std::uint64_t length = wire == 1 ? 8 : wire == 5 ? 4 : 0;
  if (wire == 0 || wire == 2) {
    const auto value = take_varint(rest);
    if (!value)
      return std::nullopt;
    (wire == 0 ? field.integer : length) = *value;
  } else if (wire != 1 && wire != 5) {
    return std::nullopt;
  }
  if (length > rest.size())
    return std::nullopt;
  field.bytes = rest.substr(0, length);
  rest.remove_prefix(length);
  return field;
}

/// The bytes of the first field `number` in `message`.
std::string_view submessage(std::string_view message, std::uint64_t number) {
  while (const auto field = take_field(message))
    if (field->number == number)
      return field->bytes;
  return {};
}

/// Width and height of the first input of three channels. OpenCV has no function for that. Field
/// numbers are those of onnx.proto: ModelProto.graph 7, GraphProto.input 11, ValueInfoProto.type 2,
/// TypeProto.tensor_type 1, Tensor.shape 2, TensorShapeProto.dim 1, Dimension.dim_value 1.
cv::Size onnx_input(std::string_view model) {
  std::string_view graph = submessage(model, 7);
  while (const auto input = take_field(graph)) {
    if (input->number != 11)
      continue;
    std::string_view shape = submessage(submessage(submessage(input->bytes, 2), 1), 2);
    std::vector<std::uint64_t> sizes;
    while (const auto dimension = take_field(shape)) {
      std::string_view value = dimension->bytes;
      const auto field = take_field(value);
      sizes.push_back(field && field->number == 1 ? field->integer : 0);
    }
    if (sizes.size() == 4 && sizes[1] == 3 && sizes[2] <= 4096 && sizes[3] <= 4096)
      return cv::Size(static_cast<int>(sizes[3]), static_cast<int>(sizes[2]));
  }
  return {};
}

/// OpenCV reads past the end of a torn .weights file without a word.
void check_weights(const std::string &path, const std::string &weights, std::uint64_t numbers) {
  // major, minor, revision, then the number of pictures seen: 64 bits from version 0.2 on.
  std::int32_t version[2] = {0, 0};
  if (weights.size() >= sizeof version)
    std::memcpy(version, weights.data(), sizeof version);
  const std::uint64_t header = std::int64_t{version[0]} * 10 + version[1] >= 2 ? 20 : 16;
  if (weights.size() < header + numbers * sizeof(float))
    throw DetectorError(DetectorError::Kind::unusable,
                        "The model file " + path +
                            " is shorter than its .cfg says: it was torn in transfer, or the "
                            "two do not belong together. Fetch both again.");
}

}  // namespace

std::string read_file(const std::string &path, std::size_t most, const std::string &absent) {
  const Opened opened = open_file(path, O_RDONLY);
  if (opened.is_other || opened.error == ENOENT || opened.error == ENOTDIR)
    throw DetectorError(DetectorError::Kind::not_found, absent);
  const auto refuse = [&path](DetectorError::Kind kind, const std::string &error) {
    throw DetectorError(kind, "The file " + path + " " + error);
  };
  struct stat status = {};
  int error = opened.error;
  if (error == 0 && fstat(opened.file.get(), &status) != 0)
    error = errno;
  if (error != 0)
    refuse(DetectorError::Kind::not_found, "cannot be read: " + message_of(error) + ".");
  // Asked first: what is too large is not read in vain.
  std::optional<std::string> bytes;
  if (static_cast<std::uintmax_t>(status.st_size) <= most)
    bytes = read_whole(opened.file, most);
  if (static_cast<std::uintmax_t>(status.st_size) > most || (bytes && bytes->size() > most))
    refuse(DetectorError::Kind::unusable,
           "has more than " + std::to_string(most) + " bytes: it is not what is meant here.");
  if (!bytes)
    refuse(DetectorError::Kind::unusable, "cannot be read: " + message_of(errno) + ".");
  return *std::move(bytes);
}

Model load_model(const std::string &path) {
  const std::filesystem::path file(path);
  const std::string extension = file.extension().string();
  if (extension != ".onnx" && extension != ".weights")
    throw DetectorError(DetectorError::Kind::settings,
                        "The model " + path +
                            " is neither ONNX (.onnx) nor Darknet (.weights, its .cfg beside it).");
  const std::string bytes = read_file(
      path, kModelMost,
      "There is no model file " + path +
          ": set model to one (pipelines/get-model fetches one), or leave it empty to use "
          "HOG.");
  try {
    if (extension == ".onnx") {
      const cv::Size input = onnx_input(bytes);
      return {cv::dnn::readNetFromONNX(bytes.data(), bytes.size()), input, input.empty()};
    }
    const std::string cfg_path = std::filesystem::path(file).replace_extension(".cfg").string();
    const std::string text =
        read_file(cfg_path, kCfgMost,
                  "There is no " + cfg_path + " beside the model " + path +
                      ": a Darknet model has two files, put its .cfg there under that name.");
    const DarknetCfg cfg = read_darknet_cfg(text, cfg_path);
    check_weights(path, bytes, cfg.weights);
    return {
        cv::dnn::readNetFromDarknet(cfg.text.data(), cfg.text.size(), bytes.data(), bytes.size()),
        cfg.input, true};
  } catch (const cv::Exception &error) {
    throw DetectorError(DetectorError::Kind::unusable,
                        "OpenCV cannot read the model " + path +
                            ": it is torn, or uses what this version of OpenCV does not know (" +
                            error.err + ").");
  }
}

}  // namespace npc::detect
