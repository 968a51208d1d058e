// SPDX-License-Identifier: LGPL-2.1-or-later
// Ranges of records as text, from friends and strangers.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "base/recordrange.h"

namespace npc {
namespace {

RC_GTEST_PROP(RecordRanges, AreReadAsTheyAreWritten, ()) {
  const auto name =
      rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::elementOf(std::string("aZ0_-"))));
  RecordRange records{*name, *name, *name, {}};
  for (std::string *each : {&records.site, &records.camera, &records.boot})
    each->resize(std::min<std::size_t>(each->size(), 64));
  const auto number = rc::gen::inRange<std::uint64_t>(0, INT64_MAX);
  const std::uint64_t one = *number, other = *number;
  records.range = {std::min(one, other), std::max(one, other)};
  RC_ASSERT(read_record_range(write_record_range(records, true)) == records);
  RC_ASSERT(read_record_range(write_record_range(records, false), records.site, records.camera) ==
            records);
  RC_ASSERT(!read_record_range(write_record_range(records, false)));
}

RC_GTEST_PROP(RecordRanges, AnythingIsReadOrRefused, (const std::string &text)) {
  const auto read = read_record_range(text, "home", "door");
  RC_ASSERT(!read || read->range.from <= read->range.to);
}

TEST(RecordRanges, AreRefusedIfTheyAreNone) {
  for (const std::string text :
       {"", "{", "[]", "7", R"({"boot":"a","from":1})", R"({"boot":"a","from":2,"to":1})",
        R"({"boot":"a","from":-1,"to":1})", R"({"boot":"a","from":0.5,"to":1})",
        R"({"boot":"a","from":"0","to":1})", R"({"boot":"","from":0,"to":1})",
        R"({"boot":"a/b","from":0,"to":1})", R"({"boot":5,"from":0,"to":1})",
        R"({"boot":"a","from":0,"to":9223372036854775807})",
        R"({"boot":"a","from":0,"to":99999999999999999999})"})
    EXPECT_FALSE(read_record_range(text, "home", "door")) << text;
  const std::string fine = R"({"boot":"a","from":0,"to":1})";
  EXPECT_TRUE(read_record_range(fine, "home", "door"));
  EXPECT_FALSE(read_record_range(fine + std::string(512, ' '), "home", "door"));
  EXPECT_FALSE(read_record_range(std::string(400, '['), "home", "door"));
}

}  // namespace
}  // namespace npc
