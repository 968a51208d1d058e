// SPDX-License-Identifier: LGPL-2.1-or-later
// Frames of WebSocket: what is put in comes out, however it is cut, and what must not be ends it.
#include "transport/mqtt/websocket.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace {

using namespace std::string_literals;
using npc::mqtt::WebSocket;

/// A frame as a server sends it.
std::string frame(char first, const std::string &content) {
  std::string text(1, first);
  if (content.size() < 126)
    text += static_cast<char>(content.size());
  else
    text += '\x7e' +
            std::string{static_cast<char>(content.size() >> 8), static_cast<char>(content.size())};
  return text + content;
}

/// What a client's frame holds.
std::string unmasked(const std::string &text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t begin = (byte(1) & 127) < 126 ? 2 : (byte(1) & 127) == 126 ? 4 : 10;
  std::string content;
  for (std::size_t i = begin + 4; i < text.size(); i++)
    content += static_cast<char>(byte(i) ^ byte(begin + (i - begin - 4) % 4));
  return content;
}

struct Read {
  bool good = true;
  std::string content, reply;
};

/// Hands `text` over in pieces of `size`.
Read read(const std::string &text, std::size_t size) {
  WebSocket web;
  Read read;
  for (std::size_t i = 0; i < text.size() && read.good; i += size)
    read.good = web.unwrap(std::span(text).subspan(i, std::min(size, text.size() - i)),
                           &read.content, &read.reply);
  return read;
}

TEST(WebSockets, HaveTheirContentTakenOutHoweverItIsCut) {
  const std::string large(4464, 'x');
  const std::string text = frame('\x82', "") + frame('\x02', "ab") + frame('\x89', "?") +
                           frame('\x00', "c") + frame('\x80', "") + frame('\x82', large) +
                           frame('\x8a', "late");
  for (const std::size_t size : {1, 2, 3, 7, 4096, 100000}) {
    const Read taken = read(text, size);
    EXPECT_TRUE(taken.good) << size;
    EXPECT_EQ(taken.content, "abc" + large) << size;
    ASSERT_FALSE(taken.reply.empty());
    EXPECT_EQ(taken.reply[0], '\x8a');
    EXPECT_EQ(unmasked(taken.reply), "?");
  }
}

TEST(WebSockets, EndAtWhatMustNotBe) {
  for (const std::string &text :
       {frame('\x81', "text"), frame('\x80', "goes on with nothing"),
        frame('\x02', "a") + frame('\x82', "b"), frame('\xc2', "compressed"), "\x82\x84mask"s,
        frame('\x83', "unknown"), frame('\x09', "ping in parts"), frame('\x88', "\x03\xe8"),
        "\x89\x7e\x01\x00"s, "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"s}) {
    for (const std::size_t size : {1, 1000})
      EXPECT_FALSE(read(text, size).good) << testing::PrintToString(text) << size;
  }
}

TEST(WebSockets, AreMaskedByTheClient) {
  for (const std::size_t size : {0u, 1u, 125u, 126u, 65535u, 65536u, 200000u}) {
    const std::string content(size, 'm');
    const std::string text = WebSocket::wrap(content);
    EXPECT_LE(text.size(), size + WebSocket::kOverhead);
    EXPECT_EQ(text[0], '\x82');
    EXPECT_TRUE(text[1] & 0x80);
    EXPECT_EQ(unmasked(text), content);
  }
}

TEST(WebSockets, SurviveRandomBytes) {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; i++) {
    std::string text(random() % 64, '\0');
    for (char &each : text)
      each = static_cast<char>(random());
    const Read taken = read(text, 1 + random() % 16);
    EXPECT_LE(taken.content.size(), text.size());
  }
}

TEST(WebSockets, AreOpenOnlyIfTheServerKnowsTheKey) {
  const WebSocket web;
  const std::string request = web.request("broker:80", "/mqtt");
  EXPECT_TRUE(request.starts_with("GET /mqtt HTTP/1.1\r\nHost: broker:80\r\n")) << request;
  EXPECT_FALSE(web.is_open("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"));
  EXPECT_FALSE(web.is_open(""));
}

}  // namespace
