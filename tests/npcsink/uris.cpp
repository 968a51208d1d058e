// SPDX-License-Identifier: LGPL-2.1-or-later
// Which URIs of updaters are understood, and what is said of the others.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <initializer_list>
#include <sstream>
#include <string>
#include <utility>

#include "base/secretfile.h"
#include "npcsink/updaters/registry.h"

namespace {

using npc::UriError;
using npc::sink::Registry;

struct Good {
  const char *text;
  const char *target;
};

class GoodUris : public testing::TestWithParam<Good> {};

TEST_P(GoodUris, AreUnderstood) {
  EXPECT_EQ(Registry::standard().make(GetParam().text)->target(), GetParam().target);
}

INSTANTIATE_TEST_SUITE_P(
    All, GoodUris,
    testing::Values(
        Good{"file:/var/log/npc/counts.jsonl", "file:/var/log/npc/counts.jsonl"},
        Good{"file:///tmp/a", "file:/tmp/a"}, Good{"FILE:/tmp/a", "file:/tmp/a"},
        Good{"file:/tmp/a?fsync=1", "file:/tmp/a"}, Good{"file:/dev/stdout", "file:/dev/stdout"},
        Good{"file:/tmp/./b//../a", "file:/tmp/a"},
        Good{"file:/tmp/with%20space%25", "file:/tmp/with space%"},
        Good{"file:/tmp/a:b@c", "file:/tmp/a:b@c"}, Good{"mqtt://host", "mqtt://host:1883"},
        Good{"mqtt://Host.Example.:1884/", "mqtt://host.example.:1884"},
        Good{"MQTT://127.0.0.1/?qos=0", "mqtt://127.0.0.1:1883"},
        Good{"mqtt://[::1]", "mqtt://[::1]:1883"},
        Good{"mqtt://user@[2001:DB8::1]:1/", "mqtt://[2001:db8::1]:1"},
        Good{"mqtt://[FE80::1%25enP4p1]/", "mqtt://[fe80::1%25enP4p1]:1883"},
        Good{"mqtts://[fe80::1%25eth0.1]:1/", "mqtts://[fe80::1%25eth0.1]:1"},
        Good{"influxdb://[fe80::1%25eth0]/npc?rp=a%20week",
             "influxdb://[fe80::1%25eth0]:8086/npc?rp=a week"},
        Good{"mqtt://u%40x@host/?qos=2&client-id=a.B-c_1&password-file=/run/c/n@d/pw",
             "mqtt://host:1883"},
        Good{"mqtt://host?qos=1", "mqtt://host:1883"},
        Good{"influxdb://Host/npc", "influxdb://host:8086/npc"},
        Good{"influxdb://me@[::1]:80/my%20npc?password-file=/run/pw", "influxdb://[::1]:80/my npc"},
        Good{"influxdbs://host/npc?insecure=1", "influxdbs://host:8086/npc"},
        Good{"influxdbs://host:443/?org=my%20home&bucket=a%26b&token-file=/t&ca-file=/c",
             "influxdbs://host:443/?org=my%20home&bucket=a%26b"}));

#define NPC_LORA "lora:/dev/spidev0.1?board=adafruit-4074&camera=7&key-file=/k&state-file=/s"
INSTANTIATE_TEST_SUITE_P(
    Lora, GoodUris,
    testing::Values(
        Good{NPC_LORA, "lora:/dev/spidev0.1"},
        Good{NPC_LORA "&lines=a,b,c,d&sf=9&ack=0&history=1&period=60", "lora:/dev/spidev0.1"},
        Good{NPC_LORA "&frequency=869.525&power=17", "lora:/dev/spidev0.1"},
        Good{NPC_LORA "&sf=12", "lora:/dev/spidev0.1"},
        Good{NPC_LORA "&region=us915", "lora:/dev/spidev0.1"},
        Good{NPC_LORA "&pins=reset:5,irq:6&gpio-chip=pinctrl-rp1", "lora:/dev/spidev0.1"}));

struct Bad {
  const char *text;
  const char *error;
};

class BadUris : public testing::TestWithParam<Bad> {};

TEST_P(BadUris, AreRefusedWithASentence) {
  try {
    Registry::standard().make(GetParam().text);
    FAIL() << GetParam().text;
  } catch (const UriError &error) {
    const std::string what = error.what();
    EXPECT_NE(what.find(GetParam().error), std::string::npos) << what;
    EXPECT_TRUE(what.starts_with("The updater \"")) << what;
    EXPECT_TRUE(what.ends_with(".")) << what;
    EXPECT_EQ(what.find("secret"), std::string::npos) << what;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, BadUris,
    testing::Values(
        Bad{"/var/log/counts", "it must begin with one of file:"},
        Bad{"file", "it must begin with one of file:"},
        Bad{":/x", "it must begin with one of file:"},
        Bad{"127.0.0.1:1883", "it must begin with one of file:"},
        Bad{"localhost:1883", "there is no updater localhost:, it must be one of file:"},
        Bad{"amqp://host", "there is no updater amqp:, it must be one of file:"},
        Bad{"file:", "the path must begin with a /"}, Bad{"file:a", "the path must begin with a /"},
        Bad{"file://a", "a file has no host"}, Bad{"file://a/b", "a file has no host"},
        Bad{"file:/tmp/", "this is a directory"}, Bad{"file:/tmp/..", "this is a directory"},
        Bad{"file:/tmp/a?sync=1", "it has no parameter sync; there are fsync"},
        Bad{"file:/tmp/a?fsync=yes", "fsync must be 0 or 1"},
        Bad{"file:/tmp/a%2", "a % must be followed by two hexadecimal digits"},
        Bad{"file:/tmp/a%zz", "a % must be followed by two hexadecimal digits"},
        Bad{"file:/tmp/a%00b", "control character"}, Bad{"file:/tmp/a%0a", "control character"},
        Bad{"file:/tmp/a#b", "a # has no meaning here"}, Bad{"mqtt:", "there is no host"},
        Bad{"mqtt:host", "there is no host"}, Bad{"mqtt://", "there is no host"},
        Bad{"mqtt:///", "there is no host"}, Bad{"mqtt://:1883", "there is no host"},
        Bad{"mqtt://user@", "there is no host"}, Bad{"mqtt://@host", "no user name before the @"},
        Bad{"mqtt://user:secret@host", "a password must not be written here"},
        Bad{"mqtt://user:@host", "a password must not be written here"},
        Bad{"mqtt://:secret@host", "a password must not be written here"},
        Bad{"mqtt://user:p@secret@host:1883/", "a password must not be written here"},
        Bad{"mqtt://user:p/secret@host", "refused"}, Bad{"mqtt://user:p?secret@host", "refused"},
        Bad{"mqtt://user:p#secret@host", "refused"}, Bad{"mqtt://ho st", "the host name may have"},
        Bad{"mqtt://ho%73t", "the host name may have"},
        Bad{"mqtt://host:", "the port must be a number from 1 to 65535"},
        Bad{"mqtt://host:0", "the port must be a number from 1 to 65535"},
        Bad{"mqtt://host:65536", "the port must be a number from 1 to 65535"},
        Bad{"mqtt://host:18 83", "the port must be a number from 1 to 65535"},
        Bad{"mqtt://host:99999999999999999999", "the port must be a number from 1 to 65535"},
        Bad{"mqtt://::1", "an IPv6 address must be in brackets"},
        Bad{"mqtt://[::1", "the ] after the IPv6 address is missing"},
        Bad{"mqtt://[::1]1883", "only :port may follow the ]"},
        Bad{"mqtt://[host]", "what is in brackets is not an IPv6 address"},
        Bad{"mqtt://[fe80::1%eth0]", "after %25, as in [fe80::1%25eth0]"},
        Bad{"mqtt://[fe80::1%25]", "after %25, as in [fe80::1%25eth0]"},
        Bad{"mqtt://[fe80::1%25a%2fb]", "after %25, as in [fe80::1%25eth0]"},
        Bad{"mqtt://[%25eth0]", "what is in brackets is not an IPv6 address"},
        Bad{"mqtt://host%25eth0", "the host name may have"},
        Bad{"mqtt://host/topic", "nothing may follow the host"},
        Bad{"mqtt://host/?retain=1",
            "no parameter retain; there are client-id, discovery, discovery-form, "
            "discovery-prefix, expiry, "
            "password-file, qos, resend, topic-prefix, topics"},
        Bad{"mqtt://host/?qos", "there must be name=value"},
        Bad{"mqtt://host/?=1", "there must be name=value"},
        Bad{"mqtt://host/?qos=", "the parameter qos has no value"},
        Bad{"mqtt://host/?qos=1&qos=1", "the parameter qos is given twice"},
        Bad{"mqtt://host/?qos=3", "qos must be 0, 1 or 2"},
        Bad{"mqtt://host/?resend=2", "resend must be 0 or 1"},
        Bad{"mqtt://host/?qos=one", "qos must be 0, 1 or 2"},
        Bad{"mqtt://host/?ca-file=/a", "ca-file is for TLS: write mqtts://"},
        Bad{"ws://host/mqtt?ca-file=/a", "ca-file is for TLS: write wss://"},
        Bad{"ws://host/a%20b", "the path may have only"}, Bad{"wss:///mqtt", "there is no host"},
        Bad{"mqtts://host/?ca-file=a", "the path of ca-file must begin with a /"},
        Bad{"mqtts://host/?cert-file=/a", "cert-file and key-file belong together"},
        Bad{"mqtts://host/?insecure=0", "insecure can only be 1"},
        Bad{"mqtts://host/?insecure=1&ca-file=/a", "ca-file means nothing"},
        Bad{"mqtt://host/?expiry=-1", "expiry must be seconds"},
        Bad{"mqtt://host/?topics=counts,pictures", "topics may have counts, influx, state"},
        Bad{"influxdb://host/?org=a&bucket=b&token-file=/t&rp=week",
            "rp names a retention policy of InfluxDB 1; a bucket of InfluxDB 2 has its retention"},
        Bad{"influxdb://host/npc?rp=a/b", "the name of the retention policy must not have /"},
        Bad{"influxdb://host/?rp=week", "it names no place to write to"},
        Bad{"mqtt://host/?discovery=homie", "discovery can only be homeassistant"},
        Bad{"mqtt://host/?discovery=homeassistant&topics=counts",
            "discovery needs the topic state"},
        Bad{"mqtt://host/?discovery=homeassistant&discovery-prefix=a/%23",
            "discovery-prefix must be"},
        Bad{"mqtt://host/?discovery=homeassistant&discovery-prefix=%ff",
            "discovery-prefix must be"},
        Bad{"mqtt://host/?topic-prefix=", "the parameter topic-prefix has no value"},
        Bad{"mqtt://host/?topic-prefix=/a", "topic-prefix must be levels of a topic"},
        Bad{"mqtt://host/?topic-prefix=a/", "topic-prefix must be levels of a topic"},
        Bad{"mqtt://host/?topic-prefix=a//b", "topic-prefix must be levels of a topic"},
        Bad{"mqtt://host/?topic-prefix=a/%2b", "topic-prefix must be levels of a topic"},
        Bad{"mqtt://host/?topic-prefix=%23", "topic-prefix must be levels of a topic"},
        Bad{"mqtt://host/?topic-prefix=$SYS", "topic-prefix must be levels of a topic"},
        Bad{"mqtt://host/?topic-prefix=%ff", "topic-prefix must be levels of a topic"},
        Bad{"mqtt://host/?topic-prefix=a%00", "it contains a control character"},
        Bad{"mqtt://host/?topic-prefix=a%0a", "it contains a control character"},
        Bad{"mqtt://caf%e9@host/", "the user name must be UTF-8"},
        Bad{"mqtt://host/?discovery=homeassistant&discovery-form=both",
            "discovery-form must be device or entities"},
        Bad{"mqtt://host/?discovery-form=device", "means nothing without discovery"},
        Bad{"mqtt://host/?discovery-prefix=a", "means nothing without discovery"},
        Bad{"mqtt://host/?client-id=a/b", "client-id may have"},
        Bad{"mqtt://host/"
            "?client-id=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff12345",
            "client-id may have"},
        Bad{"gpio:gpiochip0/17", "on is missing"},
        Bad{"gpio://gpiochip0/17?on=people>1", "a GPIO chip is no host"},
        Bad{"gpio:17?on=people>1", "it must name a chip and a line"},
        Bad{"gpio:/17?on=people>1", "it must name a chip and a line"},
        Bad{"gpio:chip/?on=people>1", "the line must be a number"},
        Bad{"gpio:chip/1a?on=people>1", "the line must be a number"},
        Bad{"gpio:chip/-1?on=people>1", "the line must be a number"},
        Bad{"gpio:chip/1?on=people", "of on=people: it must compare with >="},
        Bad{"gpio:chip/1?on=people>", "a whole number must follow the >"},
        Bad{"gpio:chip/1?on=people=>1", "it must compare with >="},
        Bad{"gpio:chip/1?on=people>1.5", "a whole number must follow the >"},
        Bad{"gpio:chip/1?on=people>-1", "a whole number must follow the >"},
        Bad{"gpio:chip/1?on=>1", "there is no \"\"; there are people"},
        Bad{"gpio:chip/1?on=cats>1", "there is no \"cats\"; there are people"},
        Bad{"gpio:chip/1?on=lines.door.in>1", "\"lines.\" means nothing"},
        Bad{"gpio:chip/1?on=line.door>1", "a line has in, out, in_total and out_total"},
        Bad{"gpio:chip/1?on=line..in>1", "\"\" is no name of a line"},
        Bad{"gpio:chip/1?on=object.>1", "\"\" is no name of an object"},
        Bad{"gpio:chip/1?on=zone.a.in>1", "a zone has people"},
        Bad{"gpio:chip/1?on=people>1&off=people<5", "must not both hold, as they do for 2"},
        Bad{"gpio:chip/1?on=people>1&off=cats<5", "of off=cats<5: there is no \"cats\""},
        Bad{"gpio:chip/1?on=people>1&active=on", "active must be high or low"},
        Bad{"gpio:chip/1?on=people>1&stale=10", "stale must be a time from 1s to 3600s"},
        Bad{"gpio:chip/1?on=people>1&pulse=1s", "a pulse is for each crossing or entry"},
        Bad{"gpio:chip/1?on=people&pulse=1s", "a pulse is for each crossing or entry"},
        Bad{"gpio:chip/1?on=line.a.in_total&pulse=1s", "a pulse is for each crossing or entry"},
        Bad{"gpio:chip/1?on=line.a.in&pulse=1m", "pulse must be a time from 10ms to 10s"},
        Bad{"gpio:chip/1?on=line.a.in&pulse=11s", "pulse must be a time from 10ms to 10s"},
        Bad{"gpio:chip/1?on=line.a.in&off=people<1&pulse=1s", "a pulse ends by itself"},
        Bad{"unix:counts.sock", "the path must begin with a /"},
        Bad{"unix://host/a", "a socket has no host"}, Bad{"unix:/run/", "this is a directory"},
        Bad{"unix:/run/a?format=xml", "format must be json or classic"},
        Bad{"unix:/tmp/a?resend=yes", "resend must be 0 or 1"},
        Bad{"unix:/tmp/a?format=classic&resend=1", "leave resend=1 out"},
        Bad{"unix:/"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "the path of a socket has at most 107 bytes"},
        Bad{"influxdb:npc", "there is no host; write influxdb://host/database"},
        Bad{"influxdb://host", "it names no place to write to"},
        Bad{"influxdb://host/?org=a&token-file=/t", "it names no place to write to"},
        Bad{"influxdb://host/npc?org=a&bucket=b", "a database is for InfluxDB 1"},
        Bad{"influxdb://host/a/b", "the name of the database must not have /"},
        Bad{"influxdb://host/npc?token-file=/t", "a token is for InfluxDB 2"},
        Bad{"influxdb://host/?org=a&bucket=b", "token-file is missing"},
        Bad{"influxdb://u@host/?org=a&bucket=b&token-file=/t", "InfluxDB 2 has no users here"},
        Bad{"influxdb://u@host/npc", "a user and a password belong together"},
        Bad{"influxdb://host/npc?password-file=/p", "a user and a password belong together"},
        Bad{"influxdb://u:secret@host/npc", "a password must not be written here"},
        Bad{"influxdb://host/?org=a&bucket=b&token=secret",
            "a token must not be written here, where others can read it; put it in a file and give "
            "its name with token-file=/path/to/file"},
        Bad{"mqtt://u@host/?password=secret",
            "a password must not be written here, where others can read it; put it in a file and "
            "give its name with password-file=/path/to/file"},
        Bad{"influxdb://u@host/npc?password-file=p", "the path of password-file must begin with"},
        Bad{"influxdb://host/npc?ca-file=/c", "ca-file and insecure are about TLS"},
        Bad{"influxdb://host/npc?insecure=1", "ca-file and insecure are about TLS"},
        Bad{"influxdbs://host/npc?insecure=yes", "insecure must be 0 or 1"},
        Bad{"influxdbs://host/npc?insecure=1&ca-file=/c", "leave one of them out"},
        Bad{"mqtt://host/?password-file=/a", "a password needs a user"},
        Bad{"mqtt://u@host/?password-file=a", "must begin with a /"}));

INSTANTIATE_TEST_SUITE_P(
    Lora, BadUris,
    testing::Values(
        Bad{"lora:", "the path must begin with a /"},
        Bad{"lora:/dev/spidev0.1", "board is missing; write which one it is: adafruit-4074, "},
        Bad{"lora:/dev/spidev0.1?board=rfm", "There is no board \"rfm\": use adafruit-4074"},
        Bad{"lora:/dev/spidev0.1?board=dragino", "key-file is missing"},
        Bad{"lora:/dev/spidev0.1?board=dragino&key-file=/k", "state-file is missing"},
        Bad{"lora:/dev/spidev0.1?board=dragino&key-file=/k&state-file=/s",
            "camera is missing; write its number at the gateway, 1 to 255"},
        Bad{"lora:/dev/spidev0.1?board=dragino&key=secret", "it has no parameter key"},
        Bad{NPC_LORA "&sf=6", "sf must be a whole number from 7"},
        Bad{NPC_LORA "&lines=a,b,c,d,e", "A camera can have up to 4 lines over LoRa"},
        Bad{NPC_LORA "&lines=a,a", "lines must be names of lines, each once"},
        Bad{NPC_LORA "&lines=a&history=3", "A history of 3 blocks does not fit into a frame"},
        Bad{NPC_LORA "&ack=yes", "ack must be a whole number from 0 to 1"},
        Bad{NPC_LORA "&period=5", "use a longer period"},
        Bad{NPC_LORA "&sf=12&period=60", "use a longer period"},
        Bad{NPC_LORA "&region=mars", "There is no region \"mars\": use eu868, us915 or as923"},
        Bad{NPC_LORA "&region=us915&bandwidth=125", "needs a bandwidth of 500 kHz"},
        Bad{NPC_LORA "&region=as923&sf=10&history=2", "Use less history"},
        Bad{NPC_LORA "&frequency=870.5", "MHz"},
        Bad{NPC_LORA "&frequency=868,1", "frequency must be"},
        Bad{NPC_LORA "&power=16", "16 dBm are more than the 14 dBm that are allowed"},
        Bad{NPC_LORA "&frequency=869.525&power=20",
            "The chip SX1276 of this board sends with 2 to 17 dBm, not with 20"},
        Bad{NPC_LORA "&power=1",
            "The chip SX1276 of this board sends with 2 to 17 dBm, not with 1"}));

TEST(Redact, ShowsWhatMayBeShown) {
  for (const char *text :
       {"", "mqtt://host:1883", "mqtts://u@[2001:db8::1]:1/?qos=1&client-id=a", "file:///a:b@c",
        "mqtt://u@host/?password-file=/run/npc@door/pw", "file:/var/a:b@c?fsync=1",
        "influxdbs://h/?token-file=/t&org=tokens&bucket=b&insecure=1", "unix:/run/a:b@c",
        "mqtts://h/?ca-file=/token=a&key-file=/password", "gpio:chip:1/3?on=people>=1",
        "gpio:gpio@7e200000/3?on=people>=1", " file:/a:b@c\tmqtt://u@h\n", "amqp://host/a"})
    EXPECT_EQ(npc::redact(text), text);
}

TEST(Redact, ShowsNothingButTheSchemeOfWhatMayHoldAPassword) {
  for (const auto &[text, shown] : std::initializer_list<std::pair<const char *, const char *>>{
           {"mqtt://user:p@ss/word@host", "mqtt:***"},
           {"influxdb://bob:Tr0ub@4dor?x@db/npc", "influxdb:***"},
           {"mqtt://user:secret@host:1883/?qos=1", "mqtt:***"},
           {"influxdb://bob:12/34@db", "influxdb:***"},
           {"mqtt://bob:1883/?client-id=a@host", "mqtt:***"},
           {"mqtt://bob@example.org:12/3@host", "mqtt:***"},
           {"mqtt:u:s3cr3t@host", "mqtt:***"},
           {"mqtt:secret", "mqtt:***"},
           {"u:s3cr3t@host/npc", "u:***"},
           {"user:secret", "user:***"},
           {"user://s3cr3t@host/npc", "user:***"},
           {"file://u:12/34@h/a", "file:***"},
           {"mqtt://host:s3cr3t", "mqtt:***"},
           {"mqtt://host/?s3cr3t", "mqtt:***"},
           {"/etc/s3cr3t", "***"},
           {"mqtt://h/?token=s3cr3t", "mqtt:***"},
           {"mqtt://h/?Password=s3cr3t", "mqtt:***"},
           {"influxdb://h/npc?u=me&p=s3cr3t", "influxdb:***"},
           // Two words, for a password has a space.
           {"mqtt://user:12 34@host", "mqtt:*** ***"},
           {"file:/a\tmqtt://u:s@h x://:p@h\n", "file:***\tmqtt:*** x:***\n"}})
    EXPECT_EQ(npc::redact(text), shown) << text;
}

TEST(Redact, HidesParametersThatNoUpdaterHas) {
  EXPECT_EQ(npc::redact("mqtt://h/?qos=1&pasword=s3cr3t"), "mqtt://h/?qos=1&pasword=***");
  EXPECT_EQ(npc::redact("mqtt://h/?pasword=s3&cr=3t"), "mqtt://h/?pasword=***");
  EXPECT_EQ(npc::redact("mqtt://h/?%50assword=s3cr3t"), "mqtt://h/?%50assword=***");
}

// A parameter of an updater that redact() does not know would be hidden.
TEST(Redact, KnowsTheParametersOfAllUpdaters) {
  for (const char *uri : {"file:/a", "gpio:c/1", "influxdb://h/d", "lora:/a", "influxdbs://h/d",
                          "mqtt://h", "mqtts://h", "unix:/a"}) {
    std::string known;
    try {
      Registry::standard().make(std::string(uri) + "?no-such-thing=1");
    } catch (const UriError &error) {
      known = error.what();
    }
    const std::string before = "there are ";
    ASSERT_NE(known.find(before), std::string::npos) << known;
    known = known.substr(known.find(before) + before.size());
    known.pop_back();
    std::istringstream names(known);
    for (std::string name; std::getline(names >> std::ws, name, ',');) {
      const std::string text = std::string(uri) + "?" + name + "=1";
      EXPECT_EQ(npc::redact(text), text);
    }
  }
}

// A secret of characters that no sentence has: Q, X, Z and 7, and whatever a URI gives a meaning.
rc::Gen<std::string> a_secret(const std::string &without = "") {
  std::string characters = "QXZ77:/?#@&=%[].,;+~-_";
  std::erase_if(characters, [&](char c) { return without.find(c) != std::string::npos; });
  return rc::gen::nonEmpty(
      rc::gen::container<std::string>(rc::gen::elementOf(std::move(characters))));
}

void expect_hidden(const std::string &shown, const std::string &text) {
  RC_LOG() << text << '\n' << shown << '\n';
  RC_ASSERT(shown.find_first_of("QXZ7") == std::string::npos);
}

TEST(Redact, TheNameOfAParameterBehindASecretIsNotSaid) {
  try {
    Registry::standard().make("mqtt://host/?passwort=abc&Geheim=1");
    FAIL();
  } catch (const UriError &error) {
    EXPECT_EQ(std::string(error.what()).find("Geheim"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("it has no parameter passwort;"), std::string::npos);
  }
}

/// Whatever is said or shown of a list of updaters.
void expect_hidden_everywhere(const std::string &text) {
  expect_hidden(npc::redact(text), text);
  expect_hidden(npc::redact("file:/a " + text + " unix:/b"), text);
  try {
    expect_hidden(Registry::standard().make(text)->target(), text);
  } catch (const UriError &error) {
    expect_hidden(error.what(), text);
  }
  try {
    npc::parse_uri(text).file_parameter("ca-file");
  } catch (const UriError &error) {
    expect_hidden(error.what(), text);
  }
}

rc::Gen<std::string> a_network() {
  return rc::gen::element<std::string>("mqtt", "mqtts", "influxdb", "influxdbs", "amqp");
}

RC_GTEST_PROP(RedactProperty, NoSecretIsShown, ()) {
  const std::string scheme = *a_network();
  const std::string before = *rc::gen::element<std::string>(
      "://u:", "://:", ":u:", ":/u:", "://b%40c:", "://u@e.org:", "://host/u:", "://host/?u:");
  const std::string after = *rc::gen::element<std::string>(
      "@host", "@host/", "@host:1883/npc?qos=1", "@[::1]", "@", "@host/?password-file=/a@b");
  expect_hidden_everywhere(scheme + before + *a_secret() + after);
}

RC_GTEST_PROP(RedactProperty, NoSecretIsShownWithoutAScheme, ()) {
  expect_hidden_everywhere("bob:" + *a_secret() + "@host/npc");
}

RC_GTEST_PROP(RedactProperty, NoSecretParameterIsShown, ()) {
  const std::string scheme = *a_network();
  const std::string name = *rc::gen::element<std::string>("password", "Token", "p", "pasword",
                                                          "%50assword", "api-key", "user");
  const std::string before = *rc::gen::element<std::string>("", "qos=1&", "org=a&bucket=b&");
  const std::string after = *rc::gen::element<std::string>("", "&qos=1");
  expect_hidden_everywhere(scheme + "://u@host/?" + before + name + "=" + *a_secret("&") + after);
}

TEST(Secrets, AreReadFromFilesOnly) {
  const std::string pipe = testing::TempDir() + "npc-secret-" + std::to_string(getpid());
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string &path : {pipe, std::string("/dev"), std::string("/dev/zero")}) {
    std::string secret;
    EXPECT_EQ(
        npc::read_secret(path, "password", &secret).error(),
        "The password file \"" + path + "\" is not a file, but a directory, a pipe or a device.");
  }
  unlink(pipe.c_str());
}

}  // namespace
