#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An RTSP camera on the loopback, by GStreamer's own server.

Usage: rtspcamera.py PORT | --check
It delivers rtsp://127.0.0.1:PORT/stream and prints "ready" once it does; --check only tells by its
exit status whether it could.
"""
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer

if sys.argv[1] == "--check":
    sys.exit()
Gst.init(None)
server = GstRtspServer.RTSPServer(address="127.0.0.1", service=sys.argv[1])
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    "( videotestsrc is-live=true ! video/x-raw,format=I420,width=160,height=120,framerate=10/1"
    " ! jpegenc ! rtpjpegpay name=pay0 )"
)
server.get_mount_points().add_factory("/stream", factory)
if server.attach(None) == 0:
    sys.exit(f"Port {sys.argv[1]} is taken.")
print("ready", flush=True)
GLib.MainLoop().run()
