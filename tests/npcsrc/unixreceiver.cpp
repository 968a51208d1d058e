// SPDX-License-Identifier: LGPL-2.1-or-later
// The unix receiver and its senders: good, bad and hostile ones.
#include "npcsrc/receivers/unix.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/wait.h"
#include "npcsrc/receivers/connection.h"
#include "npcsrc/receivers/registry.h"
#include "support/records.h"
#include "support/sender.h"

namespace npc::source {
namespace {

using namespace std::chrono_literals;
using test::record_json;
using test::Sender;
using Clock = std::chrono::steady_clock;

class UnixReceiver : public testing::Test {
 protected:
  UnixReceiver() {
    std::string name = (std::filesystem::temp_directory_path() / "npcsrc-XXXXXX").string();
    directory_ = mkdtemp(name.data());
    path_ = directory_ + "/counts.sock";
    make();
  }
  ~UnixReceiver() override {
    receiver_.reset();
    std::filesystem::remove_all(directory_);
  }

  void make(const std::string &query = {}) { receiver_ = make_receiver("unix:" + path_ + query); }
  void open() {
    const Status status = receiver_->open();
    ASSERT_TRUE(status.is_ok()) << status.error();
  }

  // Receives until that holds; the limit is only there so that a broken test ends.
  template <typename Condition>
  bool receive_until(Condition condition) {
    const auto end = Clock::now() + 60s;
    while (!condition()) {
      if (Clock::now() > end)
        return false;
      Reception fresh;
      const Status status = receiver_->receive(fresh, bell_.get(), Clock::now() + 5ms);
      EXPECT_TRUE(status.is_ok()) << status.error();
      came_.refused += fresh.refused;
      std::ranges::move(fresh.records, std::back_inserter(came_.records));
      std::ranges::move(fresh.senders, std::back_inserter(came_.senders));
      std::ranges::move(fresh.unavailable, std::back_inserter(came_.unavailable));
      if (!auto_store_)
        continue;
      for (; stored_ < came_.records.size(); stored_++)
        receiver_->stored(came_.records[stored_].id, came_.records[stored_].ticket);
    }
    return true;
  }
  bool receive(std::size_t records) {
    return receive_until([&] { return came_.records.size() >= records; });
  }
  // Some rounds in which nothing more should come.
  void rest() {
    int rounds = 0;
    receive_until([&] { return rounds++ >= 10; });
  }
  void store(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; i++)
      receiver_->stored(came_.records[i].id, came_.records[i].ticket);
  }

  static std::string lines(guint64 from, guint64 to, const char *camera = "door") {
    std::string text;
    for (guint64 seq = from; seq < to; seq++)
      text += record_json(seq, camera) + "\n";
    return text;
  }

