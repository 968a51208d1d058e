// SPDX-License-Identifier: LGPL-2.1-or-later
// A record as lines of InfluxDB's line protocol.
#include <charconv>
#include <map>
#include <vector>

#include "npccountsfields.h"

namespace npc {
namespace {

std::optional<guint64> whole_number(std::string_view digits) {
  guint64 number = 0;
  const char *end = digits.data() + digits.size();
  const auto [stop, fault] = std::from_chars(digits.data(), end, number);
  if (fault != std::errc() || stop != end)
    return std::nullopt;
  return number;
}

struct Value {
  std::string text;
  bool quoted;
};

/// One line. It is a source of numbers, as JSON objects and structures are.
struct Point {
  std::string measurement;
  std::map<std::string, std::string> tags;
  std::map<std::string, Value> fields;
  std::string time;

  std::optional<guint64> number(const std::string &name) const {
    const auto found = fields.find(name);
    if (found == fields.end())
      return std::nullopt;
    std::string_view text = found->second.text;
    if (found->second.quoted || !text.ends_with('i'))
      return kNotWhole;
    text.remove_suffix(1);
    return whole_number(text).value_or(kNotWhole);
  }

  std::optional<std::string_view> text(const std::string &name) const {
    const auto found = fields.find(name);
    if (found == fields.end())
      return std::nullopt;
    return found->second.quoted ? std::string_view(found->second.text) : "";
  }

  std::optional<std::string_view> tag(const std::string &name) const {
    const auto found = tags.find(name);
    if (found == tags.end())
      return std::nullopt;
    return found->second;
  }
};

/// Takes a text apart, point by point.
class LineReader {
 public:
  explicit LineReader(std::string_view text) : rest_(text) {}

  /// The next point; none at the end of the text. Throws Refusal.
  std::optional<Point> next() {
    while (skip_blank_line())
      line_++;
    if (rest_.empty())
      return std::nullopt;
    Point point;
    point.measurement = take_word(", ");
    while (take(',')) {
      std::string key = take_key();
      add(point.tags, std::move(key), take_word(", "));
    }
    if (!take(' '))
      refuse("has no fields");
    skip_spaces();
    do {
      std::string key = take_key();
      const bool quoted = !rest_.empty() && rest_.front() == '"';
      add(point.fields, std::move(key), Value{quoted ? take_quoted() : take_word(", "), quoted});
    } while (take(','));
    skip_spaces();
    point.time = take_until(" ");
    skip_spaces();
    if (!rest_.empty() && !take('\n'))
      refuse("goes on after its time");
    line_++;
    return point;
  }

 private:
  [[noreturn]] void refuse(const char *what) const {
    throw Refusal{GST_NPC_ERROR_SYNTAX,
                  "Line " + std::to_string(line_) + " of the line protocol " + what + "."};
  }

  bool take(char c) {
    if (rest_.empty() || rest_.front() != c)
      return false;
    rest_.remove_prefix(1);
    return true;
  }

  void skip_spaces() {
    while (take(' ') || take('\r')) {
    }
  }

  bool skip_blank_line() {
    skip_spaces();
    if (!rest_.empty() && rest_.front() == '#')
      rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
    return take('\n');
  }

  template <typename Map, typename Item>
  void add(Map &map, std::string key, Item item) {
    if (!map.emplace(std::move(key), std::move(item)).second)
      refuse("has two tags or two fields of the same name");
  }

  std::string take_key() {
    std::string key = take_word("=, ");
    if (!take('='))
      refuse("has a tag or a field without '='");
    return key;
  }

  std::string take_word(std::string_view stops) {
    std::string word = take_until(stops);
    if (word.empty())
      refuse("has an empty name or value");
    return word;
  }

  // A backslash before any other character than these stands for itself.
  std::string take_until(std::string_view stops) {
    std::string word;
    while (!rest_.empty() && !is_one_of(rest_.front(), stops) &&
           !is_one_of(rest_.front(), "\r\n")) {
      if (rest_.size() > 1 && rest_[0] == '\\' && is_one_of(rest_[1], ",= "))
        rest_.remove_prefix(1);
      word += rest_.front();
      rest_.remove_prefix(1);
    }
    return word;
  }

