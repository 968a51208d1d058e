#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads what the unix updater sends, as programs of users would.

Usage: reader.py SOCKET OUTPUT json|classic. Both forms end in lines of OUTPUT. It notes what came
before it takes it out of the socket, so that a kill at any moment costs it nothing."""

import os
import socket
import sys

PATH, OUTPUT, FORM = sys.argv[1:]


def read_json(connection, output):
    while data := connection.recv(1000, socket.MSG_PEEK):
        output.write(data)
        connection.recv(len(data))
    output.write(b"\n")


def read_classic(connection, output):
    # As the first No-picture Camera did, which took one recv() for one message.
    message = connection.recv(1024).decode("ascii")
    sender, *numbers = message.split(" ")
    standing, moves, faces = (int(number) for number in numbers)
    output.write(f"{sender} {standing} {moves} {faces}\n".encode())


if os.path.exists(PATH):
    os.unlink(PATH)
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind(PATH)
server.listen(1)
with open(OUTPUT, "ab", buffering=0) as file:
    while True:
        far_side, _ = server.accept()
        (read_json if FORM == "json" else read_classic)(far_side, file)
        far_side.close()
