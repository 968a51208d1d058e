// SPDX-License-Identifier: LGPL-2.1-or-later
// The unix updater and readers that are slow, gone, or not there.
#include "npcsink/updaters/unix.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/descriptor.h"
#include "support/numbered.h"
#include "support/waiting.h"

namespace {

using npc::Descriptor;
using npc::sink::DeliveryResult;
using npc::sink::Record;
using npc::test::eventually;
using npc::test::numbered;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Long enough for any machine; the tests of patience set another.
constexpr milliseconds kLong = seconds(50);

class UnixUpdater : public testing::Test {
 protected:
  UnixUpdater() {
    std::string name = (std::filesystem::temp_directory_path() / "npcsink-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    path_ = directory_ + "/counts.sock";
    for (int i = 0; i < 100; i++)
      records_.push_back(numbered(i));
  }
  ~UnixUpdater() override { std::filesystem::remove_all(directory_); }

  void make(const std::string &query = {}, milliseconds timeout = kLong) {
    updater_ = npc::sink::make_unix_updater(npc::parse_uri("unix:" + path_ + query), timeout);
  }

  void listen(int type = SOCK_STREAM, int backlog = 10) {
    std::filesystem::remove(path_);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    listener_ = Descriptor(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    ASSERT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr *>(&address), sizeof(address)), 0);
    if (type == SOCK_STREAM) {
      ASSERT_EQ(::listen(listener_.get(), backlog), 0);
    }
  }
  Descriptor accept() { return Descriptor(accept4(listener_.get(), nullptr, nullptr, 0)); }

  // Reads until that many bytes came, or the end.
  static std::string read_from(const Descriptor &connection, std::size_t size = SIZE_MAX) {
    std::string text;
    char part[512];
    while (text.size() < size) {
      const ssize_t count =
          read(connection.get(), part, std::min(sizeof(part), size - text.size()));
      if (count <= 0)
        break;
      text.append(part, static_cast<std::size_t>(count));
    }
    return text;
  }

  std::string lines() const {
    std::string text;
    for (const Record &record : records_)
      text += record.json + "\n";
    return text;
  }

  // Far more than a socket holds.
  void make_records_large() {
    for (Record &record : records_)
      record.json.append(20000, ' ');
  }

  std::jthread deliver() {
    return std::jthread(
        [this](std::stop_token stop) { outcome_ = updater_->deliver(records_, {}, stop); });
  }

