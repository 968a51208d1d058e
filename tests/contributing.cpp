// SPDX-License-Identifier: LGPL-2.1-or-later
// The updater of docs/contributing.md, as it stands there: what it takes to add one is what the
// page says.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "npcsink/updaters/registry.h"
#include "npcsink/updaters/syslog.h"

namespace {

std::string text_of(const std::string &file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

TEST(Contributing, TheUpdaterOfThePageIsMadeByItsUriAndDelivers) {
  npc::Registry registry;
  registry.add("syslog", npc::make_syslog_updater);
  const auto updater = registry.make("syslog:npc");
  EXPECT_EQ(updater->target(), "the system's log, as npc");
  const std::vector<npc::Record> records(3);
  EXPECT_EQ(updater->connect(records.front(), {}), "");
  EXPECT_EQ(updater->deliver(records, {}).confirmed, 3u);
  updater->close();
  EXPECT_THROW(registry.make("syslog://host/npc"), npc::UriError);
  EXPECT_THROW(registry.make("syslog:npc?x=1"), npc::UriError);
}

// The lines that the page says are to be added have others like them.
TEST(Contributing, TheOtherPlacesOfThePageAreThere) {
  const std::string sources = NPC_SOURCES;
  EXPECT_NE(text_of(sources + "/elements/npcsink/updaters/registry.cpp")
                .find("made.add(\"file\", make_file_updater);"),
            std::string::npos);
  EXPECT_NE(text_of(sources + "/elements/npcsink/meson.build").find("'updaters/file.cpp'"),
            std::string::npos);
}

}  // namespace
