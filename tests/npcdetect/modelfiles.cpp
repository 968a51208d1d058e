// SPDX-License-Identifier: LGPL-2.1-or-later
// Model files that are not what they should be, and settings that do not fit them.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "npcdetect/detectors/darknetcfg.h"
#include "npcdetect/detectors/detector.h"
#include "npcdetect/detectors/facefinder.h"
#include "npcdetect/detectors/labels.h"
#include "npcdetect/detectors/modelfile.h"

using namespace npc::detect;

namespace npc {
namespace {

namespace fs = std::filesystem;

/// A directory for bad files, gone at the end.
class ModelFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "npc-models-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    const char *shared = std::getenv("NPC_SHARED");
    models_ = fs::path(shared != nullptr ? shared : "") / "data" / "models";
  }
  void TearDown() override { fs::remove_all(directory_); }

  fs::path write(const std::string &name, const std::string &bytes) {
    std::ofstream(directory_ / name, std::ios::binary) << bytes;
    return directory_ / name;
  }

  /// The sentence with which a detector for `settings` is refused.
  static std::string refusal(const DetectorSettings &settings) {
    try {
      make_network(settings);
    } catch (const DetectorError &error) {
      return error.what();
    }
    return "accepted";
  }
  static std::string refusal(const fs::path &model) {
    DetectorSettings settings;
    settings.model = model.string();
    return refusal(settings);
  }

  fs::path directory_, models_;
};

#define EXPECT_SAYS(sentence, words) \
  EXPECT_NE((sentence).find(words), std::string::npos) << (sentence)

TEST_F(ModelFiles, ThatAreNoneAreRefusedWithASentence) {
  EXPECT_SAYS(refusal(directory_ / "absent.onnx"), "no model file");
  EXPECT_SAYS(refusal(write("model.pt", "x")), "neither ONNX");
  EXPECT_SAYS(refusal(directory_), "neither ONNX");
  EXPECT_SAYS(refusal(write("empty.onnx", "")), "cannot read the model");
  EXPECT_SAYS(refusal(write("text.onnx", "this is not a model")), "cannot read the model");
  EXPECT_SAYS(refusal(write("alone.weights", "x")), "alone.cfg beside the model");
  write("broken.cfg", "[net]\nwidth=320\nheight=320\nchannels=3\n[nonsense]\n");
  EXPECT_SAYS(refusal(write("broken.weights", std::string(100, '\0'))),
              "in line 5, there is a layer [nonsense], which is not known");
}

// A pipe has no end for as long as somebody may write to it, nor has the opening of one.
TEST_F(ModelFiles, ThatArePipesAreNotWaitedFor) {
  const auto pipe = [this](const std::string &name) {
    EXPECT_EQ(mkfifo((directory_ / name).c_str(), 0600), 0);
    return (directory_ / name).string();
  };
  alarm(20);
  EXPECT_SAYS(refusal(fs::path(pipe("pipe.onnx"))), "no model file");
  EXPECT_SAYS(refusal(fs::path(pipe("pipe.weights"))), "no model file");
  write("half.weights", "x");
  pipe("half.cfg");
  EXPECT_SAYS(refusal(directory_ / "half.weights"), "half.cfg beside the model");
  EXPECT_THROW(read_labels(pipe("labels")), DetectorError);
  EXPECT_THROW(make_cascade(pipe("cascade.xml")), DetectorError);
  EXPECT_THROW(make_yunet(pipe("faces.onnx")), DetectorError);
  alarm(0);
}

/// A network that OpenCV would read, of 8 filters and 3 anchors of one class.
constexpr char kCfg[] =
    "# comment\n[net]\nwidth = 32\nheight=32\nchannels=3\n\n"
    "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=2\npad=1\ngroups=1\n"
    "activation=leaky\n"
    "[route]\nlayers=-1,0\n"
    "[maxpool]\nsize=2\nstride=2\n"
    "[upsample]\nstride=1\n"
    "[shortcut]\nfrom=-2\nactivation=linear\n"
    "[convolutional]\nfilters=18\nsize=1\nstride=1\npad=1\nactivation=linear\n"
    "[yolo]\nmask=0,1,2\nanchors=1,2, 3,4, 5,6\nclasses=1\nnum=3\n";
