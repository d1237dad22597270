// SPDX-License-Identifier: MIT
// noise against noise-handshake of npm: either is the initiator, and records cross both ways. It has no rekey, and numbers of 32
// bits, so no key is changed here.
"use strict";
const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const crypto = require("node:crypto");
const path = require("node:path");
const test = require("node:test");

const Cipher = require("noise-handshake/cipher");
const Noise = require("noise-handshake");

const PEER = path.join(process.env.OB_TEST_BUILD, "tests", "noise-peer");
const PSK = Buffer.from(Array.from({ length: 32 }, (_, i) => 100 + i));
const PROLOGUE = Buffer.from("\x00\x0aoutboard/1\x00\x07msgpack\x00\x05noise", "latin1");
const MASK = 0x5a;
const REFUSED = 2;
const BAD_RECORD = 3;

// Ours, behind lengths of two bytes.
class Ours {
  constructor(t, role) {
    this.process = spawn(PEER, [role, PSK.toString("hex"), PROLOGUE.toString("hex")], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    t.after(() => this.process.kill());
    this.process.stdin.on("error", () => {}); // it may end first
    this.exited = new Promise((resolve) => this.process.on("close", resolve));
    this.chunks = this.process.stdout[Symbol.asyncIterator]();
    this.buffer = Buffer.alloc(0);
  }

  send(message) {
    const head = Buffer.alloc(2);
    head.writeUInt16BE(message.length);
    this.process.stdin.write(Buffer.concat([head, message]));
  }

  // The next message; null at the end.
  async receive() {
    while (this.buffer.length < 2 || this.buffer.length < 2 + this.buffer.readUInt16BE()) {
      const { value, done } = await this.chunks.next();
      if (done) {
        return null;
      }
      this.buffer = Buffer.concat([this.buffer, value]);
    }
    const end = 2 + this.buffer.readUInt16BE();
    const message = this.buffer.subarray(2, end);
    this.buffer = this.buffer.subarray(end);
    return message;
  }

  async endsWith(status) {
    this.process.stdin.end();
    assert.equal(await this.exited, status);
  }
}

function theirs(initiator, psk = PSK, prologue = PROLOGUE) {
  const noise = new Noise("NNpsk0", initiator, null, { psk });
  assert.equal(noise.protocol.toString(), "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2b");
  noise.initialise(prologue);
  return noise;
}

// A whole handshake; returns the directions of noise-handshake.
async function open(t, role) {
  const ours = new Ours(t, role);
  const noise = theirs(role === "responder");
  if (role === "initiator") {
    assert.equal(noise.recv(await ours.receive()).length, 0);
    ours.send(noise.send());
  } else {
    ours.send(noise.send());
    assert.equal(noise.recv(await ours.receive()).length, 0);
  }
  assert.ok(noise.complete);
  return { ours, tx: new Cipher(noise.tx), rx: new Cipher(noise.rx) };
}

async function exchange({ ours, tx, rx }, texts) {
  for (const text of texts) {
    ours.send(tx.encrypt(text));
  }
  for (const text of texts) {
    const answer = rx.decrypt(await ours.receive());
    assert.deepEqual(Buffer.from(answer), Buffer.from(text.map((byte) => byte ^ MASK)));
  }
}

for (const role of ["initiator", "responder"]) {
  test(`ours is the ${role}`, async (t) => {
    await t.test("records of every size cross both ways", async (t) => {
      const connection = await open(t, role);
      for (const size of [...Array(130).keys(), 16383, 16384, 65519]) {
        await exchange(connection, [crypto.randomBytes(size)]);
      }
      for (let i = 0; i < 16; i++) {
        await exchange(
          connection,
          Array.from({ length: 256 }, (_, k) => Buffer.from(`${i} ${k}`))
        );
      }
      await connection.ours.endsWith(0);
    });

    await t.test("a changed record is the last", async (t) => {
      const connection = await open(t, role);
      await exchange(connection, [Buffer.from("fine")]);
      const record = connection.tx.encrypt(Buffer.alloc(100));
      record[50] ^= 1;
      connection.ours.send(record);
      assert.equal(await connection.ours.receive(), null);
      await connection.ours.endsWith(BAD_RECORD);
    });

    for (const [what, psk, prologue] of [
      ["psk", Buffer.alloc(32), PROLOGUE],
      ["prologue", PSK, Buffer.from("another")],
    ]) {
      await t.test(`another ${what} is refused`, async (t) => {
        const ours = new Ours(t, role);
        const noise = theirs(role === "responder", psk, prologue);
        if (role === "initiator") {
          const first = await ours.receive();
          assert.throws(() => noise.recv(first));
          await ours.endsWith(1); // its input ended
        } else {
          ours.send(noise.send());
          assert.equal(await ours.receive(), null);
          await ours.endsWith(REFUSED);
        }
      });
    }
  });
}
