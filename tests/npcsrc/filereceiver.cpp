// SPDX-License-Identifier: LGPL-2.1-or-later
// The file receiver, on good and bad recordings.
#include "npcsrc/receivers/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/wait.h"
#include "npcsrc/receivers/registry.h"
#include "support/records.h"

namespace npc::source {
namespace {

using namespace std::chrono_literals;
using test::record_json;
using Clock = std::chrono::steady_clock;

class FileReceiver : public testing::Test {
 protected:
  FileReceiver() {
    std::string name = (std::filesystem::temp_directory_path() / "npcsrc-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    path_ = directory_ + "/counts.jsonl";
  }
  ~FileReceiver() override { std::filesystem::remove_all(directory_); }

  void write(const std::string &text) const { std::ofstream(path_) << text; }

  // All that comes until the end.
  Reception play(const std::string &query = "?speed=0") {
    const auto receiver = make_receiver("file:" + path_ + query);
    Reception came;
    Status status = receiver->open();
    while (status.is_ok() && !came.ended)
      status = receiver->receive(came, bell_.get(), Clock::time_point::max());
    error_ = status.error();
    return came;
  }

  static std::string lines(guint64 from, guint64 to) {
    std::string text;
    for (guint64 seq = from; seq < to; seq++)
      text += record_json(seq) + "\n";
    return text;
  }

  std::string directory_, path_, error_;
  Bell bell_;
};

TEST_F(FileReceiver, PlaysARecording) {
  write(lines(0, 2000));
  const Reception came = play();
  EXPECT_EQ(error_, "");
  EXPECT_EQ(came.refused, 0u);
  ASSERT_EQ(came.records.size(), 2000u);
  for (std::size_t i = 0; i < came.records.size(); i++) {
    EXPECT_EQ(came.records[i].json, record_json(i));
    EXPECT_EQ(came.records[i].id, (RecordId{{"home", "door", "5f0c"}, i}));
    EXPECT_EQ(came.records[i].interval, 2s);
  }
}

TEST_F(FileReceiver, AnEmptyFileEndsAtOnce) {
  write("");
  EXPECT_TRUE(play().records.empty());
  write("\n\n");
  EXPECT_EQ(play().refused, 0u);
}

TEST_F(FileReceiver, WhatIsNoRecordIsRefusedAndNoEnd) {
  write("nonsense\n" + lines(0, 1) + "{\"version\":2}\n" + std::string(100000, 'x') + "\n" +
        lines(1, 2) + std::string(5000, 'y') + "\n" + std::string("\0\xff\n", 3) + lines(2, 3));
  const Reception came = play();
  EXPECT_EQ(came.refused, 5u);
  EXPECT_EQ(came.records.size(), 3u);
}

TEST_F(FileReceiver, ATornLastLineIsRefused) {
  const std::string text = lines(0, 2);
  for (const std::size_t size : {text.size() - 1, text.size() - 50, record_json(0).size() + 2}) {
    write(text.substr(0, size));
    const Reception came = play();
    EXPECT_EQ(came.records.size(), 1u);
    EXPECT_EQ(came.refused, 1u);
    EXPECT_EQ(came.reason, "The last line of \"" + path_ + "\" has no end: it was cut off.");
  }
  write(lines(0, 1) + std::string(70000, 'x'));
  EXPECT_EQ(play().refused, 1u);
}

TEST_F(FileReceiver, KeepsThePaceOfTheRecords) {
  write(lines(0, 3));
  const auto receiver = make_receiver("file:" + path_);
  ASSERT_TRUE(receiver->open().is_ok());
  Reception came;
  const auto begin = Clock::now();
  ASSERT_TRUE(receiver->receive(came, bell_.get(), Clock::time_point::max()).is_ok());
  EXPECT_EQ(came.records.size(), 1u);
  // A bell ends the wait for the second, which is 2 s later, and takes nothing from it.
  bell_.ring();
  ASSERT_TRUE(receiver->receive(came, bell_.get(), Clock::time_point::max()).is_ok());
  EXPECT_EQ(came.records.size(), 1u);
  bell_.clear();
  ASSERT_TRUE(receiver->receive(came, bell_.get(), Clock::time_point::max()).is_ok());
  EXPECT_EQ(came.records.size(), 2u);
  EXPECT_GE(Clock::now() - begin, 2s);
}

TEST_F(FileReceiver, PlaysFasterAndOverClocksThatWereSetBack) {
  write(lines(50, 60) + lines(0, 3));
  const auto begin = Clock::now();
  EXPECT_EQ(play("?speed=100").records.size(), 13u);
  EXPECT_GE(Clock::now() - begin, 220ms);
}

TEST_F(FileReceiver, OpensPlainFilesOnly) {
  play();
  EXPECT_EQ(error_, "Cannot open \"" + path_ +
                        "\": No such file or directory. Check the path, and who may read it.");
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  play();
  EXPECT_EQ(error_, "\"" + path_ + "\" is no plain file: give the path of a file of records.");
}

TEST(Receivers, BadUrisAreRefusedWithASentence) {
  struct Bad {
    const char *uri, *part;
  };
  for (const Bad &bad :
       {Bad{"",
            "The receiver \"\" is refused: it must begin with one of file:, lora:, mqtt:, mqtts:, "
            "unix:."},
        Bad{"/tmp/a", "it must begin with one of file:, lora:, mqtt:, mqtts:, unix:"},
        Bad{"ftp://host/a",
            "there is no receiver ftp:, it must be one of file:, lora:, mqtt:, mqtts:, unix:"},
        Bad{"file:a", "the path must begin with a /, as in file:/var/log/npc/counts.jsonl"},
        Bad{"file:/tmp/", "this is a directory; add the name of a file"},
        Bad{"file://host/a", "a file has no host; write file:/path/to/file"},
        Bad{"file:/a?speed=fast", "speed must be a number from 0.001 to 1000, or 0"},
        Bad{"file:/a?speed=-1", "speed must be a number"},
        Bad{"file:/a?speed=inf", "speed must be a number"},
        Bad{"file:/a?speed=nan", "speed must be a number"},
        Bad{"file:/a?fsync=1", "it has no parameter fsync; there are speed"},
        Bad{"unix:a", "the path must begin with a /, as in unix:/run/npc/counts.sock"},
        Bad{"unix:/tmp/", "add the name of a socket"},
        Bad{"unix:/a?site=front%20door", "site must be 1 to 64 letters, digits, _ or -"},
        Bad{"unix:/a?format=json", "it has no parameter format; there are site"}}) {
    try {
      make_receiver(bad.uri);
      ADD_FAILURE() << bad.uri;
    } catch (const UriError &error) {
      EXPECT_NE(std::string(error.what()).find(bad.part), std::string::npos) << error.what();
      EXPECT_TRUE(std::string(error.what()).starts_with("The receiver \"")) << error.what();
    }
  }
  EXPECT_THROW(make_receiver("unix:/" + std::string(200, 'a')), UriError);
}

}  // namespace
}  // namespace npc::source
