// SPDX-License-Identifier: LGPL-2.1-or-later
// The file updater when its file is moved, cut or must be on the disk.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "npcsink/updaters/registry.h"
#include "support/numbered.h"

namespace {

using npc::sink::DeliveryResult;
using npc::sink::Record;
using npc::test::numbered;
namespace fs = std::filesystem;

int syncs = 0;
off_t size_at_sync = 0;
bool sync_fails = false;

}  // namespace

// In place of the C library's, so that a test sees when it is called and can have it fail.
extern "C" int fdatasync(int descriptor) {
  struct stat status;
  syncs++;
  size_at_sync = fstat(descriptor, &status) == 0 ? status.st_size : -1;
  if (sync_fails) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fdatasync, descriptor));
}

namespace {

class FileRotation : public testing::Test {
 protected:
  FileRotation() {
    std::string name = (fs::temp_directory_path() / "npcsink-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    path_ = directory_ + "/counts.jsonl";
    syncs = 0;
    sync_fails = false;
  }
  ~FileRotation() override { fs::remove_all(directory_); }

  void open(const std::string &query = {}) {
    updater_ = npc::sink::Registry::standard().make("file:" + path_ + query);
    ASSERT_EQ(updater_->connect({}, {}).error(), "");
  }
  DeliveryResult write(int from, int to) {
    std::vector<Record> records;
    for (int i = from; i < to; i++)
      records.push_back(numbered(i));
    return updater_->deliver(records, {}, {});
  }
  static std::string lines(int from, int to) {
    std::string text;
    for (int i = from; i < to; i++)
      text += numbered(i).json + "\n";
    return text;
  }
  std::string content(const std::string &suffix = {}) const {
    std::ostringstream text;
    text << std::ifstream(path_ + suffix).rdbuf();
    return text.str();
  }

  std::string directory_, path_;
  std::unique_ptr<npc::sink::Updater> updater_;
};

TEST_F(FileRotation, GoesOnInANewFile) {
  open();
  EXPECT_EQ(write(0, 3).confirmed, 3u);
  fs::rename(path_, path_ + ".1");
  EXPECT_EQ(write(3, 5).confirmed, 2u);
  EXPECT_EQ(content(".1"), lines(0, 3));
  EXPECT_EQ(content(), lines(3, 5));
}

TEST_F(FileRotation, TakesTheFileThatWasMadeForIt) {
  open();
  EXPECT_EQ(write(0, 3).confirmed, 3u);
  fs::rename(path_, path_ + ".1");
  const int made = ::open(path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  ASSERT_GE(made, 0);
  close(made);
  EXPECT_EQ(write(3, 5).confirmed, 2u);
  EXPECT_EQ(content(), lines(3, 5));
  struct stat status;
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
}

TEST_F(FileRotation, LetsGoOfAMovedFileWithoutARecord) {
  open();
  EXPECT_EQ(write(0, 3).confirmed, 3u);
  EXPECT_EQ(updater_->idle({}, {}).error(), "");
  fs::remove(path_);
  EXPECT_EQ(updater_->idle({}, {}).error(), "");
  EXPECT_TRUE(fs::exists(path_));
}

TEST_F(FileRotation, GoesOnAtTheBeginningOfAFileThatWasCut) {
  open();
  EXPECT_EQ(write(0, 3).confirmed, 3u);
  fs::resize_file(path_, 0);  // As copytruncate does.
  EXPECT_EQ(write(3, 5).confirmed, 2u);
  EXPECT_EQ(content(), lines(3, 5));
}

TEST_F(FileRotation, SaysThatThereCanBeNoNewFile) {
  open();
  EXPECT_EQ(write(0, 3).confirmed, 3u);
  fs::rename(directory_, directory_ + ".old");
  const std::string why = "Cannot open \"" + path_ +
                          "\": its directory does not exist. Create the directory, or choose "
                          "another path.";
  EXPECT_EQ(updater_->idle({}, {}).error(), why);
  EXPECT_EQ(updater_->connect({}, {}).error(), why);
  fs::rename(directory_ + ".old", directory_);
  EXPECT_EQ(updater_->connect({}, {}).error(), "");
  EXPECT_EQ(write(3, 5).confirmed, 2u);
  EXPECT_EQ(content(), lines(0, 5));
}

TEST_F(FileRotation, ConfirmsWhatIsOnTheDisk) {
  open("?fsync=1");
  EXPECT_EQ(write(0, 100).confirmed, 100u);
  EXPECT_EQ(syncs, 1);  // Once for all of them, after the last one.
  EXPECT_EQ(size_at_sync, static_cast<off_t>(lines(0, 100).size()));
  sync_fails = true;
  const DeliveryResult outcome = write(100, 200);
  EXPECT_EQ(outcome.confirmed, 0u);
  EXPECT_EQ(outcome.status.error(),
            "Cannot bring \"" + path_ + "\" to the disk: Input/output error.");
  sync_fails = false;
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  EXPECT_EQ(write(100, 200).confirmed, 100u);
  EXPECT_TRUE(content().ends_with(lines(100, 200)));
}

TEST_F(FileRotation, DoesNotWaitForTheDiskUnasked) {
  open();
  EXPECT_EQ(write(0, 100).confirmed, 100u);
  EXPECT_EQ(syncs, 0);
}

TEST_F(FileRotation, SaysWhatHasNoDisk) {
  updater_ = npc::sink::Registry::standard().make("file:/dev/null?fsync=1");
  EXPECT_EQ(updater_->connect({}, {}).error(),
            "There is no disk behind \"/dev/null\": leave fsync out.");
}

}  // namespace
