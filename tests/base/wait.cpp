// SPDX-License-Identifier: LGPL-2.1-or-later
// Waits that a descriptor, a stop request or a time ends, whichever comes first.
#include "base/wait.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <thread>

namespace {

using npc::StopBell;
using npc::wait_fd;
using npc::Waited;
using Clock = std::chrono::steady_clock;
using std::chrono::hours;
using std::chrono::milliseconds;

struct Pipe {
  Pipe() {
    int files[2] = {-1, -1};
    EXPECT_EQ(pipe2(files, O_CLOEXEC | O_NONBLOCK), 0);
    read_end = npc::Descriptor(files[0]);
    write_end = npc::Descriptor(files[1]);
  }
  npc::Descriptor read_end, write_end;
};

TEST(Wait, EndsWithWhatIsReady) {
  const Pipe pipe;
  const StopBell never{std::stop_token()};
  EXPECT_EQ(wait_fd(pipe.read_end.get(), POLLIN, never.get(), Clock::now()), Waited::kTimeout);
  ASSERT_EQ(write(pipe.write_end.get(), "x", 1), 1);
  EXPECT_EQ(wait_fd(pipe.read_end.get(), POLLIN, never.get(), Clock::time_point::max()),
            Waited::kReady);
}

TEST(Wait, EndsWithTheOtherEnd) {
  Pipe pipe;
  const StopBell never{std::stop_token()};
  pipe.write_end = npc::Descriptor();
  EXPECT_EQ(wait_fd(pipe.read_end.get(), POLLIN, never.get(), Clock::time_point::max()),
            Waited::kReady);
}

// At once, though nothing else would ever end it.
TEST(Wait, EndsWithAStopRequest) {
  const Pipe pipe;
  std::stop_source source;
  const StopBell bell(source.get_token());
  std::jthread stops([&] {
    std::this_thread::sleep_for(milliseconds(20));
    source.request_stop();
  });
  EXPECT_EQ(wait_fd(pipe.read_end.get(), POLLIN, bell.get(), Clock::time_point::max()),
            Waited::kStopped);
  // From then on always, whatever else is ready.
  ASSERT_EQ(write(pipe.write_end.get(), "x", 1), 1);
  EXPECT_EQ(wait_fd(pipe.read_end.get(), POLLIN, bell.get(), Clock::now() + hours(1)),
            Waited::kStopped);
  EXPECT_EQ(wait_fd(-1, 0, StopBell(source.get_token()).get(), Clock::now() + hours(1)),
            Waited::kStopped);
}

TEST(Wait, LastsUntilItsTime) {
  const StopBell never{std::stop_token()};
  const auto until = Clock::now() + milliseconds(5);
  EXPECT_EQ(wait_fd(-1, 0, never.get(), until), Waited::kTimeout);
  EXPECT_GE(Clock::now(), until);
}

TEST(Wait, TellsPollHowLong) {
  EXPECT_EQ(npc::milliseconds_until(Clock::time_point::max()), -1);
  EXPECT_EQ(npc::milliseconds_until(Clock::now() - hours(1)), 0);
  EXPECT_GT(npc::milliseconds_until(Clock::now() + hours(1)), 3'500'000);
  EXPECT_GT(npc::milliseconds_until(Clock::now() + hours(24 * 365)), 3'500'000) << "overflow";
}

}  // namespace