  std::string directory_, path_;
  std::vector<Record> records_;
  std::unique_ptr<npc::sink::Updater> updater_;
  Descriptor listener_;
  DeliveryResult outcome_;
};

TEST_F(UnixUpdater, WritesLinesOverOneConnection) {
  listen();
  make();
  EXPECT_FALSE(updater_->live_only());
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  const Descriptor reader = accept();
  for (int i = 0; i < 3; i++) {
    std::jthread delivering = deliver();
    EXPECT_EQ(read_from(reader, lines().size()), lines());
    delivering.join();
    EXPECT_EQ(outcome_.confirmed, records_.size());
    EXPECT_EQ(outcome_.status.error(), "");
    EXPECT_EQ(updater_->idle({}, {}).error(), "");
  }
  updater_->close();
  EXPECT_EQ(read_from(reader), "");
}

TEST_F(UnixUpdater, ConfirmsNothingThatWasNotRead) {
  listen();
  make();
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  Descriptor reader = accept();
  std::jthread delivering = deliver();
  // Within the second line; the rest is in the socket and dies with the reader.
  read_from(reader, records_[0].json.size() + 5);
  reader = Descriptor();
  delivering.join();
  EXPECT_EQ(outcome_.confirmed, 0u);
  EXPECT_EQ(outcome_.status.error(),
            "The reader of \"" + path_ + "\" has gone before it had read all.");

  // Again, from the first byte of a line.
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  reader = accept();
  delivering = deliver();
  EXPECT_EQ(read_from(reader, lines().size()), lines());
  delivering.join();
  EXPECT_EQ(outcome_.confirmed, records_.size());
}

TEST_F(UnixUpdater, ConfirmsWhatAReaderTookBeforeItClosed) {
  listen();
  make();
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  Descriptor reader = accept();
  std::jthread delivering = deliver();
  EXPECT_EQ(read_from(reader, lines().size()), lines());
  reader = Descriptor();
  delivering.join();
  EXPECT_EQ(outcome_.confirmed, records_.size());
  EXPECT_EQ(updater_->idle({}, {}).error(), "The reader of \"" + path_ + "\" has gone.");
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  reader = accept();
  reader = Descriptor();
  EXPECT_EQ(updater_->deliver(records_, {}, {}).status.error(),
            "The reader of \"" + path_ + "\" has gone.");
}

TEST_F(UnixUpdater, WaitsForASlowReader) {
  listen();
  make();
  make_records_large();
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  const Descriptor reader = accept();
  std::jthread delivering = deliver();
  std::string text;
  while (text.size() < lines().size()) {
    text += read_from(reader, std::min<std::size_t>(40000, lines().size() - text.size()));
    std::this_thread::sleep_for(milliseconds(1));
  }
  delivering.join();
  EXPECT_EQ(text, lines());
  EXPECT_EQ(outcome_.confirmed, records_.size());
}

TEST_F(UnixUpdater, LosesPatienceWithAReaderThatDoesNotRead) {
  listen();
  make("", milliseconds(100));
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  DeliveryResult outcome = updater_->deliver(records_, {}, {});
  EXPECT_EQ(outcome.confirmed, 0u);
  EXPECT_EQ(outcome.status.error(), "The reader of \"" + path_ + "\" does not read: it may hang.");
  make_records_large();
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  outcome = updater_->deliver(records_, {}, {});
  EXPECT_EQ(outcome.confirmed, 0u);
  EXPECT_EQ(outcome.status.error(),
            "The reader of \"" + path_ + "\" does not read, and its buffer is full.");
}

TEST_F(UnixUpdater, LosesPatienceWithAListenerThatDoesNotAccept) {
  listen(SOCK_STREAM, 0);
  std::string failure;
  std::vector<std::unique_ptr<npc::sink::Updater>> waiting;
  for (int i = 0; i < 5 && failure.empty(); i++) {
    make("", milliseconds(100));
    failure = updater_->connect({}, {}).error();
    waiting.push_back(std::move(updater_));
  }
  EXPECT_EQ(failure, "The reader of \"" + path_ + "\" takes no more connections: it may hang.");
}

TEST_F(UnixUpdater, DoesNotHoldUpAStop) {
  listen();
  make();
  for (int round = 0; round < 2; round++) {
    ASSERT_EQ(updater_->connect({}, {}).error(), "");
    {
      std::jthread delivering = deliver();
      std::this_thread::sleep_for(milliseconds(50));
    }
    EXPECT_EQ(outcome_.confirmed, 0u);
    EXPECT_TRUE(outcome_.status.is_stopped());
    make_records_large();  // So that writing does not end either.
  }
}

TEST_F(UnixUpdater, SaysWhoIsNotThere) {
  make();
  EXPECT_EQ(updater_->connect({}, {}).error(),
            "Nobody listens at \"" + path_ + "\": start the reader, or check the path.");
  listen();
  listener_ = Descriptor();
  EXPECT_EQ(updater_->connect({}, {}).error(),
            "Nobody listens at \"" + path_ + "\" any more: start the reader.");
  listen(SOCK_DGRAM);
  EXPECT_EQ(
      updater_->connect({}, {}).error(),
      "\"" + path_ + "\" is not a stream socket: its reader must listen on one (SOCK_STREAM).");
  std::filesystem::remove(path_);
  std::ofstream(path_) << "a file\n";
  EXPECT_EQ(updater_->connect({}, {}).error(),
            "\"" + path_ + "\" is not a socket: give the path at which the reader listens.");
}

TEST_F(UnixUpdater, SpeaksTheClassicForm) {
  listen();
  make("?format=classic");
  EXPECT_TRUE(updater_->live_only());
  records_.clear();
  for (int i = 0; i < 3; i++) {
    records_.push_back(npc::test::record_of(
        R"("time":0,"interval":0,"people":)" + std::to_string(i) + R"(,"moving":7,"faces":9)",
        "gate"));
  }
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  std::jthread delivering = deliver();
  for (const char *expected : {"gate 0 7 9", "gate 1 7 9", "gate 2 7 9"})
    EXPECT_EQ(read_from(accept()), expected);
  delivering.join();
  EXPECT_EQ(outcome_.confirmed, 3u);
  EXPECT_EQ(updater_->idle({}, {}).error(), "");

  // Another reader goes with the second message unread.
  ASSERT_EQ(updater_->connect({}, {}).error(), "");
  delivering = deliver();
  EXPECT_EQ(read_from(accept()), "gate 0 7 9");
  Descriptor unread = accept();
  char first = 0;
  EXPECT_EQ(recv(unread.get(), &first, 1, MSG_PEEK), 1);
  unread = Descriptor();
  delivering.join();
  EXPECT_EQ(outcome_.confirmed, 1u);
  EXPECT_EQ(outcome_.status.error(),
            "The reader of \"" + path_ + "\" has gone before it had read all.");
}

}  // namespace
