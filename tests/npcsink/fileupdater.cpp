// SPDX-License-Identifier: LGPL-2.1-or-later
// The file updater on real files, pipes and devices.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>
#include <string>
#include <thread>

#include "npcsink/dispatcher.h"
#include "npcsink/updaters/registry.h"
#include "support/numbered.h"
#include "support/waiting.h"

namespace {

using npc::sink::Dispatcher;
using npc::sink::Drained;
using npc::test::eventually;
using npc::test::numbered;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class FileUpdater : public testing::Test {
 protected:
  FileUpdater() {
    std::string name = (std::filesystem::temp_directory_path() / "npcsink-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    options_.retry_first = milliseconds(5);
    options_.retry_last = milliseconds(20);
    options_.idle = milliseconds(5);
  }
  ~FileUpdater() override {
    delivery_.reset();
    std::filesystem::remove_all(directory_);
  }

  std::string path(const std::string &name) const { return directory_ + "/" + name; }

  void start(const std::string &updaters) {
    store_ = std::make_shared<npc::sink::Store>(npc::sink::StoreOptions(),
                                                [](const npc::sink::StoreEvent &) {});
    delivery_ = std::make_unique<Dispatcher>(updaters, npc::sink::Registry::standard(), store_,
                                             options_, [](const npc::sink::UpdaterEvent &) {});
    delivery_->start();
  }

  void push(int from, int to) {
    for (int i = from; i < to; i++)
      store_->push(numbered(i));
  }

  npc::sink::UpdaterStats stats(std::size_t index = 0) { return delivery_->stats().at(index); }

  bool fails_with(const std::string &sentence) {
    const bool failed = eventually([&] { return stats().failed > 0; });
    EXPECT_EQ(stats().last_error, sentence);
    return failed;
  }

  static std::string lines(int from, int to) {
    std::string text;
    for (int i = from; i < to; i++)
      text += numbered(i).json + "\n";
    return text;
  }

  static std::string content(const std::string &path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  // Reads until `size` bytes came, or the end.
  static std::string read_from(int descriptor, std::size_t size) {
    std::string text;
    char part[4096];
    while (text.size() < size) {
      const ssize_t count = read(descriptor, part, std::min(sizeof(part), size - text.size()));
      if (count <= 0)
        break;
      text.append(part, static_cast<std::size_t>(count));
    }
    return text;
  }

  std::string directory_;
  npc::sink::WorkerOptions options_;
  std::shared_ptr<npc::sink::Store> store_;
  std::unique_ptr<Dispatcher> delivery_;
};

TEST_F(FileUpdater, AppendsLines) {
  std::ofstream(path("a")) << "before\n";
  start("file:" + path("a"));
  push(0, 250);
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
  EXPECT_EQ(content(path("a")), "before\n" + lines(0, 250));
  EXPECT_EQ(stats().delivered, 250u);
  EXPECT_EQ(stats().failed, 0u);
}

TEST_F(FileUpdater, WaitsForADirectory) {
  start("file:" + path("later/a"));
  push(0, 10);
  ASSERT_TRUE(fails_with("Cannot open \"" + path("later/a") +
                         "\": its directory does not exist. Create the directory, or choose "
                         "another path."));
  std::filesystem::create_directory(path("later"));
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
  EXPECT_EQ(content(path("later/a")), lines(0, 10));
}

TEST_F(FileUpdater, RefusesADirectory) {
  start("file:" + directory_);
  push(0, 1);
  EXPECT_TRUE(fails_with("Cannot open \"" + directory_ + "\" for writing: Is a directory."));
}

TEST_F(FileUpdater, OutlivesAFullDisk) {
  options_.retry_first = options_.retry_last = hours(1);
  start("file:/dev/full");
  push(0, 10);
  ASSERT_TRUE(fails_with("Cannot write to \"/dev/full\": No space left on device."));
  EXPECT_EQ(stats().pending, 10u);
  EXPECT_EQ(stats().delivered, 0u);
  EXPECT_FALSE(stats().connected);
}

TEST_F(FileUpdater, LeavesNoHalfLineWhenSpaceEnds) {
  struct rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const std::size_t line = numbered(0).json.size() + 1;
  // Room for three lines and a half.
  struct rlimit tight = {line * 3 + line / 2, before.rlim_max};
  start("file:" + path("a"));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  push(0, 10);
  const bool failed = eventually([&] { return stats().failed > 1; });
  const std::string then = content(path("a"));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);

  ASSERT_TRUE(failed);
  EXPECT_EQ(stats().last_error, "Cannot write to \"" + path("a") + "\": File too large.");
  EXPECT_EQ(then, lines(0, 3));
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
  EXPECT_EQ(content(path("a")), lines(0, 10));
}

TEST_F(FileUpdater, EndsTheLineThatAPowerCutLeft) {
  std::ofstream(path("a")) << "whole\n{\"seq\":";
  start("file:" + path("a"));
  push(0, 2);
  EXPECT_EQ(delivery_->drain(seconds(30)), Drained::kAll);
  EXPECT_EQ(content(path("a")), "whole\n{\"seq\":\n" + lines(0, 2));
}

TEST_F(FileUpdater, WaitsForAReaderOfAPipe) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  start("file:" + path("pipe"));
  push(0, 10);
  ASSERT_TRUE(fails_with("Nobody reads the pipe \"" + path("pipe") + "\"."));

  int reader = open(path("pipe").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  EXPECT_EQ(read_from(reader, lines(0, 10).size()), lines(0, 10));
  ASSERT_TRUE(eventually([&] { return stats().delivered == 10; }));

  // The reader goes, which must not end the process, and another one comes.
  close(reader);
  push(10, 11);
  ASSERT_TRUE(eventually([&] {
    return stats().last_error == "Nobody reads \"" + path("pipe") + "\" any more." ||
           stats().last_error == "Nobody reads the pipe \"" + path("pipe") + "\".";
  }));
  reader = open(path("pipe").c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  // Until the updater has opened it again, the pipe is at its end.
  std::string text;
  const std::string expected = lines(10, 11);
  EXPECT_TRUE(eventually([&] {
    text += read_from(reader, expected.size() - text.size());
    return text == expected;
  }));
  close(reader);
}

TEST_F(FileUpdater, IsNotHeldUpByAReaderThatSleeps) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  const int reader = open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  start("file:" + path("pipe") + " file:" + path("a"));
  push(0, 9000);
  EXPECT_TRUE(eventually([&] { return stats(1).delivered == 9000; }));
  ASSERT_TRUE(eventually([&] { return stats(0).delivered > 0; }));
  delivery_->stop();  // While a write waits.
  EXPECT_GT(stats(0).pending, 0u);
  EXPECT_EQ(content(path("a")), lines(0, 9000));

  // What was delivered is in the pipe, whole.
  const int delivered = static_cast<int>(stats(0).delivered);
  EXPECT_EQ(read_from(reader, lines(0, 9000).size()), lines(0, delivered));
  close(reader);
}

TEST_F(FileUpdater, WritesToTheStandardOutputAsItIs) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  std::fflush(stdout);
  const int saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  ASSERT_GE(dup2(ends[1], STDOUT_FILENO), 0);
  start("file:/dev/stdout");
  push(0, 5);
  const Drained drained = delivery_->drain(seconds(30));
  delivery_.reset();
  const int flags = fcntl(STDOUT_FILENO, F_GETFL);
  ASSERT_GE(dup2(saved, STDOUT_FILENO), 0);
  close(saved);
  close(ends[1]);
  EXPECT_EQ(drained, Drained::kAll);
  EXPECT_EQ(read_from(ends[0], 10000), lines(0, 5));
  EXPECT_EQ(flags & O_NONBLOCK, 0);
  close(ends[0]);
}

TEST_F(FileUpdater, SharesTheStandardOutputThatIsAFile) {
  const int file = open(path("out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(file, 0);
  std::fflush(stdout);
  const int saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  ASSERT_GE(dup2(file, STDOUT_FILENO), 0);
  const bool before = write(STDOUT_FILENO, "before\n", 7) == 7;
  start("file:/dev/stdout");
  push(0, 5);
  const Drained drained = delivery_->drain(seconds(30));
  const bool after = write(STDOUT_FILENO, "after\n", 6) == 6;
  delivery_.reset();
  ASSERT_GE(dup2(saved, STDOUT_FILENO), 0);
  close(saved);
  close(file);
  EXPECT_EQ(drained, Drained::kAll);
  EXPECT_TRUE(before && after);
  EXPECT_EQ(content(path("out")), "before\n" + lines(0, 5) + "after\n");
}

// A record that does not fit into a pipe at once, and a stop before the rest of it.
TEST_F(FileUpdater, BeginsALineAnewAfterOneThatAStopCut) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  const int reader = open(path("pipe").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  ASSERT_GE(fcntl(reader, F_SETPIPE_SZ, 4096), 4096);
  const auto updater = npc::sink::Registry::standard().make("file:" + path("pipe"));
  ASSERT_EQ(updater->connect({}, {}).error(), "");
  npc::sink::Record longest = numbered(0);
  longest.json.resize(4096, ' ');
  {
    std::jthread delivering([&](std::stop_token stop) {
      EXPECT_EQ(updater->deliver(std::span(&longest, 1), {}, stop).confirmed, 0u);
    });
    int in_it = 0;
    EXPECT_TRUE(eventually([&] { return ioctl(reader, FIONREAD, &in_it) == 0 && in_it == 4096; }));
  }
  updater->close();
  EXPECT_EQ(read_from(reader, 4096), longest.json);
  ASSERT_EQ(updater->connect({}, {}).error(), "");
  const npc::sink::Record next = numbered(1);
  // Only once.
  for (const std::string before : {"\n", ""}) {
    EXPECT_EQ(updater->deliver(std::span(&next, 1), {}, {}).confirmed, 1u);
    EXPECT_EQ(read_from(reader, 10000), before + next.json + "\n");
  }
  close(reader);
}

// As that of a shell whose connection froze.
TEST_F(FileUpdater, IsNotHeldUpByATerminalThatFroze) {
  const int screen = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (screen < 0)
    GTEST_SKIP() << "no pseudo terminals here: /dev/pts is not mounted";
  ASSERT_TRUE(grantpt(screen) == 0 && unlockpt(screen) == 0);
  const int terminal = open(ptsname(screen), O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(terminal, 0);
  std::fflush(stdout);
  const int saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  ASSERT_GE(dup2(terminal, STDOUT_FILENO), 0);
  start("file:/dev/stdout");
  push(0, 9000);
  const bool started = eventually([&] { return stats().connected; });
  std::this_thread::sleep_for(milliseconds(200));  // Until the terminal takes no more.
  std::atomic<bool> stopped = false;
  std::thread stopping([&] {
    delivery_->stop();
    stopped = true;
  });
  bool in_time = false;
  for (int i = 0; i < 1000 && !in_time; i++) {
    std::this_thread::sleep_for(milliseconds(5));
    in_time = stopped;
  }
  fcntl(screen, F_SETFL, O_NONBLOCK);
  for (char part[4096]; !stopped;) {
    if (read(screen, part, sizeof(part)) < 0)
      std::this_thread::sleep_for(milliseconds(1));
  }
  stopping.join();
  const auto pending = stats().pending;
  ASSERT_GE(dup2(saved, STDOUT_FILENO), 0);
  for (const int descriptor : {saved, terminal, screen})
    close(descriptor);
  EXPECT_TRUE(started);
  EXPECT_TRUE(in_time);
  EXPECT_GT(pending, 0u);
}

}  // namespace
