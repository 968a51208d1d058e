// SPDX-License-Identifier: LGPL-2.1-or-later
// The cameras file: what it may say, and what is said of a wrong one, without its keys.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "transport/lora/camerasfile.h"

namespace {

using namespace npc;
using namespace npc::lora;

const std::string kKey = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const std::string kOther = "ff112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
const std::string kThird = "0f112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

TEST(LoraCameras, AreRead) {
  std::vector<Camera> cameras;
  ASSERT_EQ(
      parse_cameras("# ours\n[7]\r\nsite=home\r\n camera = door \nlines=door, exit\nkey=" + kKey +
                        "\nnext-key=\n\n[255]\nsite=home\ncamera=yard\nlines=\nkey=" + kOther +
                        "\nnext-key=" + kThird,
                    &cameras)
          .error(),
      "");
  ASSERT_EQ(cameras.size(), 2u);
  EXPECT_EQ(cameras[0].number, 7);
  EXPECT_EQ(cameras[0].site, "home");
  EXPECT_EQ(cameras[0].camera, "door");
  EXPECT_EQ(cameras[0].lines, (std::vector<std::string>{"door", "exit"}));
  EXPECT_TRUE(cameras[0].key == *parse_key(kKey));
  EXPECT_FALSE(cameras[0].next_key);
  EXPECT_EQ(cameras[1].number, 255);
  EXPECT_TRUE(cameras[1].lines.empty());
  ASSERT_TRUE(cameras[1].next_key);
  EXPECT_TRUE(*cameras[1].next_key == *parse_key(kThird));
}

struct Wrong {
  std::string text;
  const char *error;
};

class WrongCameras : public testing::TestWithParam<Wrong> {};

TEST_P(WrongCameras, SayWhereAndNoKey) {
  std::vector<Camera> cameras;
  const std::string error = parse_cameras(GetParam().text, &cameras).error();
  EXPECT_EQ(error, GetParam().error);
  for (const std::string &key : {kKey, kOther, kThird}) {
    for (std::size_t at = 0; at + 8 <= key.size(); ++at)
      EXPECT_EQ(error.find(key.substr(at, 8)), std::string::npos);
  }
  EXPECT_TRUE(cameras.empty());
}

const std::string kGood = "[7]\nsite=home\ncamera=door\nkey=" + kKey + "\n";

INSTANTIATE_TEST_SUITE_P(
    All, WrongCameras,
    testing::Values(
        Wrong{"", "Line 1: there is no camera in this file."},
        Wrong{"site=home\n", "Line 1: a camera's number, as in [7], must come first."},
        Wrong{"[0]\n", "Line 1: a camera begins with its number, 1 to 255, as in [7]."},
        Wrong{"[256]\n", "Line 1: a camera begins with its number, 1 to 255, as in [7]."},
        Wrong{"[7\n", "Line 1: a camera begins with its number, 1 to 255, as in [7]."},
        Wrong{"[", "Line 1: a camera begins with its number, 1 to 255, as in [7]."},
        Wrong{"[7 ]x\n", "Line 1: a camera begins with its number, 1 to 255, as in [7]."},
        Wrong{"\n[7]\nsite=ho me\n", "Line 3: site must have 1 to 64 letters, digits, _ or -."},
        Wrong{"[7]\nsite=\n", "Line 2: site must have 1 to 64 letters, digits, _ or -."},
        Wrong{"[7]\nsite=" + std::string(65, 'a'),
              "Line 2: site must have 1 to 64 letters, digits, _ or -."},
        Wrong{"[7]\nname=a\n", "Line 2: \"name\" is none of site, camera, lines, key, next-key."},
        Wrong{"[7]\n" + kKey + "=key\n",
              "Line 2: this is none of site, camera, lines, key, next-key."},
        Wrong{"[7]\n" + kKey + "\n", "Line 2: write name=value, or a camera's number as in [7]."},
        Wrong{"[7]\nsite=a\nsite=b\n", "Line 3: site is there twice in one camera."},
        Wrong{"[7]\nlines=a,,b\n",
              "Line 2: a line's name must have 1 to 64 letters, digits, _ or -."},
        Wrong{"[7]\nlines=a,b,a\n", "Line 2: the line \"a\" is there twice."},
        Wrong{"[7]\nlines=a,b,c,d,e\n", "Line 2: a camera can have up to 4 lines over LoRa."},
        Wrong{"[7]\nkey=" + kKey.substr(1) + "\n",
              "Line 2: key must have 64 hexadecimal digits. openssl rand -hex 32 makes one."},
        Wrong{"[7]\nkey=" + kKey + kOther + "\n",
              "Line 2: key must have 64 hexadecimal digits. openssl rand -hex 32 makes one."},
        Wrong{"[7]\nnext-key=x" + kKey.substr(1) + "\n",
              "Line 2: next-key must have 64 hexadecimal digits. openssl rand -hex 32 makes one."},
        Wrong{"#\n[7]\ncamera=door\nkey=" + kKey, "Line 2: camera 7 has no site."},
        Wrong{"[7]\nsite=home\nkey=" + kKey + "\n[8]", "Line 1: camera 7 has no camera."},
        Wrong{"[7]\nsite=home\ncamera=door\n", "Line 1: camera 7 has no key."},
        Wrong{kGood + "next-key=" + kKey,
              "Line 1: camera 7 has the same key twice: next-key is for a new one."},
        Wrong{kGood + "[7]\n", "Line 5: camera 7 is there twice."},
        Wrong{kGood + "[8]\nsite=home\ncamera=door\nkey=" + kOther,
              "Line 5: camera 8 and camera 7 have the same site and camera."},
        Wrong{kGood + "[8]\nsite=home\ncamera=yard\nkey=" + kKey,
              "Line 5: camera 8 and camera 7 have the same key: each needs its own."},
        Wrong{kGood + "[8]\nsite=home\ncamera=yard\nkey=" + kOther + "\nnext-key=" + kKey,
              "Line 5: camera 8 and camera 7 have the same key: each needs its own."}));

TEST(LoraCamerasFile, IsForItsOwnerOnly) {
  char name[] = "/tmp/npc-lora-cameras-XXXXXX";
  const int descriptor = mkstemp(name);
  ASSERT_GE(descriptor, 0);
  close(descriptor);
  std::ofstream(name) << kGood;
  std::vector<Camera> cameras;
  EXPECT_EQ(read_cameras(name, &cameras).error(), "");
  EXPECT_EQ(cameras.size(), 1u);
  const std::string named = "The cameras file \"" + std::string(name) + "\"";
  for (const mode_t mode : {0640, 0604, 0660, 0601}) {
    ASSERT_EQ(chmod(name, mode), 0);
    EXPECT_EQ(
        read_cameras(name, &cameras).error(),
        named + " holds keys and must be open to its owner only: run chmod 600 " + name + ".");
  }
  ASSERT_EQ(chmod(name, 0600), 0);
  std::ofstream(name) << "[7]\nkey=no\n";
  EXPECT_EQ(
      read_cameras(name, &cameras).error(),
      named +
          " cannot be used. Line 2: key must have 64 hexadecimal digits. openssl rand -hex 32 "
          "makes one.");
  EXPECT_EQ(cameras.size(), 1u) << "what was there before is kept";
  std::filesystem::remove(name);
  EXPECT_EQ(read_cameras(name, &cameras).error(),
            named + " cannot be read: No such file or directory.");
  EXPECT_EQ(read_cameras("/tmp", &cameras).error(),
            "The cameras file \"/tmp\" is not a file, but a directory, a pipe or a device.");
}

}  // namespace