  std::string directory_, path_;
  std::unique_ptr<Receiver> receiver_;
  Bell bell_;
  Reception came_;
  bool auto_store_ = true;
  std::size_t stored_ = 0;
};

TEST_F(UnixReceiver, ListensForItsGroup) {
  const mode_t before = umask(0077);
  open();
  umask(before);
  struct stat status;
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  EXPECT_EQ(status.st_mode & 07777, 0660u);
  receiver_->close();
  EXPECT_FALSE(std::filesystem::exists(path_)) << "nothing stays behind";
  open();
}

TEST(UnixReceiverPeers, AreTheUserRootAndTheGroup) {
  EXPECT_TRUE(may_send({1000, {1000}}, 1000, 5));
  EXPECT_TRUE(may_send({0, {0}}, 1000, 5));
  EXPECT_TRUE(may_send({1001, {1001, 4, 5}}, 1000, 5));
  EXPECT_FALSE(may_send({1001, {1001, 4}}, 1000, 5));
  EXPECT_FALSE(may_send({1001, {}}, 1000, 5));
}

TEST_F(UnixReceiver, TurnsAwayWhoMayNotSend) {
  if (geteuid() != 0)
    GTEST_SKIP() << "only root can be somebody else";
  open();
  // As somebody might do who wonders why nothing comes.
  ASSERT_EQ(chmod(directory_.c_str(), 0755) + chmod(path_.c_str(), 0666), 0);
  constexpr uid_t kNobody = 65534;
  const pid_t child = fork();
  if (child == 0) {
    if (setgroups(0, nullptr) != 0 || setgid(kNobody) != 0 || setuid(kNobody) != 0)
      _exit(1);
    const Sender sender(path_);
    sender.try_send(record_json(0) + "\n");
    std::string answer;
    while (sender.read(answer))
      usleep(1000);
    _exit(sender.is_connected() ? 0 : 2);
  }
  ASSERT_TRUE(receive_until([&] { return !came_.senders.empty(); }));
  EXPECT_EQ(came_.senders[0], "A program of user 65534 (process " + std::to_string(child) +
                                  ") was turned away at \"" + path_ +
                                  "\": add that user to the group of the socket.");
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  rest();
  EXPECT_TRUE(came_.records.empty());
}

TEST_F(UnixReceiver, TakesRecordsOfSeveralSenders) {
  open();
  const Sender one(path_), two(path_);
  one.send(lines(0, 100));
  two.send(lines(0, 100, "gate"));
  ASSERT_TRUE(receive(200));
  std::vector<std::string> doors;
  for (const Arrival &arrival : came_.records)
    if (arrival.id.series.camera == "door")
      doors.push_back(arrival.json);
  ASSERT_EQ(doors.size(), 100u);
  for (std::size_t i = 0; i < doors.size(); i++)
    EXPECT_EQ(doors[i], record_json(i));
  EXPECT_EQ(came_.refused, 0u);
}

TEST_F(UnixReceiver, ABellEndsTheWait) {
  open();
  bell_.ring();
  EXPECT_TRUE(receiver_->receive(came_, bell_.get(), Clock::time_point::max()).is_ok());
}

// The updater unix: waits until the kernel holds nothing, and sends it all again if we are gone.
TEST_F(UnixReceiver, TakesOutOfTheSocketWhatIsStored) {
  auto_store_ = false;
  open();
  Sender sender(path_);
  sender.send(lines(0, 10));
  ASSERT_TRUE(receive(10));
  rest();
  EXPECT_EQ(came_.records.size(), 10u) << "nothing comes twice";
  EXPECT_FALSE(sender.is_taken());
  store(0, 9);
  rest();
  EXPECT_FALSE(sender.is_taken());
  store(9, 10);
  rest();
  EXPECT_TRUE(sender.is_taken());
  // And is there again for who comes next, if we end before.
  sender.send(lines(10, 12));
  ASSERT_TRUE(receive(12));
  receiver_->close();
  EXPECT_LT(sender.try_send("x"), 0);
}

TEST_F(UnixReceiver, LinesComeInPieces) {
  open();
  const Sender sender(path_);
  const std::string text = lines(0, 3);
  for (std::size_t i = 0; i < text.size(); i += 7) {
    sender.send(text.substr(i, 7));
    int rounds = 0;
    receive_until([&] { return rounds++ >= 1; });
  }
  ASSERT_TRUE(receive(3));
  EXPECT_EQ(came_.records[2].json, record_json(2));
  EXPECT_EQ(came_.refused, 0u);
}

TEST_F(UnixReceiver, ReadsTheClassicForm) {
  make("?site=shop");
  open();
  for (const char *message : {"door 3 1 0", "door 4 2 1\n"}) {
    Sender sender(path_);
    sender.send(message);
    sender.close();
    const std::size_t before = came_.records.size();
    ASSERT_TRUE(receive(before + 1));
  }
  const Arrival &first = came_.records[0], &second = came_.records[1];
  EXPECT_EQ(first.id.series, second.id.series);
  EXPECT_EQ(first.id.series.site, "shop");
  EXPECT_EQ(first.id.series.camera, "door");
  EXPECT_EQ(first.id.seq, 0u);
  EXPECT_EQ(second.id.seq, 1u);
  EXPECT_NE(second.json.find("\"people\":4,\"people_max\":4,\"moving\":2,\"faces\":1"),
            std::string::npos)
      << second.json;
  for (const char *message : {"door 3 1", "door 3 1 0 9", "door 3 -1 0", "front/door 1 1 1",
                              "door 99999999999 1 1", "GET / HTTP/1.1"}) {
    Sender sender(path_);
    sender.send(message);
    sender.close();
    const auto before = came_.refused;
    EXPECT_TRUE(receive_until([&] { return came_.refused > before; })) << message;
  }
  EXPECT_EQ(came_.records.size(), 2u);
}

// A record without the end of its line is sent again as a whole.
TEST_F(UnixReceiver, DropsALineThatTheEndCutOff) {
  open();
  Sender sender(path_);
  sender.send(lines(0, 1) + record_json(1).substr(0, 40));
  sender.close();
  const Sender again(path_);
  again.send(lines(1, 2));
  ASSERT_TRUE(receive(2));
  rest();
  EXPECT_EQ(came_.records.size(), 2u);
  EXPECT_EQ(came_.refused, 0u);
}

TEST_F(UnixReceiver, AcknowledgesToThoseWhoAsk) {
  auto_store_ = false;
  open();
  const Sender sender(path_);
  sender.send("{\"acknowledge\":true}\n" + lines(0, 3) + lines(7, 8) + "nonsense\n");
  ASSERT_TRUE(receive(4));
  std::string answers;
  EXPECT_TRUE(sender.read(answers));
  EXPECT_EQ(answers,
            "{\"refused\":\"The line is neither a record nor <camera> <people> <moving> "
            "<faces>.\"}\n");
  answers.clear();
  store(0, 4);
  EXPECT_TRUE(sender.read(answers));
  EXPECT_EQ(answers, R"({"stored":{"site":"home","camera":"door","boot":"5f0c","from":0,"to":2}})"
                     "\n"
                     R"({"stored":{"site":"home","camera":"door","boot":"5f0c","from":7,"to":7}})"
                     "\n");
  // What was sent before the end is acknowledged behind it.
  sender.send(lines(8, 9));
  sender.shut();
  ASSERT_TRUE(receive(5));
  rest();
  store(4, 5);
  answers.clear();
  ASSERT_TRUE(receive_until([&] { return !sender.read(answers); }));
  EXPECT_NE(answers.find(R"("from":8,"to":8)"), std::string::npos) << answers;
}

TEST_F(UnixReceiver, AsksWhoTakesRequests) {
  open();
  const Sender quiet(path_), taker(path_);
  quiet.send(lines(0, 3));
  ASSERT_TRUE(receive(3));
  const Gap gap{{"home", "door", "5f0c"}, {3, 9}};
  receiver_->ask({gap});
  taker.send("{\"acknowledge\":true,\"resend\":true}\n" + lines(10, 11) + lines(0, 1, "hall"));
  ASSERT_TRUE(receive(5));
  receiver_->ask({gap, {{"home", "nobody", "5f0c"}, {3, 9}}});
  std::string answers;
  ASSERT_TRUE(
      receive_until([&] { return taker.read(answers) && answers.find("resend") != answers.npos; }));
  EXPECT_NE(answers.find(
                "{\"resend\":{\"site\":\"home\",\"camera\":\"door\",\"boot\":\"5f0c\",\"from\":3,"
                "\"to\":9}}\n"),
            answers.npos)
      << answers;
  EXPECT_EQ(answers.find("nobody"), answers.npos);
  answers.clear();
  quiet.read(answers);
  EXPECT_EQ(answers, "");

  // One speaks for its own cameras only.
  quiet.send(
      "{\"lost\":{\"site\":\"home\",\"camera\":\"door\",\"boot\":\"5f0c\",\"from\":4,\"to\":9}}\n" +
      lines(3, 4));
  ASSERT_TRUE(receive(6));
  taker.send(
      "{\"lost\":{\"site\":\"home\",\"camera\":\"door\",\"boot\":\"5f0c\",\"from\":3,\"to\":9}}\n"
      "{\"lost\":{\"site\":\"home\",\"camera\":\"door\",\"boot\":\"5f0c\",\"from\":9,\"to\":3}}\n");
  ASSERT_TRUE(receive_until([&] { return came_.refused == 1; }));
  EXPECT_EQ(came_.unavailable, std::vector<Gap>{gap});
}

TEST_F(UnixReceiver, DisconnectsWhoAsksAndDoesNotRead) {
  open();
  const Sender hostile(path_);
  hostile.send("{\"acknowledge\":true}\n");
  std::string nonsense;
  for (int i = 0; i < 100; i++)
    nonsense += "{\n";
  ASSERT_TRUE(receive_until([&] { return hostile.try_send(nonsense) < 0 && errno != EAGAIN; }));
  ASSERT_TRUE(receive_until([&] { return !came_.senders.empty(); }));
  EXPECT_NE(came_.senders[0].find("does not read them"), std::string::npos) << came_.senders[0];
}

TEST_F(UnixReceiver, AHostileSenderIsRefusedAndDisturbsNobody) {
  open();
  const Sender good(path_);
  std::vector<std::unique_ptr<Sender>> hostile;
  const std::string texts[] = {std::string(60000, 'x'),
                               std::string(60000, '['),
                               std::string(30000, '\n'),
                               std::string(1000, '\0') + "\n",
                               "{\"version\":1,\"site\":\"home\"}\n",
                               "{\"acknowledge\":1}\n{\"acknowledge\":true,\"a\":1}\n",
                               "\xff\xfe\n",
                               record_json(0) + record_json(1) + "\n"};
  for (int round = 0; round < 5; round++) {
    for (const std::string &text : texts) {
      hostile.push_back(std::make_unique<Sender>(path_));
      hostile.back()->try_send(text);
      if (round % 2 == 0)
        hostile.pop_back();
    }
    good.send(lines(static_cast<guint64>(round), static_cast<guint64>(round) + 1));
    ASSERT_TRUE(receive(static_cast<std::size_t>(round) + 1)) << round;
  }
  EXPECT_GE(came_.refused, 10u);
  rest();
  for (const Arrival &arrival : came_.records)
    EXPECT_EQ(arrival.json, record_json(arrival.id.seq));
  EXPECT_EQ(came_.records.size(), 5u);
}

TEST_F(UnixReceiver, OneSenderHasABoundedRate) {
  open();
  const Sender fast(path_), slow(path_);
  const auto begin = Clock::now();
  const std::string many = lines(0, 100, "gate");
  ASSERT_TRUE(receive_until([&] {
    fast.try_send(many);
    return came_.records.size() >= 3 * Connection::kMostRate;
  }));
  // A second's worth at once, and then as many a second.
  EXPECT_GE(Clock::now() - begin, 1900ms);
  slow.send(lines(0, 1));
  ASSERT_TRUE(receive_until([&] { return slow.is_taken(); })) << "it has its turn";
}

TEST_F(UnixReceiver, MakesRoomForOneMore) {
  open();
  std::vector<std::unique_ptr<Sender>> idle;
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < 2500)
    GTEST_SKIP() << "there can be too few files";
  for (int i = 0; i < 1024; i++) {
    idle.push_back(std::make_unique<Sender>(path_));
    if (i % 32 == 0)
      rest();
  }
  const Sender late(path_);
  late.send(lines(0, 1));
  ASSERT_TRUE(receive(1));
  EXPECT_EQ(came_.senders.size(), 1u);
}