  std::string take_quoted() {
    std::string text;
    rest_.remove_prefix(1);
    while (!take('"')) {
      if (rest_.size() > 1 && rest_[0] == '\\' && is_one_of(rest_[1], "\"\\"))
        rest_.remove_prefix(1);
      if (rest_.empty())
        refuse("has a text without its closing quote");
      text += rest_.front();
      rest_.remove_prefix(1);
    }
    return text;
  }

  static bool is_one_of(char c, std::string_view set) { return set.find(c) != set.npos; }

  std::string_view rest_;
  guint line_ = 1;
};

/// The time of the points of a record, in ns. Tags and time are all that InfluxDB knows a point by:
/// were it the time of the record alone, a clock that steps back, or a board without a clock that
/// starts again, would replace other records. So what is below the ms is made of boot and seq: one
/// after the other within a boot, from a place that differs from boot to boot.
guint64 point_time(const GstNpcCounts &counts) {
  guint64 hash = 14695981039346656037u;  // FNV-1a
  for (const char c : std::string_view(counts.boot))
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  constexpr guint64 kKeys = kNanosecondsPerMillisecond;
  return counts.time * kKeys + (hash % kKeys + counts.seq % kKeys) % kKeys;
}

/// What the lines of a text must have in common.
struct Origin {
  std::string site;
  std::string camera;
  guint64 time;  // in ns

  explicit Origin(const Point &point)
      : site(check_name(point.tag("site"), "site")),
        camera(check_name(point.tag("camera"), "camera")) {
    const std::optional<guint64> ns = whole_number(point.time);
    if (!ns || *ns / kNanosecondsPerMillisecond > guint64{GST_NPC_TIME_MAX})
      refuse_field("time", "must be at the end of each line, in ns");
    time = *ns;
  }