// 8 filters of 3x3x3 with four numbers more each, 18 of 16 with one.
constexpr std::size_t kWeights = 8 * (27 + 4) + 18 * (16 + 1);

std::string changed(const std::string &from, const std::string &to) {
  std::string cfg = kCfg;
  const auto at = cfg.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return cfg.replace(at, from.size(), to);
}

TEST_F(ModelFiles, OfDarknetAreReadAsOpenCvReadsThem) {
  const DarknetCfg cfg = read_darknet_cfg(kCfg, "some.cfg");
  EXPECT_EQ(cfg.input, cv::Size(32, 32));
  EXPECT_EQ(cfg.weights, kWeights);
  write("fit.cfg", kCfg);
  const std::string weights(20 + kWeights * sizeof(float), '\0');
  EXPECT_EQ(refusal(write("fit.weights", weights)), "accepted");
  EXPECT_SAYS(refusal(write("fit.weights", weights.substr(0, 15 + kWeights * sizeof(float)))),
              "shorter than its .cfg says");
}

// OpenCV divides by them, reads beyond the layers that there are, or asks for all the memory.
TEST_F(ModelFiles, OfDarknetWithNumbersOutOfRangeAreRefused) {
  const std::pair<const char *, const char *> changes[] = {
      {"groups=1", "groups=0"},
      {"groups=1", "groups=-1"},
      {"groups=1", "groups=2"},
      {"size=3", "size=-1"},
      {"size=3", "size=0"},
      {"size=3", "size=65"},
      {"size=3\n", ""},
      {"stride=2", "stride=0"},
      {"stride=2", "stride=99999999999999999999"},
      {"pad=1", "padding=-1"},
      {"pad=1", "pad=0\nsize=33"},
      {"filters=8", "filters=2147483647"},
      {"filters=8", "filters=eight"},
      {"filters=8", "filters=8e8"},
      {"layers=-1,0", "layers=2147483647"},
      {"layers=-1,0", "layers=1"},
      {"layers=-1,0", "layers=-2"},
      {"layers=-1,0", "layers=0,,0"},
      {"layers=-1,0", "groups=0\nlayers=-1"},
      {"layers=-1,0", "groups=2\ngroup_id=2\nlayers=-1"},
      {"layers=-1,0", "layers="},
      {"from=-2", "from=7"},
      {"[maxpool]\nsize=2", "[maxpool]\nsize=0"},
      {"[upsample]\nstride=1", "[upsample]\nstride=0"},
      {"[upsample]\nstride=1", "[upsample]\nstride=64\n[upsample]\nstride=64"},
      {"mask=0,1,2", "mask=0,1,3"},
      {"mask=0,1,2", "mask=0,1"},
      {"mask=0,1,2", "mask=-1,1,2"},
      {"classes=1", "classes=-1"},
      {"classes=1", "classes=2"},
      {"num=3", "num=4"},
      {"num=3", "num=0"},
      {"width = 32", "width=60000"},
      {"width = 32", "width=-32"},
      {"channels=3", "channels=1"},
      {"[net]", "[nothing]"},
      {"[route]", "[net]"},
      {"[route]", "[route"},
      {"[yolo]", "[crnn]"},
      {"# comment", "width=32"},
      {"mask=0,1,2", "mask"},
      {"[yolo]", "[dropout]\nprobability=.5\nlayer_type=route\nlayers=99999\n[yolo]"},
      {"anchors=1,2,", "anchors=,2,"},
  };
  for (const auto &[from, to] : changes) {
    write("bad.cfg", changed(from, to));
    const std::string sentence = refusal(write("bad.weights", std::string(1 << 16, '\0')));
    EXPECT_SAYS(sentence, "bad.cfg cannot be used: in line ") << to;
  }
  EXPECT_EQ(refusal(write("bad.weights", "")).find("accepted"), std::string::npos);
  write("empty.cfg", "");
  EXPECT_SAYS(refusal(write("empty.weights", "")), "there was no layer");
}

TEST_F(ModelFiles, OfDarknetThatAreDamagedAnywhereCrashNothing) {
  const std::string weights(20 + kWeights * sizeof(float), '\0');
  for (std::size_t i = 0; i < std::size(kCfg) - 1; i++) {
    for (const char c : {'\n', '-', '9'}) {
      std::string cfg = kCfg;
      cfg[i] = c;
      write("bad.cfg", cfg);
      EXPECT_NE(refusal(write("bad.weights", weights)), "");
    }
  }
}

