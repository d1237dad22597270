// SPDX-License-Identifier: MIT
// A stock JSON-RPC 2.0 client (npm json-rpc-2.0) is client and parent of children that speak the codec `json`.
"use strict";
const assert = require("node:assert/strict");
const { once } = require("node:events");
const readline = require("node:readline");
const test = require("node:test");
const { JSONRPCClient, JSONRPCServer, JSONRPCServerAndClient } = require("json-rpc-2.0");
const { Child, KV_CHILD, PYTHON_CHILD } = require("./outboard.cjs");

const binary = (buffer) => ({ $binary: buffer.toString("base64") });

// A connection whose lines go to the stock client, except while a raw line is awaited.
class Peer {
  constructor(child, createId) {
    this.child = child;
    this.socket = child.connect();
    this.closed = once(this.socket, "close");
    this.lines = [];
    this.raw = null;
    this.rpc = new JSONRPCServerAndClient(
      new JSONRPCServer({ errorListener: () => {} }),
      new JSONRPCClient((payload) => void this.socket.write(JSON.stringify(payload) + "\n"), createId)
    );
    readline.createInterface({ input: this.socket }).on("line", (line) => this.receive(line));
    this.socket.on("error", (error) => this.rpc.rejectAllPendingRequests(error.message));
  }

  static async open(child, createId) {
    const peer = new Peer(child, createId);
    const { genuine, done } = await child.prove((data) => peer.auth(data));
    assert.ok(genuine);
    assert.deepEqual(done, ["done", Buffer.alloc(0)]);
    return peer;
  }

  receive(line) {
    this.lines.push(line);
    if (this.raw !== null) {
      this.raw(line);
      this.raw = null;
    } else {
      void this.rpc.receiveAndSend(JSON.parse(line));
    }
  }

  async auth(data) {
    const [word, answer] = await this.call("outboard.auth", ["token", binary(data)]);
    return [word, Buffer.from(answer.$binary, "base64")];
  }

  call(method, params = []) {
    return this.rpc.request(method, params);
  }

  batch(...requests) {
    return this.rpc.requestAdvanced(requests.map((request) => ({ jsonrpc: "2.0", ...request })));
  }

  // Send this text as a line, and take the next one that comes.
  exchange(text) {
    const line = new Promise((resolve) => (this.raw = resolve));
    this.socket.write(text + "\n");
    return line;
  }

  async fails(code, method, params) {
    await assert.rejects(async () => this.call(method, params), (error) => {
      assert.equal(error.code, code, `${method}: ${error.message}`);
      return true;
    });
  }

  async close() {
    this.socket.end();
    await this.closed;
  }
}