  void join(const Origin &other) const {
    if (site != other.site)
      refuse_field("site", "is not the same in all lines: send each record by itself");
    if (camera != other.camera)
      refuse_field("camera", "is not the same in all lines: send each record by itself");
    if (time != other.time)
      refuse_field("time", "is not the same in all lines: send each record by itself");
  }
};

// A time in another unit than ns must not pass for one in the year 1970.
void set_time(GstNpcCounts &counts, const Origin &origin) {
  counts.time = origin.time / kNanosecondsPerMillisecond;
  if (origin.time % kNanosecondsPerMillisecond != 0 && origin.time != point_time(counts))
    refuse_field("time",
                 "must be in ns, either whole milliseconds or with boot and seq below them");
}

void read_frame(Counts &counts, const Origin &origin, const Point &point) {
  counts.set_names(origin.site, origin.camera, check_name(point.text("boot"), "boot"));
  read_field<GstNpcCounts>(counts, kSeq, point);
  read_field<GstNpcCounts>(counts, kInterval, point);
  read_fields<GstNpcCounts>(counts, kPeopleFields, point);
  if (point.fields.contains("flags") && !point.fields.at("flags").quoted)
    refuse_field("flags", "must be a text in quotes");
  std::string_view nicks = point.text("flags").value_or("");
  guint flags = 0;
  while (!nicks.empty()) {
    const size_t end = std::min(nicks.find(','), nicks.size());
    flags |= flag_from_nick(nicks.substr(0, end));
    nicks.remove_prefix(std::min(end + 1, nicks.size()));
  }
  counts.flags = static_cast<GstNpcCountsFlags>(flags);
}

template <typename Entry, size_t size>
void read_entry(Entries<Entry> &entries, const Field<Entry> (&fields)[size], const Point &point,
                const char *tag, const char *field) {
  const std::optional<std::string_view> name = point.tag(tag);
  if (!name)
    refuse_field(field, (std::string("has a line without the tag \"") + tag + "\"").c_str());
  Entry &entry = add_entry(entries, *name, field);
  read_fields(entry, fields, point, std::string(field) + "." + entry.name + ".");
}

CountsPtr read_lines(std::string_view text) {
  auto counts = std::make_unique<Counts>();
  std::optional<Origin> origin;
  bool framed = false;
  LineReader reader(text);
  while (const std::optional<Point> point = reader.next()) {
    // Those of a later version are ignored, as unknown keys are.
    const std::string &measurement = point->measurement;
    const bool frame = measurement == "npc";
    if (!frame && measurement != "npc_object" && measurement != "npc_line" &&
        measurement != "npc_zone")
      continue;
    const Origin own(*point);
    origin = origin.value_or(own);
    origin->join(own);
    if (frame && framed)
      throw Refusal{GST_NPC_ERROR_SYNTAX, "There are two lines of the measurement \"npc\"."};
    framed |= frame;
    if (frame)
      read_frame(*counts, own, *point);
    else if (measurement == "npc_object")
      read_entry(counts->objects, kObjectFields, *point, "class", "objects");
    else if (measurement == "npc_line")
      read_entry(counts->lines, kLineFields, *point, "line", "lines");
    else
      read_entry(counts->zones, kZoneFields, *point, "zone", "zones");
  }
  if (!framed)
    throw Refusal{GST_NPC_ERROR_FIELD, "There is no line of the measurement \"npc\"."};
  set_time(*counts, *origin);
  return counts;
}

template <typename Record>
std::string write_field(const Field<Record> &field, const Record &record) {
  return std::string(field.name) + "=" + std::to_string(field.get(record)) + "i,";
}

// InfluxDB wants tags in the order of their names; the tag of an entry lies before or after "site".
template <typename Entry, size_t size>
void write_entries(std::string &text, const Counts &counts, const Entries<Entry> &entries,
                   const Field<Entry> (&fields)[size], const char *measurement, const char *tag,
                   const std::string &time) {
  const std::string site = std::string(",site=") + counts.site;
  const bool before = std::string_view(tag) < "site";
  for (const Entry &entry : entries) {
    const std::string own = std::string(",") + tag + "=" + entry.name;
    text += std::string("\n") + measurement + ",camera=" + counts.camera;
    text += (before ? own + site : site + own) + " ";
    for (const Field<Entry> &field : fields)
      text += write_field(field, entry);
    text.back() = ' ';
    text += time;
  }
}

std::string write_lines(const Counts &counts) noexcept {
  const std::string time = std::to_string(point_time(counts));
  std::string text = std::string("npc,camera=") + counts.camera + ",site=" + counts.site + " ";
  for (const auto &field : kPeopleFields)
    text += write_field<GstNpcCounts>(field, counts);
  text += write_field<GstNpcCounts>(kSeq, counts) + write_field<GstNpcCounts>(kInterval, counts);
  text += std::string("boot=\"") + counts.boot + "\"";
  std::string flags;
  for (const GFlagsValue *flag = kFlags; flag->value_nick != nullptr; flag++)
    if ((known_flags(counts) & flag->value) != 0)
      flags += (flags.empty() ? "" : ",") + std::string(flag->value_nick);
  if (!flags.empty())
    text += ",flags=\"" + flags + "\"";
  text += " " + time;
  write_entries(text, counts, counts.objects, kObjectFields, "npc_object", "class", time);
  write_entries(text, counts, counts.lines, kLineFields, "npc_line", "line", time);
  write_entries(text, counts, counts.zones, kZoneFields, "npc_zone", "zone", time);
  return text;
}

}  // namespace
}  // namespace npc

gchar *gst_npc_counts_to_line_protocol(const GstNpcCounts *counts) {
  g_return_val_if_fail(npc::is_sound(counts), nullptr);
  return g_strdup(npc::write_lines(npc::whole(*counts)).c_str());
}

GstNpcCounts *gst_npc_counts_from_line_protocol(const gchar *text, gssize length, GError **error) {
  g_return_val_if_fail(text != nullptr && length >= -1, nullptr);
  g_return_val_if_fail(error == nullptr || *error == nullptr, nullptr);
  return npc::read_bounded([&] { return npc::read_lines(npc::check_text(text, length)); },
                           npc::write_lines, error);
}
