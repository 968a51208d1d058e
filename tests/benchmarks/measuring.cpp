// SPDX-License-Identifier: LGPL-2.1-or-later
// What the benchmarks share.
#include "benchmarks/measuring.h"

#include <sys/resource.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>

namespace npc::bench {
namespace {

constexpr int kOptionsWrong = 2;

[[noreturn]] void end(int status, const std::string &sentence) {
  // A skipped test's reason is looked for on standard output.
  (status == kSkipped ? std::cout : std::cerr) << sentence << '\n';
  std::exit(status);
}

int parse_number(const std::string &option, const std::string &text) {
  int number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || rest != text.data() + text.size() || number < 1)
    end(kOptionsWrong, option + " needs a number above 0, not '" + text + "'.");
  return number;
}

}  // namespace

Options parse_options(int argc, char **argv) {
  Options options;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  for (std::size_t i = 0; i < arguments.size(); i++) {
    const std::string &option = arguments[i];
    if (option == "--still") {
      options.still = true;
      continue;
    }
    if (option != "--json" && option != "--frames" && option != "--threads" &&
        option != "--properties")
      end(kOptionsWrong, "'" + option +
                             "' is not an option. There are --json FILE, --frames N, --threads N, "
                             "--properties 'OF NPCDETECT' and --still.");
    if (++i == arguments.size())
      end(kOptionsWrong, option + " needs a value.");
    if (option == "--json")
      options.json = arguments[i];
    else if (option == "--frames")
      options.frames = parse_number(option, arguments[i]);
    else if (option == "--threads")
      options.threads = parse_number(option, arguments[i]);
    else
      options.properties = arguments[i];
  }
  return options;
}

std::string clip_or_skip() {
  const char *clip = std::getenv("NPC_CLIP");
  if (clip == nullptr || *clip == '\0')
    end(kSkipped, "the clip of pedestrians is not here: name vtest.avi with NPC_CLIP");
  if (!std::filesystem::exists(clip))
    end(kSkipped, std::string("the clip ") + clip + " of NPC_CLIP is not here");
  return clip;
}

std::optional<std::string> find_model(const std::string &file) {
  const char *shared = std::getenv("NPC_SHARED");
  const auto model =
      std::filesystem::path(shared != nullptr ? shared : "../shared") / "data" / "models" / file;
  if (!std::filesystem::exists(model))
    return std::nullopt;
  return std::filesystem::canonical(model).string();
}

std::optional<std::string> network_properties() {
  const auto model = find_model("yolo-fastest-1.1_body.weights");
  if (!model)
    return std::nullopt;
  return "model=\"" + *model + "\"";
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval &time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void Verdict::at_least(const std::string &what, double value, double limit) {
  note(what, value, ">=", limit, value >= limit);
}

void Verdict::below(const std::string &what, double value, double limit) {
  note(what, value, "<", limit, value < limit);
}

void Verdict::note(const std::string &what, double value, const char *relation, double limit,
                   bool holds) {
  std::printf("%-8s %s: %.2f, required %s %g\n", holds ? "holds" : "FAILS", what.c_str(), value,
              relation, limit);
  std::fflush(stdout);
  requirements_.push_back({{"what", what},
                           {"value", value},
                           {"relation", relation},
                           {"limit", limit},
                           {"holds", holds}});
  good_ = good_ && holds;
}

void write_json(const Options &options, const nlohmann::ordered_json &figures) {
  if (options.json.empty())
    return;
  std::ofstream out(options.json);
  out << figures.dump(1) << '\n';
  out.close();
  if (!out)
    throw std::runtime_error("cannot write " + options.json);
}

int run(int (*benchmark)(const Options &), int argc, char **argv) {
  try {
    return benchmark(parse_options(argc, argv));
  } catch (const std::exception &error) {
    std::cerr << error.what() << ".\n";
    return EXIT_FAILURE;
  }
}

}  // namespace npc::bench