TEST_F(UnixReceiver, ReplacesASocketThatNobodyListensAt) {
  open();
  // Another receiver in the same place has to go elsewhere.
  const auto other = make_receiver("unix:" + path_);
  EXPECT_EQ(other->open().error(),
            "Another program listens at \"" + path_ + "\": end it, or choose another path.");
  EXPECT_TRUE(std::filesystem::exists(path_));
  // Killed, as by -9.
  std::filesystem::rename(path_, path_ + ".old");
  receiver_->close();
  std::filesystem::rename(path_ + ".old", path_);
  EXPECT_TRUE(other->open().is_ok());
  // What is another's by now is left alone.
  receiver_->close();
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(UnixReceiver, SaysWhereItCannotListen) {
  std::ofstream(path_) << "mine";
  EXPECT_EQ(receiver_->open().error(), "\"" + path_ +
                                           "\" is there and is no socket: remove it, or choose "
                                           "another path.");
  EXPECT_TRUE(std::filesystem::exists(path_));
  const auto nowhere = make_receiver("unix:" + directory_ + "/none/a.sock");
  EXPECT_EQ(nowhere->open().error(), "Cannot listen at \"" + directory_ +
                                         "/none/a.sock\": its directory does not exist. Create "
                                         "the directory, or choose another path.");
}

}  // namespace
}  // namespace npc::source
