#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The smallest helper of the authenticator ask: ask_plain.py SOCKET. Whoever sends the word is let in."""
import base64
import hmac
import json
import os
import socketserver
import sys


class Asked(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            request = json.loads(line)
            data = base64.b64decode(request["params"]["data"]["$binary"])
            if hmac.compare_digest(data, b"sesame"):
                result = {"word": "done", "subject": "ali baba", "claims": {"cave": "open"}}
            else:
                result = {"word": "refused", "reason": "not the word"}
            self.wfile.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode() + b"\n")


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


if os.path.exists(sys.argv[1]):
    os.unlink(sys.argv[1])  # of one that was killed
os.umask(0o177)
Server(sys.argv[1], Asked).serve_forever()
