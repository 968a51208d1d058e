// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink and readers of its socket in processes of their own, which are late, killed and back.
#include <gst/check/gstharness.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "support/playingsink.h"
#include "support/process.h"
#include "support/waiting.h"

namespace {

using npc::test::eventually;
using npc::test::PlayingSink;
using npc::test::Process;
using npc::test::record_json;
using npc::test::TemporaryDirectory;

class UnixSocket : public testing::Test {
 protected:
  void SetUp() override {
    if (!npc::test::have_program("python3"))
      GTEST_SKIP() << "python3 is not installed";
  }

  Process read_as(const std::string &form) const {
    return Process({"python3", std::string(NPC_TESTS) + "/system/reader.py", directory_ / "socket",
                    directory_ / "output", form},
                   directory_ / "log");
  }
  std::string uri() const { return "unix:" + directory_ / "socket"; }
  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    std::istringstream text(npc::test::content_of(directory_ / "output"));
    for (std::string line; std::getline(text, line);)
      all.push_back(line);
    return all;
  }
  std::string log() const { return npc::test::content_of(directory_ / "log"); }

  TemporaryDirectory directory_;
};

TEST_F(UnixSocket, BringsEachRecordToAReaderThatIsLate) {
  PlayingSink sink(uri());
  sink.push(0, 1000);
  EXPECT_EQ(sink.wait_for("disconnected"), "Nobody listens at \"" + directory_ / "socket" +
                                               "\": start the reader, or check the path.");
  const Process reader = read_as("json");
  EXPECT_TRUE(sink.drain());
  std::vector<std::string> expected;
  for (guint64 seq = 0; seq < 1000; seq++)
    expected.push_back(record_json(seq));
  EXPECT_TRUE(eventually([&] { return lines() == expected; })) << log();
  EXPECT_FALSE(sink.posted_an_error());
}

TEST_F(UnixSocket, LosesNothingWhenTheReaderIsKilled) {
  PlayingSink sink(uri());
  guint64 seq = 0;
  for (int kill = 0; kill < 5; kill++) {
    Process reader = read_as("json");
    sink.push(seq, seq + 2000);
    seq += 2000;
    ASSERT_TRUE(eventually([&] { return sink.number("delivered") + 1900 > seq; })) << log();
    reader.signal(SIGKILL);
    reader.wait();
  }
  const Process reader = read_as("json");
  EXPECT_TRUE(sink.drain());
  std::set<std::string> expected;
  for (guint64 i = 0; i < seq; i++)
    expected.insert(record_json(i));
  // Half a line that a kill left behind is none of them, but the whole one follows.
  EXPECT_TRUE(eventually([&] {
    const auto all = lines();
    const std::set<std::string> seen(all.begin(), all.end());
    return std::includes(seen.begin(), seen.end(), expected.begin(), expected.end());
  })) << log();
}

TEST_F(UnixSocket, SpeaksToTheUpdatersOfTheFirstNoPictureCamera) {
  const Process reader = read_as("classic");
  PlayingSink sink(uri() + "?format=classic");
  sink.push(0, 100, "cam-1");
  EXPECT_TRUE(sink.drain());
  std::vector<std::string> expected;
  for (int seq = 0; seq < 100; seq++)
    expected.push_back("cam-1 " + std::to_string(seq % 10) + " 0 0");
  EXPECT_TRUE(eventually([&] { return lines() == expected; })) << log();
}

}  // namespace
