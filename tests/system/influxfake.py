#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The write path of InfluxDB 2 on loopback: checks path, token and gzip, and answers what it is told.

Usage: influxfake.py FOLDER. Writes the port to FOLDER/port. FOLDER/token holds the token that is
right. FOLDER/answers holds lines of JSON, each the answer to one request that has lines in it; the
first one is taken away each time. FOLDER/requests and FOLDER/lines are the record of it all."""

import gzip
import http.server
import json
import os
import sys
import time
import urllib.parse

FOLDER = sys.argv[1]


def path(name):
    return os.path.join(FOLDER, name)


def read(name):
    try:
        with open(path(name), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def append(name, text):
    with open(path(name), "a", encoding="utf-8") as file:
        file.write(text)


def next_answer():
    first, _, rest = read("answers").partition("\n")
    if not first:
        return {}
    with open(path("answers.new"), "w", encoding="utf-8") as file:
        file.write(rest)
    os.replace(path("answers.new"), path("answers"))
    return json.loads(first)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body="", headers=None):
        data = body.encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, status, code, message):
        self.answer(status, json.dumps({"code": code, "message": message}))

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urllib.parse.urlsplit(self.path)
        wanted = {"org": ["my home"], "bucket": ["npc"], "precision": ["ns"]}
        if url.path != "/api/v2/write":
            return self.answer(404, "404 page not found\n")
        if self.headers.get("Authorization") != "Token " + read("token").strip():
            return self.refuse(401, "unauthorized", "unauthorized access")
        if urllib.parse.parse_qs(url.query) != wanted:
            return self.refuse(404, "not found", "bucket not found")
        if not body:
            return self.refuse(400, "invalid", "writing requires points")
        if self.headers.get("Content-Encoding") != "gzip":
            return self.refuse(415, "invalid", "this test wants gzip")
        text = gzip.decompress(body).decode()
        answer = next_answer()
        status = answer.get("status", 204)
        append("requests", f"{self.client_address[1]} {text.count(chr(10))} {status}\n")
        if answer.get("hang"):
            time.sleep(600)
        if answer.get("drip"):
            # A byte now and then, and never an end.
            self.wfile.write(b"HTTP/1.1 204 No Content\r\nX-Header: ")
            while True:
                self.wfile.write(b"X")
                time.sleep(0.05)
        if status == 204:
            append("lines", text)
        self.answer(status, answer.get("body", ""), answer.get("headers"))

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
append("port.new", str(server.server_address[1]))
os.replace(path("port.new"), path("port"))
server.serve_forever()
