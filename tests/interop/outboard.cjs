// SPDX-License-Identifier: MIT
// A parent without the library, as docs/PROTOCOL.md describes it: start a child, wait until it is ready, prove the token.
"use strict";
const { spawn } = require("node:child_process");
const crypto = require("node:crypto");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { setTimeout: pause } = require("node:timers/promises");

const BIN = path.join(process.env.OB_TEST_BUILD, "bin");
const SOURCE = process.env.OB_TEST_SOURCE;
const PATIENCE_MS = 30000;

// The children of the tests: one with the library, and one written from docs/PROTOCOL.md only.
const KV_CHILD = [path.join(BIN, "kv-child")];
const PYTHON_CHILD = ["python3", "-B", path.join(SOURCE, "examples/python-child/kv_child.py")];

class Child {
  // Start it, and wait until it says that it is ready.
  static async start(command, codec, listen) {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), "outboard-"));
    const file = path.join(dir, "outboard.json");
    const config = {
      token: crypto.randomBytes(32).toString("hex"),
      name: "kv",
      listen: listen ?? `unix://${dir}/rpc.sock`,
      codec,
      auth: "token",
      instance: crypto.randomBytes(16).toString("hex"),
      allow_plaintext: true,
    };
    fs.writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
    const process_ = spawn(command[0], command.slice(1), {
      env: { ...process.env, OUTBOARD_CONFIG: file },
      stdio: ["ignore", "ignore", "inherit"],
    });
    const child = new Child(dir, process_);
    for (const end = Date.now() + PATIENCE_MS; !child.config?.ready; await pause(10)) {
      if (Date.now() > end || process_.exitCode !== null) {
        throw new Error(`${command[0]} did not become ready`);
      }
      child.config = JSON.parse(fs.readFileSync(file, "utf8"));
    }
    return child;
  }

  constructor(dir, process_) {
    this.dir = dir;
    this.exited = new Promise((resolve) => process_.once("exit", (code, signal) => resolve(signal ?? code)));
    this.signal = (name) => process_.kill(name);
  }

  // SIGINT unless it has ended already; returns its exit status.
  async stop() {
    this.signal("SIGINT");
    const status = await this.exited;
    fs.rmSync(this.dir, { recursive: true });
    return status;
  }

  connect() {
    const address = new URL(this.config.rpc_addr.replace(/^tcp:/, "http:"));
    const socket =
      address.protocol === "unix:"
        ? net.connect(decodeURIComponent(address.pathname))
        : net.connect(Number(address.port), address.hostname);
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error("nothing came for too long")));
    return socket;
  }

  // The dialer's side of `token`. call(data) sends outboard.auth ["token", data], and gives [word, data].
  async prove(call, token = this.config.token) {
    const texts = ["outboard/1", this.config.codec, this.config.auth].map((text) => Buffer.from(text));
    const counted = texts.flatMap((text) => [Buffer.from([text.length >> 8, text.length & 255]), text]);
    const c = crypto.randomBytes(32);
    const [more, answer] = await call(c);
    const s = answer.subarray(0, 32);
    const proof = (side) =>
      crypto.createHmac("sha256", Buffer.from(token, "hex"))
        .update(Buffer.concat([Buffer.from(side), ...counted, c, s]))
        .digest();
    const genuine = more === "more" && crypto.timingSafeEqual(answer.subarray(32), proof("S"));
    return { genuine, done: await call(proof("C")) };
  }
}

module.exports = { Child, KV_CHILD, PYTHON_CHILD };
