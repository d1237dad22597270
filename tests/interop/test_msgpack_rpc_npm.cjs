// SPDX-License-Identifier: MIT
// A stock MessagePack (npm @msgpack/msgpack) calls a child that speaks the codec `msgpack`.
"use strict";
const assert = require("node:assert/strict");
const test = require("node:test");
const { decodeMultiStream, encode } = require("@msgpack/msgpack");
const { Child, KV_CHILD } = require("./outboard.cjs");

class Peer {
  constructor(child) {
    this.socket = child.connect();
    this.messages = decodeMultiStream(this.socket);
    this.id = 0;
  }

  send(...message) {
    this.socket.write(encode(message));
  }

  async receive() {
    return (await this.messages.next()).value;
  }

  async call(method, ...params) {
    this.send(0, ++this.id, method, params);
    const [kind, id, error, result] = await this.receive();
    assert.deepEqual([kind, id], [1, this.id]);
    if (error !== null) {
      const [code, message] = error;
      throw Object.assign(new Error(message), { code });
    }
    return result;
  }

  async auth(data) {
    const [word, answer] = await this.call("outboard.auth", "token", data);
    return [word, Buffer.from(answer)];
  }
}

test("@msgpack/msgpack", { timeout: 120000 }, async (t) => {
  const child = await Child.start(KV_CHILD, "msgpack");
  t.after(() => child.stop());
  const peer = new Peer(child);
  const { genuine, done } = await child.prove((data) => peer.auth(data));
  assert.ok(genuine);
  assert.deepEqual(done, ["done", Buffer.alloc(0)]);

  assert.equal((await peer.call("outboard-control.health")).pid, child.config.pid);
  assert.equal(await peer.call("kv.set", "naïve", "🐍 \u0000\n"), "🐍 \u0000\n");
  peer.send(0, 4294967295, "kv.get", { key: "naïve" });
  assert.deepEqual(await peer.receive(), [1, 4294967295, null, "🐍 \u0000\n"]);
  const long = "x".repeat(65536);
  assert.equal(await peer.call("kv.set", "long", long), long);
  await assert.rejects(peer.call("kv.get", 1), { code: -32602 });
  await assert.rejects(peer.call("kv.paint"), { code: -32601 });
  await assert.rejects(peer.call("nobody.has"), { code: -32003 });
  peer.send(2, "kv.set", ["noted", "yes"]);
  assert.equal(await peer.call("kv.get", "noted"), "yes");
  assert.equal(await peer.call("outboard.supervise", child.config.instance), true);
  assert.equal(await peer.call("outboard-control.shutdown"), null);
  assert.deepEqual(await peer.receive(), [2, "$/bye", []]);
  assert.equal(await peer.receive(), undefined);
  peer.socket.end();
  assert.equal(await child.exited, 0);
});