TEST_F(ModelFiles, WithoutAnEndAreNotReadForEver) {
  const fs::path endless = write("endless.names", std::string((1u << 20) + 1, 'x'));
  try {
    read_labels(endless.string());
    ADD_FAILURE() << "accepted";
  } catch (const DetectorError &error) {
    EXPECT_SAYS(std::string(error.what()), "has more than 1048576 bytes");
  }
  const fs::path huge = write("huge.onnx", "");
  fs::resize_file(huge, std::uintmax_t{5} << 30);  // Of nothing: it takes no room on the disk.
  EXPECT_SAYS(refusal(huge), "has more than");
}

// One of a small input asks for all the memory where a large one is wanted.
TEST_F(ModelFiles, ThatWouldTakeAllTheMemoryAreRefused) {
  write("fit.cfg", kCfg);
  DetectorSettings settings;
  settings.model = write("fit.weights", std::string(20 + kWeights * sizeof(float), '\0')).string();
  settings.input = cv::Size(8192, 8192);
  EXPECT_SAYS(refusal(settings), "set input-width and input-height to less");
}

TEST_F(ModelFiles, WithATornEndAreRefused) {
  const fs::path cfg = models_ / "yolo-fastest-1.1_body.cfg";
  if (!fs::exists(cfg))
    GTEST_SKIP() << "no " << cfg;
  fs::copy_file(cfg, directory_ / "torn.cfg");
  std::ifstream whole(models_ / "yolo-fastest-1.1_body.weights", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(whole)), {});
  EXPECT_SAYS(refusal(write("torn.weights", bytes.substr(0, bytes.size() - 4))),
              "shorter than its .cfg");
  EXPECT_SAYS(refusal(write("torn.weights", bytes.substr(0, 10))), "shorter than its .cfg");
  EXPECT_EQ(refusal(write("torn.weights", bytes)), "accepted");
}

// Just enough of protocol buffers to write an ONNX file.
std::string varint(std::uint64_t value) {
  std::string bytes;
  for (; value > 127; value >>= 7)
    bytes += static_cast<char>(value | 128);
  return bytes + static_cast<char>(value);
}
std::string field(int number, std::uint64_t value) {
  return varint(static_cast<std::uint64_t>(number) << 3) + varint(value);
}
std::string field(int number, const std::string &bytes) {
  return varint(static_cast<std::uint64_t>(number) << 3 | 2) + varint(bytes.size()) + bytes;
}
std::string node(const std::string &type, const std::vector<std::string> &inputs,
                 const std::string &output, const std::string &attributes = "") {
  std::string bytes;
  for (const std::string &input : inputs)
    bytes += field(1, input);
  return field(1, bytes + field(2, output) + field(3, output) + field(4, type) + attributes);
}
template <typename Number>
std::string initializer(const std::string &name, const std::vector<std::uint64_t> &shape, int type,
                        const std::vector<Number> &numbers) {
  std::string bytes;
  for (const std::uint64_t size : shape)
    bytes += field(1, size);
  bytes += field(2, static_cast<std::uint64_t>(type)) + field(8, name);
  return field(5, bytes + field(9, std::string(reinterpret_cast<const char *>(numbers.data()),
                                               numbers.size() * sizeof(Number))));
}
std::string value_info(int number, const std::string &name,
                       const std::vector<std::uint64_t> &shape) {
  std::string sizes;
  for (const std::uint64_t size : shape)
    sizes += field(1, field(1, size));
  return field(number, field(1, name) + field(2, field(1, field(1, 1) + field(2, sizes))));
}

/// A network for pictures of 32x32 that puts out 21 cells of 6 whatever it sees.
std::string onnx_of(const std::vector<float> &cells) {
  const std::vector<std::uint64_t> shape = {1, 21, 6};
  const std::vector<float> nothing(cells.size() * 3 * 32 * 32, 0.0f);
  const std::string kernel =
      field(5, field(1, "kernel_shape") + field(8, 32) + field(8, 32) + field(20, 7));
  const std::string graph = node("Conv", {"picture", "weights", "cells"}, "column", kernel) +
                            node("Reshape", {"column", "shape"}, "boxes") + field(2, "graph") +
                            initializer("weights", {cells.size(), 3, 32, 32}, 1, nothing) +
                            initializer("cells", {cells.size()}, 1, cells) +
                            initializer("shape", {3}, 7, std::vector<std::int64_t>{1, 21, 6}) +
                            value_info(11, "picture", {1, 3, 32, 32}) +
                            value_info(12, "boxes", shape);
  return field(1, 7) + field(7, graph) + field(8, field(2, 11));
}