function suite(name, command, listen) {
  test(name, { timeout: 120000 }, async (t) => {
    const child = await Child.start(command, "json", listen);
    t.after(() => child.stop());
    const peer = await Peer.open(child);

    await t.test("calls, by place and by name", async () => {
      const health = await peer.call("outboard-control.health");
      assert.equal(health.healthy, true);
      assert.equal(health.pid, child.config.pid);
      assert.deepEqual(await peer.call("outboard-control.interfaces"), ["outboard-control", "kv"]);
      assert.equal(await peer.call("outboard.ping"), true);
      assert.equal(await peer.call("kv.set", ["naïve", "🐍 \u0000\n"]), "🐍 \u0000\n");
      assert.equal(await peer.call("kv.get", { key: "naïve" }), "🐍 \u0000\n");
      assert.equal(await peer.call("kv.get", ["nothing"]), null);
      assert.equal(await peer.rpc.request("outboard.ping", undefined), true);
    });

    await t.test("the specification's errors, and ours", async () => {
      await peer.fails(-32601, "outboard-control.nothing");
      await peer.fails(-32602, "outboard-control.checkVersion", { version: 1 });
      await peer.fails(-32602, "kv.get", [1]);
      await peer.fails(-32600, "outboard.auth", ["token", ""]);
      await peer.fails(-32003, "nobody.has");
      await peer.fails(-32005, "outboard.supervise", ["of another start"]);
    });

    await t.test("invalid requests are answered with an error, and the connection survives", async () => {
      const cases = {
        "{": [-32700, null],
        '{"jsonrpc":"2.0","method":"kv.list","id":1}{}': [-32700, null],
        '{"jsonrpc":"2.0","method":1,"id":7}': [-32600, null],
        '{"jsonrpc":"2.0","method":"kv.list","params":3,"id":{}}': [-32600, null],
        '{"jsonrpc":"1.0","method":"kv.list"}': [-32600, null],
        "[]": [-32600, null],
        "17": [-32600, null],
      };
      for (const [line, [code]] of Object.entries(cases)) {
        assert.equal(JSON.parse(await peer.exchange(line)).error.code, code, line);
      }
      assert.equal(await peer.call("outboard.ping"), true);
    });

    await t.test("ids come back as they were sent", async () => {
      for (const id of ['"a text"', '"é \\" \\\\"', "0", "4294967295", "-1", "null"]) {
        const line = await peer.exchange(`{"jsonrpc":"2.0","method":"outboard.ping","id":${id}}`);
        assert.deepEqual(JSON.parse(line), { jsonrpc: "2.0", id: JSON.parse(id), result: true });
      }
      let n = 0;
      const other = await Peer.open(child, () => `call-${n++}`);
      assert.equal(await other.call("kv.set", ["id", "text"]), "text");
      await other.close();
    });

    await t.test("a notification has no answer", async () => {
      const before = peer.lines.length;
      peer.rpc.notify("kv.set", ["noted", "yes"]);
      peer.rpc.notify("nobody.has", []);
      peer.rpc.notify("$/nothing-that-is-known", []);
      assert.equal(await peer.call("kv.get", ["noted"]), "yes");
      assert.equal(peer.lines.length, before + 1);
    });

    await t.test("batches", async () => {
      const [ping, value, error] = await peer.batch(
        { method: "outboard.ping", params: [], id: 1001 },
        { method: "kv.get", params: { key: "noted" }, id: "second" },
        { method: "nobody.has", params: [], id: 1003 }
      );
      assert.deepEqual([ping.id, ping.result, value.id, value.result], [1001, true, "second", "yes"]);
      assert.deepEqual([error.id, error.error.code], [1003, -32003]);

      const one = '{"jsonrpc":"2.0","method":"outboard.ping","id":1}';
      const note = '{"jsonrpc":"2.0","method":"kv.set","params":["in","batch"]}';
      const mixed = JSON.parse(await peer.exchange(`[${note}, ${one}, 3, ${note}]`));
      assert.deepEqual(mixed.map((m) => m.error?.code ?? m.result).sort(), [-32600, true]);
      const before = peer.lines.length;
      peer.socket.write(`[${note},${note}]\n`);
      assert.equal(await peer.call("kv.get", ["in"]), "batch");
      assert.equal(peer.lines.length, before + 1);
    });

    await t.test("the parent's side: callbacks and events", async () => {
      const changed = [];
      peer.rpc.addMethod("source.read", ([key]) => `value of ${key}`);
      peer.rpc.addMethod("kv-events.changed", ([key]) => void changed.push(key));
      assert.equal(await peer.call("outboard.supervise", [child.config.instance]), true);
      assert.equal(await peer.call("kv.import", ["far"]), "value of far");
      assert.equal(await peer.call("kv.get", ["far"]), "value of far");
      assert.deepEqual(changed, ["far"]);
      // Called from within a batch, which is answered when the last of its answers is there.
      const both = await peer.batch(
        { method: "kv.import", params: ["later"], id: 2001 },
        { method: "outboard.ping", id: 2002 }
      );
      assert.deepEqual(Object.fromEntries(both.map((m) => [m.id, m.result])), { 2001: "value of later", 2002: true });
    });

    await t.test("who does not know the token is refused", async () => {
      const stranger = new Peer(child);
      await assert.rejects(child.prove((data) => stranger.auth(data), "00".repeat(32)), { code: -32000 });
      await stranger.closed;
      const hasty = new Peer(child);
      await hasty.fails(-32000, "kv.list");
      await hasty.closed;
      assert.equal(await peer.call("outboard.ping"), true);
    });

    await t.test("it answers shutdown, and ends", async () => {
      assert.equal(await peer.call("outboard-control.shutdown"), null);
      await once(peer.socket, "end");
      await peer.close();
      assert.equal(await child.exited, 0);
    });
  });
}

suite("the library's child, unix", KV_CHILD);
suite("the library's child, tcp", KV_CHILD, "tcp://127.0.0.1:0");
suite("the child in Python, unix", PYTHON_CHILD);
