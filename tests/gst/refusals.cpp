// SPDX-License-Identifier: LGPL-2.1-or-later
// What GstNpcCounts does not take from strangers, and what it says of it.
#include <algorithm>
#include <vector>

#include "support/counts.h"

namespace npc::test {
namespace {

void expect_refused(const Answer &answer, GstNpcError code, const std::string &word,
                    const std::string &input) {
  ASSERT_FALSE(answer.counts) << input;
  EXPECT_EQ(answer.code, code) << answer.message << "\n" << input;
  EXPECT_NE(answer.message.find(word), std::string::npos) << answer.message << "\n" << input;
  EXPECT_TRUE(answer.message.ends_with('.')) << answer.message;
  EXPECT_TRUE(g_utf8_validate(answer.message.c_str(), -1, nullptr));
}

struct Change {
  const char *part;
  std::string other;
  const char *word;
  GstNpcError code = GST_NPC_ERROR_FIELD;
};

const std::string kLongName(GST_NPC_NAME_MAX + 1, 'n');

TEST(Refusals, OfJsonNameTheField) {
  const std::vector<Change> changes = {
      {R"("version":1,)", "", "\"version\""},
      {R"("version":1,)", R"("version":"1",)", "\"version\""},
      {R"("version":1,)", R"("version":1.0,)", "\"version\""},
      {R"("version":1,)", R"("version":2,)", "\"version\"", GST_NPC_ERROR_VERSION},
      {R"("version":1,)", R"("version":0,)", "\"version\"", GST_NPC_ERROR_VERSION},
      {R"("site":"home",)", "", "\"site\""},
      {R"("site":"home",)", R"("site":"",)", "\"site\""},
      {R"("site":"home",)", R"("site":7,)", "\"site\""},
      {R"("site":"home",)", R"("site":null,)", "\"site\""},
      {R"("site":"home",)", R"("site":"ho me",)", "\"site\""},
      {R"("site":"home",)", R"("site":"home\u0000",)", "\"site\""},
      {R"("site":"home",)", R"("site":"h\u00f4me",)", "\"site\""},
      {R"("camera":"door",)", "", "\"camera\""},
      {R"("camera":"door",)", R"("camera":"a/b",)", "\"camera\""},
      {R"("camera":"door",)", R"("camera":")" + kLongName + R"(",)", "\"camera\""},
      {R"("boot":"5f0c",)", "", "\"boot\""},
      {R"("boot":"5f0c",)", R"("boot":"#",)", "\"boot\""},
      {R"("seq":48213,)", "", "\"seq\""},
      {R"("seq":48213)", R"("seq":9223372036854775808)", "\"seq\""},
      {R"("seq":48213)", R"("seq":18446744073709551616)", "\"seq\""},
      {R"("time":1767225600000,)", "", "\"time\""},
      {R"("time":1767225600000)", R"("time":9223372036855)", "\"time\""},
      {R"("interval":2000,)", "", "\"interval\""},
      {R"("interval":2000)", R"("interval":2e3)", "\"interval\""},
      {R"("people":3,)", "", "\"people\""},
      {R"("people":3,)", R"("people":3.0,)", "\"people\""},
      {R"("people":3,)", R"("people":-1,)", "\"people\""},
      {R"("people":3,)", R"("people":-0,)", "\"people\""},
      {R"("people":3,)", R"("people":1e3,)", "\"people\""},
      {R"("people":3,)", R"("people":true,)", "\"people\""},
      {R"("people":3,)", R"("people":"3",)", "\"people\""},
      {R"("people":3,)", R"("people":null,)", "\"people\""},
      {R"("people":3,)", R"("people":[3],)", "\"people\""},
      {R"("people":3,)", R"("people":4294967296,)", "\"people\""},
      {R"("people_max":4)", R"("people_max":4.5)", "\"people_max\""},
      {R"("moving":1)", R"("moving":{})", "\"moving\""},
      {R"("faces":1)", R"("faces":false)", "\"faces\""},
      {R"({"car":2})", "[]", "\"objects\""},
      {R"({"car":2})", R"({"car":-2})", "\"objects.car\""},
      {R"({"car":2})", R"({"car":{}})", "\"objects.car\""},
      {R"({"car":2})", R"({"traffic light":2})", "\"objects\""},
      {R"({"car":2})", R"({"":2})", "\"objects\""},
      {R"({"car":2})", R"({"a\u0000b":2})", "\"objects\""},
      {R"({"door":{"in":5,)", R"({"door":{"in":-5,)", "\"lines.door.in\""},
      {R"("in_total":1204)", R"("in_total":9223372036854775808)", "\"lines.door.in_total\""},
      {R"({"door":{"in":5,)", R"({"d:r":{"in":5,)", "\"lines\""},
      {R"({"door":{"in":5,)", R"({"a":7,"door":{"in":5,)", "\"lines.a\""},
      {R"({"door":{"in":5,)", R"({"a":null,"door":{"in":5,)", "\"lines.a\""},
      {R"("dwell":31000)", R"("dwell":31000.5)", "\"zones.queue.dwell\""},
      {R"({"queue":{)", R"({"queue line":{)", "\"zones\""},
      {R"(["degraded"])", R"("degraded")", "\"flags\""},
      {R"(["degraded"])", R"([2])", "\"flags\""},
      {R"(["degraded"])", R"({"degraded":true})", "\"flags\""},
  };
  for (const Change &change : changes) {
    const std::string text = with(kExampleJson, change.part, change.other);
    expect_refused(from_json(text), change.code, change.word, text);
  }
}

TEST(Refusals, OfTextsThatAreNotJson) {
  const std::string json = kExampleJson;
  const std::string nul(1, '\0');
  for (const std::string &text :
       std::vector<std::string>{"",
                                " ",
                                "\n",
                                "{",
                                "}",
                                "[]",
                                "7",
                                "null",
                                "\"npc\"",
                                "npc",
                                json + "x",
                                json + json,
                                json + nul,
                                json + nul + "x",
                                nul,
                                json.substr(0, json.size() - 1),
                                "/* */" + json,
                                with(json, "home", "ho\xffme"),
                                with(json, "home", "ho\nme"),
                                with(json, "5f0c", "\xc3"),
                                with(json, "\"people\":3", "\"people\":03"),
                                with(json, "\"people\":3", "\"people\":+3"),
                                with(json, "\"people\":3", "\"people\":NaN"),
                                with(json, "\"faces\":1", "'faces':1"),
                                with(json, "\"people\":3", "\"people\":1e999"),
                                json + ",",
                                "[" + json + "]",
                                with(json, "]}", "],}"),
                                std::string(4000, '['),
                                std::string(4000, '{')}) {
    const Answer answer = from_json(text);
    ASSERT_FALSE(answer.counts) << text;
    EXPECT_EQ(answer.code, GST_NPC_ERROR_SYNTAX) << text;
    const char *word = g_utf8_validate(text.data(), text.size(), nullptr) ? "JSON" : "UTF-8";
    EXPECT_NE(answer.message.find(word), std::string::npos) << answer.message << "\n" << text;
    EXPECT_TRUE(answer.message.ends_with('.')) << answer.message;
  }
}

TEST(Refusals, OfJsonThatSaysAThingTwice) {
  for (const auto &[part, other] : std::vector<std::pair<const char *, const char *>>{
           {R"("people":3,)", R"("people":3,"people":3,)"},
           {R"("version":1,)", R"("version":2,"version":1,)"},
           {R"({"car":2})", R"({"car":2,"car":3})"},
           {R"({"car":2})", R"({"car":2,"c\u0061r":3})"},
           {R"("lines":{)", R"("lines":{"door":{},)"},
           {R"("faces":1)", R"("faces":1,"later":[{"a":1,"a":2}])"}}) {
    const std::string text = with(kExampleJson, part, other);
    expect_refused(from_json(text), GST_NPC_ERROR_SYNTAX, "two values of the same name", text);
  }
}

TEST(Refusals, OfJsonLeaveRoomForLaterVersions) {
  const std::string nested = std::string(1500, '[') + std::string(1500, ']');
  const Answer answer = from_json(
      with(with(with(kExampleJson, R"("faces":1)",
                     R"("faces":1,"later":{"in":[1.5,null,{"door":-1}]},"deep":)" + nested),
                R"("dwell":31000)", R"("dwell":31000,"later":-1)"),
           R"(["degraded"])", R"(["degraded","later","degraded",""])"));
  ASSERT_TRUE(answer.counts) << answer.message;
  EXPECT_EQ(to_json(answer.counts), kExampleJson);
}

TEST(Refusals, OfJsonSpareWhatMayBeMissing) {
  const Answer answer = from_json(
      "\xef\xbb\xbf{ \"people\" :3,\"version\":1,\"site\":\"a\",\"camera\":\"b\",\"boot\":\"c\","
      "\"seq\":1,\"time\":2,\"interval\":3,\"lines\":{\"l\":{}},\"zones\":{\"z\":{\"people\":2}}}"
      "\r\n");
  ASSERT_TRUE(answer.counts) << answer.message;
  EXPECT_EQ(to_json(answer.counts),
            R"({"version":1,"site":"a","camera":"b","boot":"c","seq":1,"time":2,"interval":3,)"
            R"("people":3,"people_max":3,"moving":0,"faces":0,"objects":{},)"
            R"("lines":{"l":{"in":0,"out":0,"in_total":0,"out_total":0}},)"
            R"("zones":{"z":{"people":2,"people_max":2,"entered":0,"dwell":0}},"flags":[]})");
}

TEST(Refusals, BeginBeyondTheLongestRecord) {
  const auto make = [](size_t boot) {
    Counts counts = example(std::string(boot, 'b'));
    for (int i = 0; i < 67; i++)
      add_line(counts, "line" + std::to_string(i), 1, 2, 3, 4);
    for (int i = 0; i < 22; i++)
      add_object(counts, "o" + std::to_string(100 + i), 1);
    return counts;
  };
  const size_t rest = GST_NPC_RECORD_MAX - to_json(make(1)).size();
  ASSERT_LT(rest, GST_NPC_NAME_MAX);
  // The longest that is taken, with its newline, and one byte more.
  const Counts longest = make(1 + rest), longer = make(2 + rest);
  ASSERT_EQ(to_json(longest).size(), size_t{GST_NPC_RECORD_MAX});
  EXPECT_TRUE(from_json(to_json(longest) + "\n").counts);
  EXPECT_TRUE(from_structure(to_structure(longest)).counts);

  expect_refused(from_json(to_json(longer)), GST_NPC_ERROR_TOO_LARGE, "4096", "JSON");
  expect_refused(from_structure(to_structure(longer)), GST_NPC_ERROR_TOO_LARGE, "4096",
                 "structure");
  expect_refused(from_lines(to_lines(longer)), GST_NPC_ERROR_TOO_LARGE, "4096", "lines");
  expect_refused(from_json(std::string(10000000, ' ')), GST_NPC_ERROR_TOO_LARGE, "4096", "blanks");

  // Short texts that would become long records.
  std::string json, lines = "npc,camera=b,site=a people=0i,seq=0i,interval=0i,boot=\"c\" 0";
  for (int i = 0; i < 90; i++) {
    json += "\"l" + std::to_string(i) + "\":{},";
    lines += "\nnpc_line,camera=b,line=" + std::to_string(i) + ",site=a x=1i 0";
  }
  json = with(kExampleJson, "\"door\":{", json + "\"door\":{");
  ASSERT_LT(std::max(json.size(), lines.size()), size_t{GST_NPC_RECORD_MAX});
  expect_refused(from_json(json), GST_NPC_ERROR_TOO_LARGE, "4096", "JSON defaults");
  expect_refused(from_lines(lines), GST_NPC_ERROR_TOO_LARGE, "4096", "lines' defaults");
  Structure wide = to_structure(example());
  const Structure table = own(gst_structure_new_empty("objects"));
  // GLib never forgets the name of a field, so these are some that it knows already.
  for (GQuark i = 1; i <= 700; i++)
    gst_structure_set(table.get(), g_quark_to_string(i), G_TYPE_UINT, 1, nullptr);
  ASSERT_EQ(gst_structure_n_fields(table.get()), 700);
  gst_structure_set(wide.get(), "objects", GST_TYPE_STRUCTURE, table.get(), nullptr);
  expect_refused(from_structure(wide), GST_NPC_ERROR_TOO_LARGE, "4096", "wide");
}

TEST(Refusals, OfLinesNameTheField) {
  const std::vector<Change> changes = {
      {"people=3i,", "", "\"people\""},
      {"people=3i,", "people=3,", "\"people\""},
      {"people=3i,", "people=3.0,", "\"people\""},
      {"people=3i,", "people=-3i,", "\"people\""},
      {"people=3i,", "people=+3i,", "\"people\""},
      {"people=3i,", "people=i,", "\"people\""},
      {"people=3i,", "people=3u,", "\"people\""},
      {"people=3i,", "people=t,", "\"people\""},
      {"people=3i,", "people=\"3i\",", "\"people\""},
      {"people=3i,", "people=4294967296i,", "\"people\""},
      {"seq=48213i,", "", "\"seq\""},
      {"seq=48213i,", "seq=9223372036854775808i,", "\"seq\""},
      {"seq=48213i,", "seq=99999999999999999999i,", "\"seq\""},
      {"interval=2000i,", "", "\"interval\""},
      {"boot=\"5f0c\",", "", "\"boot\""},
      {"boot=\"5f0c\",", "boot=5f0c,", "\"boot\""},
      {"boot=\"5f0c\",", "boot=\"\",", "\"boot\""},
      {"boot=\"5f0c\",", "boot=\"5f\\\"0c\",", "\"boot\""},
      {"boot=\"5f0c\",", "boot=\"5f\n0c\",", "\"boot\""},
      {"flags=\"degraded\"", "flags=2i", "\"flags\""},
      {"npc,camera=door,", "npc,", "\"camera\""},
      {"npc,camera=door,", "npc,camera=a/b,", "\"camera\""},
      {",site=home people", " people", "\"site\""},
      {",site=home people", ",site=ho\\ me people", "\"site\""},
      {",site=home people", ",site=" + kLongName + " people", "\"site\""},
      {",site=home people", ",site=ho=me people", "\"site\""},
      {",class=car", "", "\"class\""},
      {",class=car", ",class=traffic\\ light", "\"objects\""},
      {"count=2i", "number=2i", "\"objects.car.count\""},
      {"count=2i", "count=2", "\"objects.car.count\""},
      {",line=door", "", "\"line\""},
      {"in=5i", "in=5", "\"lines.door.in\""},
      {",zone=queue", "", "\"zone\""},
      {"dwell=31000i", "dwell=9223372036854775808i", "\"zones.queue.dwell\""},
      {" 1767225600000953380\n", "\n", "\"time\""},
      {" 1767225600000953380\n", " 1767225600000000001\n", "\"time\""},
      {" 1767225600000953380\n", " 1767225600000953380i\n", "\"time\""},
      {" 1767225600000953380\n", " -1767225600000953380\n", "\"time\""},
      {" 1767225600000953380\n", " 9223372036855000000\n", "\"time\""},
      {" 1767225600000953380\n", " 99999999999999999999999\n", "\"time\""},
      {" 1767225600000953380\n", " 1767225600000953380,x=1i\n", "\"time\""},
      {"npc_line,camera=door", "npc_line,camera=gate", "\"camera\""},
      {"npc_line,camera=door,line=door,site=home", "npc_line,camera=door,line=door,site=work",
       "\"site\""},
      {"out_total=1187i 1767225600000953380", "out_total=1187i 1767225600001000000", "\"time\""},
  };
  for (const Change &change : changes) {
    const std::string text = with(kExampleLines, change.part, change.other);
    expect_refused(from_lines(text), change.code, change.word, text);
  }
  const std::string lines = kExampleLines;
  // The time of another record, and times in us and in ms.
  for (const char *time : {"1767225600000953381", "1767225600000953", "1767225600001"}) {
    std::string text = lines;
    for (std::size_t at; (at = text.find("1767225600000953380")) != std::string::npos;)
      text.replace(at, 19, time);
    expect_refused(from_lines(text), GST_NPC_ERROR_FIELD, "\"time\"", text);
  }
  const std::string again = lines.substr(lines.find("npc_line"));
  expect_refused(from_lines(lines + "\n" + again), GST_NPC_ERROR_FIELD, "\"lines\"", again);
  for (const std::string &text :
       {again, std::string(), std::string("\n\n# nothing\n"), with(lines, "npc,", "people,")})
    expect_refused(from_lines(text), GST_NPC_ERROR_FIELD, "\"npc\"", text);
}

TEST(Refusals, OfTextsThatAreNotLines) {
  const std::string lines = kExampleLines;
  const std::string frame = lines.substr(0, lines.find('\n'));
  for (const std::string &text :
       std::vector<std::string>{"npc",
                                "npc ",
                                "npc,",
                                "npc,=",
                                "npc,camera",
                                "npc,camera=",
                                "npc,camera=door",
                                with(lines, "npc,", ","),
                                with(lines, "npc,", " npc, "),
                                frame + "\n" + frame,
                                with(lines, "camera=door", "camera=door,camera=door"),
                                frame + " 5",

                                with(lines, "people=3i", "people=3i,people=3i"),
                                with(lines, "people=3i", "people"),
                                with(lines, "people=3i", "people="),
                                with(lines, "people=3i", "=3i"),
                                with(lines, "people=3i", ","),
                                with(lines, "\"degraded\"", "\"degraded"),
                                with(lines, "\"degraded\"", "\"degraded\"x"),

                                with(lines, "\"5f0c\"", "\"5f\\"),
                                "\\",
                                "npc\\",
                                "npc,\\",
                                "npc,a=\\",
                                "npc a=\"\\",
                                kExampleJson,
                                std::string("npc\0,", 5),
                                lines + std::string(1, '\0'),
                                lines + "\xff"}) {
    const Answer answer = from_lines(text);
    ASSERT_FALSE(answer.counts) << text;
    EXPECT_EQ(answer.code, GST_NPC_ERROR_SYNTAX) << answer.message << "\n" << text;
    EXPECT_TRUE(answer.message.ends_with('.')) << answer.message;
  }
  expect_refused(from_lines(with(lines, "in=5i", "in")), GST_NPC_ERROR_SYNTAX, "Line 3", lines);
}

TEST(Refusals, OfLinesSpareOtherOrdersAndOthersLines) {
  const Answer answer = from_lines(
      "# a record\r\n\r\n"
      "npc_zone,zone=queue,site=home,camera=door entered=4i,dwell=31000i,people_max=3i,people=2i"
      "  1767225600000953380\r\n"
      "weather\\,local,where=o\\ ut\\=side sky=\"grey\n, \\\"low\\\"\",rain=0.5\n"
      "npc_later,site=elsewhere x=1 5\n"
      "npc_line,camera=door,host=pi,line=door,site=home out_total=1187i,later=1.5,in_total=1204i,"
      "out=4i,in=5i 1767225600000953380\n"
      "npc,host=pi\\ 5,site=home,camera=door   flags=\"later,degraded,,\",boot=\"5f0c\",seq=48213i,"
      "fps=7.5,interval=2000i,faces=1i,moving=1i,people_max=4i,people=3i 1767225600000953380 \n"
      "npc_object,class=car,camera=door,site=home count=02i 1767225600000953380\n");
  ASSERT_TRUE(answer.counts) << answer.message;
  EXPECT_EQ(to_lines(answer.counts), kExampleLines);
}

TEST(Refusals, OfStructuresNameTheField) {
  using Break = std::function<void(GstStructure *)>;
  auto set = [](const char *name, auto type, auto value) -> Break {
    return [=](GstStructure *s) { gst_structure_set(s, name, type, value, nullptr); };
  };
  auto remove = [](const char *name) -> Break {
    return [=](GstStructure *s) { gst_structure_remove_field(s, name); };
  };
  auto parse = [](const char *name, const char *text) -> Break {
    return [=](GstStructure *s) {
      const Structure table = own(gst_structure_from_string(text, nullptr));
      ASSERT_TRUE(table) << text;
      gst_structure_set(s, name, GST_TYPE_STRUCTURE, table.get(), nullptr);
    };
  };
  struct Case {
    Break change;
    const char *word;
    GstNpcError code = GST_NPC_ERROR_FIELD;
  };
  const std::vector<Case> cases = {
      {remove("version"), "\"version\""},
      {set("version", G_TYPE_STRING, "1"), "\"version\""},
      {set("version", G_TYPE_INT, -1), "\"version\""},
      {set("version", G_TYPE_INT, 2), "\"version\"", GST_NPC_ERROR_VERSION},
      {remove("site"), "\"site\""},
      {set("site", G_TYPE_STRING, static_cast<const char *>(nullptr)), "\"site\""},
      {set("site", G_TYPE_STRING, "ho me"), "\"site\""},
      {set("camera", G_TYPE_INT, 7), "\"camera\""},
      {set("boot", G_TYPE_STRING, kLongName.c_str()), "\"boot\""},
      {set("seq", G_TYPE_UINT64, G_MAXUINT64), "\"seq\""},
      {set("seq", G_TYPE_DOUBLE, 1.0), "\"seq\""},
      {set("time", G_TYPE_UINT64, guint64{GST_NPC_TIME_MAX} + 1), "\"time\""},
      {remove("interval"), "\"interval\""},
      {remove("people"), "\"people\""},
      {set("people", G_TYPE_INT, -1), "\"people\""},
      {set("people", G_TYPE_UINT64, guint64{G_MAXUINT} + 1), "\"people\""},
      {set("people", G_TYPE_BOOLEAN, TRUE), "\"people\""},
      {set("objects", G_TYPE_INT, 1), "\"objects\""},
      {set("objects", GST_TYPE_STRUCTURE, static_cast<GstStructure *>(nullptr)), "\"objects\""},
      {parse("objects", "o, car=-2"), "\"objects.car\""},
      {parse("objects", "o, a.b=2"), "\"objects\""},
      {parse("lines", "l, door=2"), "\"lines.door\""},
      {parse("lines", "l, door=[d, in=1.5]"), "\"lines.door.in\""},
      {parse("lines", "l, a+b=[d, in=1]"), "\"lines\""},
      {parse("zones", "z, queue=[q, dwell=(guint64)9223372036854775808]"), "\"zones.queue.dwell\""},
      {set("flags", G_TYPE_INT, 2), "\"flags\""},
      {set("flags", G_TYPE_STRING, "degraded"), "\"flags\""},
  };
  for (size_t i = 0; i < cases.size(); i++) {
    const Structure structure = to_structure(example());
    cases[i].change(structure.get());
    expect_refused(from_structure(structure), cases[i].code, cases[i].word,
                   "case " + std::to_string(i));
  }
}

TEST(Refusals, OfStructuresSpareWhatPeopleWrite) {
  ASSERT_NE(GST_TYPE_NPC_COUNTS_FLAGS, G_TYPE_INVALID);
  const Structure structure = own(gst_structure_from_string(
      "mine, version=1, site=home, camera=door, boot=x, seq=(guint64)1, time=2, interval=3, "
      "people=4, later=0.5, lines=[l, door=[d, in=1]], flags=(GstNpcCountsFlags)partial+stalled",
      nullptr));
  ASSERT_TRUE(structure);
  const Answer answer = from_structure(structure);
  ASSERT_TRUE(answer.counts) << answer.message;
  EXPECT_EQ(to_json(answer.counts),
            R"({"version":1,"site":"home","camera":"door","boot":"x","seq":1,"time":2,)"
            R"("interval":3,"people":4,"people_max":4,"moving":0,"faces":0,"objects":{},)"
            R"("lines":{"door":{"in":1,"out":0,"in_total":0,"out_total":0}},"zones":{},)"
            R"("flags":["partial","stalled"]})");
}

TEST(Refusals, NeedNobodyWhoListens) {
  EXPECT_EQ(gst_npc_counts_from_json("{", -1, nullptr), nullptr);
  EXPECT_EQ(gst_npc_counts_from_line_protocol("npc", -1, nullptr), nullptr);
  const Structure empty = own(gst_structure_new_empty("npc-counts"));
  EXPECT_EQ(gst_npc_counts_from_structure(empty.get(), nullptr), nullptr);
}

}  // namespace
}  // namespace npc::test
