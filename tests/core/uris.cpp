// SPDX-License-Identifier: LGPL-2.1-or-later
// Which URIs of updaters are understood, and what is said of the others.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "npcsink/secret.h"
#include "npcsink/updaters/updater.h"

namespace {

using npc::Registry;
using npc::UriError;

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
        Good{"mqtt://u%40x@host/?qos=2&client-id=a.B-c_1&password-file=/run/c/n@d/pw",
             "mqtt://host:1883"},
        Good{"mqtt://host?qos=1", "mqtt://host:1883"},
        Good{"influxdb://Host/npc", "influxdb://host:8086/npc"},
        Good{"influxdb://me@[::1]:80/my%20npc?password-file=/run/pw", "influxdb://[::1]:80/my npc"},
        Good{"influxdbs://host/npc?insecure=1", "influxdbs://host:8086/npc"},
        Good{"influxdbs://host:443/?org=my%20home&bucket=a%26b&token-file=/t&ca-file=/c",
             "influxdbs://host:443/?org=my%20home&bucket=a%26b"}));

struct Bad {
  const char *text;
  const char *why;
};

class BadUris : public testing::TestWithParam<Bad> {};

TEST_P(BadUris, AreRefusedWithASentence) {
  try {
    Registry::standard().make(GetParam().text);
    FAIL() << GetParam().text;
  } catch (const UriError &error) {
    const std::string what = error.what();
    EXPECT_NE(what.find(GetParam().why), std::string::npos) << what;
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
        Bad{"mqtt://host/topic", "nothing may follow the host"},
        Bad{"mqtt://host/?retain=1",
            "no parameter retain; there are client-id, discovery, discovery-form, "
            "discovery-prefix, expiry, "
            "password-file, qos, topic-prefix, topics"},
        Bad{"mqtt://host/?qos", "there must be name=value"},
        Bad{"mqtt://host/?=1", "there must be name=value"},
        Bad{"mqtt://host/?qos=", "the parameter qos has no value"},
        Bad{"mqtt://host/?qos=1&qos=1", "the parameter qos is given twice"},
        Bad{"mqtt://host/?qos=3", "qos must be 0, 1 or 2"},
        Bad{"mqtt://host/?qos=one", "qos must be 0, 1 or 2"},
        Bad{"mqtt://host/?ca-file=/a", "ca-file is for TLS: write mqtts://"},
        Bad{"mqtts://host/?ca-file=a", "the path of ca-file must begin with a /"},
        Bad{"mqtts://host/?cert-file=/a", "cert-file and key-file belong together"},
        Bad{"mqtts://host/?insecure=0", "insecure can only be 1"},
        Bad{"mqtts://host/?insecure=1&ca-file=/a", "ca-file means nothing"},
        Bad{"mqtt://host/?expiry=-1", "expiry must be seconds"},
        Bad{"mqtt://host/?topics=counts,pictures", "topics may have counts, influx, state"},
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
        Bad{"unix://host/a", "a socket on this device has no host"},
        Bad{"unix:/run/", "this is a directory"},
        Bad{"unix:/run/a?format=xml", "format must be json or classic"},
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

TEST(Redact, HidesPasswordsWhereverTheyAreTyped) {
  EXPECT_EQ(npc::redact("influxdb://host/?org=a&token=s3cr3t&bucket=b"),
            "influxdb://host/?org=a&token=***&bucket=b");
  EXPECT_EQ(npc::redact("mqtt://u@host/?Password=s3cr3t"), "mqtt://u@host/?Password=***");
  EXPECT_EQ(npc::redact("influxdb://h/npc?u=me&p=s3cr3t&pwd=s3cr3t"),
            "influxdb://h/npc?u=me&p=***&pwd=***");
  EXPECT_EQ(npc::redact("mqtt:u:s3cr3t@host"), "mqtt:***@host");
  EXPECT_EQ(npc::redact("mqtt:/u:s3cr3t@host"), "mqtt:***@host");
  EXPECT_EQ(npc::redact("u:s3cr3t@host/npc"), "u:***@host/npc");
  EXPECT_EQ(npc::redact("mqtt://h/?token=&qos=1&token=s3cr3t"),
            "mqtt://h/?token=***&qos=1&token=***");
  for (const char *harmless :
       {"influxdb://h/?token-file=/t&org=tokens", "mqtts://h/?ca-file=/token=a&key-file=/password",
        "file:/var/a:b@c?fsync=1", "unix:/run/a:b@c", "gpio:chip:1/3?on=people>=1",
        "gpio:gpio@7e200000/3?on=people>=1", "mqtt://h/?token", "mqtt://h/?"})
    EXPECT_EQ(npc::redact(harmless), harmless);
}

TEST(Redact, HidesPasswordsAndNothingElse) {
  EXPECT_EQ(npc::redact("mqtt://user:secret@host:1883/?qos=1"), "mqtt://user:***@host:1883/?qos=1");
  EXPECT_EQ(npc::redact(" file:/a:b@c\tmqtt://u:s@e/c@r?e#t@h\n"),
            " file:/a:b@c\tmqtt://u:***@e/c@r?e#t@h\n");
  EXPECT_EQ(npc::redact("mqtt://u:s/e@h x://:p@h"), "mqtt://u:***@h x://:***@h");
  EXPECT_EQ(npc::redact("mqtt://u:12/e@h"), "mqtt://u:***@h");
  for (const char *harmless :
       {"", "mqtt://host:1883", "mqtt://user@host:1883/?password-file=/run/npc@door/pw",
        "file:///a:b@c", "mqtt://[::1]:1883/?client-id=a@b", "user:secret", "://", "a://:"})
    EXPECT_EQ(npc::redact(harmless), harmless);
}

TEST(Secrets, AreReadFromFilesOnly) {
  const std::string pipe = testing::TempDir() + "npc-secret-" + std::to_string(getpid());
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string &path : {pipe, std::string("/dev"), std::string("/dev/zero")}) {
    std::string secret;
    EXPECT_EQ(
        npc::read_secret(path, "password", &secret),
        "The password file \"" + path + "\" is not a file, but a directory, a pipe or a device.");
  }
  unlink(pipe.c_str());
}

}  // namespace