// Exporters can add the decoding to YOLOX; the shape of what comes out stays the same.
TEST_F(ModelFiles, OfYoloxFindTheSameDecodedOrNot) {
  std::vector<float> offsets, pixels;
  for (const int stride : {8, 16, 32}) {
    for (int y = 0; y < 32 / stride; y++) {
      for (int x = 0; x < 32 / stride; x++) {
        // One person, in the second cell of the second row.
        const float sure = stride == 8 && x == 1 && y == 1 ? 0.9f : 0.0f;
        const float step = static_cast<float>(stride);
        offsets.insert(offsets.end(), {0.5f, 0.25f, std::log(1.5f), std::log(2.0f), sure, 1.0f});
        pixels.insert(pixels.end(),
                      {(static_cast<float>(x) + 0.5f) * step,
                       (static_cast<float>(y) + 0.25f) * step, 1.5f * step, 2 * step, sure, 1.0f});
      }
    }
  }
  for (const auto &cells : {offsets, pixels}) {
    DetectorSettings settings;
    settings.model = write("yolox.onnx", onnx_of(cells)).string();
    const auto network = make_network(settings);
    std::vector<Detection> found;
    network->detect(cv::Mat::zeros(32, 32, CV_8UC3), 0.5f, found);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_NEAR(found[0].box.x, 12 - 6, 1e-3);
    EXPECT_NEAR(found[0].box.y, 10 - 8, 1e-3);
    EXPECT_NEAR(found[0].box.width, 12, 1e-3);
    EXPECT_NEAR(found[0].box.height, 16, 1e-3);
    EXPECT_EQ(found[0].label, "person");
  }
}

TEST_F(ModelFiles, OfAnUnknownKindAreToldByTheirShape) {
  if (!fs::exists(models_ / "yunet_n_320_320.onnx"))
    GTEST_SKIP() << "no models in " << models_;
  EXPECT_SAYS(refusal(models_ / "yunet_n_320_320.onnx"), "which is none of the known kinds");
}

TEST_F(ModelFiles, OfFastestDetAreKnown) {
  if (!fs::exists(models_ / "fastestdet_352.onnx"))
    GTEST_SKIP() << "no models in " << models_;
  EXPECT_EQ(refusal(models_ / "fastestdet_352.onnx"), "accepted");
}

TEST_F(ModelFiles, TellTheirInputSize) {
  if (!fs::exists(models_ / "yolox_nano_coco.onnx"))
    GTEST_SKIP() << "no models in " << models_;
  EXPECT_EQ(load_model((models_ / "yolo-fastest-1.1_body.weights").string()).input,
            cv::Size(320, 320));
  EXPECT_EQ(load_model((models_ / "fastestdet_352.onnx").string()).input, cv::Size(352, 352));
}

TEST_F(ModelFiles, SettingsThatDoNotFitTheModelAreRefused) {
  DetectorSettings settings;
  settings.model = (models_ / "yolox_nano_coco.onnx").string();
  if (!fs::exists(settings.model))
    GTEST_SKIP() << "no " << settings.model;
  settings.classes = {"person", "unicorn"};
  EXPECT_SAYS(refusal(settings), "does not know the class unicorn");
  settings.classes = {"person", "traffic_light"};
  EXPECT_EQ(refusal(settings), "accepted");
  settings.labels = write("two.names", "person\ncar\n").string();
  EXPECT_SAYS(refusal(settings), "names 2 classes, but the model");
  settings.labels = "/nowhere/coco.names";
  EXPECT_SAYS(refusal(settings), "cannot be opened");
  DetectorSettings odd;
  odd.model = (models_ / "fastestdet_352.onnx").string();
  odd.input = cv::Size(640, 480);
  EXPECT_SAYS(refusal(odd), "does not work on pictures of 640x480");
}

}  // namespace
}  // namespace npc
