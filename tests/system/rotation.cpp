// SPDX-License-Identifier: LGPL-2.1-or-later
// npcsink's file under the real logrotate.
#include <gst/check/gstharness.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "support/playingsink.h"
#include "support/process.h"
#include "support/waiting.h"

namespace {

using npc::test::content_of;
using npc::test::eventually;
using npc::test::PlayingSink;
using npc::test::Process;
using npc::test::record_json;
using npc::test::TemporaryDirectory;

class Rotation : public testing::TestWithParam<const char *> {};

// Whether each record is in one of the files, in order, for both ways that logrotate has.
TEST_P(Rotation, LosesNothing) {
  if (!npc::test::have_program("logrotate"))
    GTEST_SKIP() << "logrotate is not installed";
  TemporaryDirectory directory;
  const std::string file = directory / "counts.jsonl";
  // It refuses a directory that others may write to.
  ASSERT_EQ(chmod((directory / "").c_str(), 0700), 0);
  std::ofstream(directory / "logrotate.conf")
      << file << " {\n  rotate 9\n  nocompress\n  " << GetParam() << "\n}\n";
  chmod((directory / "logrotate.conf").c_str(), 0600);

  PlayingSink sink("file:" + file + "?fsync=1");
  guint64 seq = 0;
  for (int round = 0; round < 3; round++) {
    sink.push(seq, seq + 100);
    seq += 100;
    ASSERT_TRUE(eventually([&] { return sink.number("delivered") == seq; }));
    ASSERT_EQ(Process({"logrotate", "--force", "--state", directory / "state",
                       directory / "logrotate.conf"},
                      directory / "log")
                  .wait(),
              0)
        << content_of(directory / "log");
  }
  sink.push(seq, seq + 100);
  seq += 100;
  EXPECT_TRUE(sink.drain());
  std::string expected;
  for (guint64 i = 0; i < seq; i++)
    expected += record_json(i) + "\n";
  EXPECT_EQ(content_of(file + ".3") + content_of(file + ".2") + content_of(file + ".1") +
                content_of(file),
            expected);
  EXPECT_NE(content_of(file), "");
  EXPECT_FALSE(sink.posted_an_error());
}

INSTANTIATE_TEST_SUITE_P(
    All, Rotation, testing::Values("create 0600", "nocreate", "copytruncate"),
    [](const auto &info) {
      return std::string(info.param).substr(0, std::string(info.param).find(' '));
    });

}  // namespace
