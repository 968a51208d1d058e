// SPDX-License-Identifier: LGPL-2.1-or-later
// What the benchmarks share: options, data, clocks and figures.
#pragma once

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace npc::bench {

inline constexpr int kSkipped = 77;

struct Options {
  std::string json;        // where the figures go too; empty: nowhere
  int frames = 0;          // at most so many; 0: all
  int threads = 0;         // of OpenCV; 0: as it likes
  std::string properties;  // of npcdetect
  bool still = false;
};

// Reads --json FILE, --frames N, --threads N, --properties TEXT and --still; ends the program with
// a sentence if there is something else.
Options parse_options(int argc, char **argv);

// The clip, named by NPC_CLIP; ends the program as skipped, with the reason, if it is not there.
std::string clip_or_skip();

// A model below NPC_SHARED; nothing if it is not there.
std::optional<std::string> find_model(const std::string &file);

// Properties of npcdetect for yolo-fastest-1.1_body; nothing if it is not there.
std::optional<std::string> network_properties();

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_ = Clock::now();
};

// Processor time of this process so far, in all threads.
double cpu_seconds();

// What must hold, and whether it does; each is printed as it is judged.
class Verdict {
 public:
  void at_least(const std::string &what, double value, double limit);
  void below(const std::string &what, double value, double limit);

  nlohmann::ordered_json json() const { return requirements_; }
  int exit_status() const { return good_ ? EXIT_SUCCESS : EXIT_FAILURE; }

 private:
  void note(const std::string &what, double value, const char *relation, double limit, bool holds);

  nlohmann::ordered_json requirements_ = nlohmann::ordered_json::array();
  bool good_ = true;
};

// Writes figures to the file of --json, if there is one; ends the program if that fails.
void write_json(const Options &options, const nlohmann::ordered_json &figures);

// Runs a benchmark; exceptions become a sentence and a failure.
int run(int (*benchmark)(const Options &), int argc, char **argv);

}  // namespace npc::bench
