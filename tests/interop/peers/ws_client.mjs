// The npm package ws as a client: the checks and the output of `common.py`.
//
// ws is looked for in the folder that NODE_MODULES names.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { once } from 'node:events';
import { parseArgs } from 'node:util';

const WebSocket = createRequire(`${process.env.NODE_MODULES}/`)('ws');

const TIMEOUT = 60_000;
const SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000];
const LARGE = 16 << 20;
const CLOSES = [[1000, 'done'], [1001, 'going away'], [3000, ''], [4999, 'Grüße 😀']];

const { values: options, positionals: [given] } = parseArgs({
  allowPositionals: true,
  options: {
    ca: { type: 'string' },
    compression: { type: 'string', default: 'off' },
    commands: { type: 'boolean' },
    only: { type: 'string', multiple: true },
  },
});
const uri = given.replace(/\/+$/, '');

// A text of this many bytes, with characters of one to four bytes.
function text(size) {
  const line = Buffer.from("Käthe's tide table: 😀 𝄞 €; ");
  const whole = Math.floor(size / line.length) * line.length;
  return Buffer.alloc(whole, line).toString() + '.'.repeat(size - whole);
}

function data(size) {
  return Buffer.alloc(size, Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)));
}

// Everything that comes is kept until it is asked for.
class Connection {
  constructor(path, { subprotocols = [], compression = true } = {}) {
    const ca = options.ca && readFileSync(options.ca);
    this.socket = new WebSocket(uri + path, subprotocols, {
      perMessageDeflate: compression && { threshold: 0 },
      maxPayload: 0,
      ca,
    });
    this.messages = [];
    this.waiting = [];
    this.socket.on('upgrade', (response) => {
      this.extensions = response.headers['sec-websocket-extensions'] ?? '';
    });
    this.socket.on('message', (message, isBinary) => {
      this.tell({ message: isBinary ? message : message.toString() });
    });
    this.end = once(this.socket, 'close').then(([code, reason]) => {
      this.tell({ message: `closed ${code}` });
      return [code, reason.toString()];
    });
    this.end.catch(() => {});
  }

  static async open(path = '/', settings = {}) {
    const connection = new Connection(path, settings);
    await once(connection.socket, 'open');
    return connection;
  }

  tell(told) {
    this.messages.push(told);
    this.waiting.shift()?.();
  }

  async receive() {
    if (this.messages.length === 0) await new Promise((resolve) => this.waiting.push(resolve));
    return this.messages.shift().message;
  }

  async exchange(message) {
    this.socket.send(message);
    same(await this.receive(), message);
  }

  async close(code = 1000, reason = '') {
    this.socket.close(code, reason);
    assert.equal((await this.end)[0], code);
  }
}

// Without the messages themselves, which may be long.
function same(answer, message) {
  const equal = typeof message === 'string' ? answer === message : message.equals(answer);
  assert.ok(equal, `the message differs: lengths ${message.length} ${answer.length}`);
}

const checks = {
  async texts() {
    const connection = await Connection.open();
    for (const size of SIZES) await connection.exchange(text(size));
    await connection.close();
  },

  async binaries() {
    const connection = await Connection.open();
    for (const size of SIZES) await connection.exchange(data(size));
    await connection.close();
  },

  async large() {
    const connection = await Connection.open();
    await connection.exchange(text(LARGE));
    await connection.exchange(data(LARGE));
    await connection.close();
  },

  async many() {
    const connection = await Connection.open();
    const messages = Array.from({ length: 2000 }, (_, number) => text(number % 300));
    for (const message of messages) connection.socket.send(message);
    for (const message of messages) same(await connection.receive(), message);
    await connection.close();
  },

  async fragments_sent() {
    const connection = await Connection.open();
    for (const message of [text(1000), data(1000), text(200_000), data(LARGE)]) {
      // Cut into bytes, so that characters are cut too.
      const bytes = Buffer.from(message);
      const binary = typeof message !== 'string';
      const cuts = [0, 0, 7, 7, 502, bytes.length];
      for (let index = 1; index < cuts.length; index += 1) {
        const fin = index === cuts.length - 1;
        connection.socket.send(bytes.subarray(cuts[index - 1], cuts[index]), { binary, fin });
        if (!fin) connection.socket.ping('between');
      }
      same(await connection.receive(), message);
    }
    await connection.close();
  },

  async fragments_received() {
    const connection = await Connection.open('/fragments');
    for (const size of [...SIZES, LARGE]) {
      await connection.exchange(text(size));
      await connection.exchange(data(size));
    }
    await connection.close();
  },

  async pings() {
    const connection = await Connection.open();
    for (const payload of ['', 'framewire', 'p'.repeat(125)]) {
      const pong = once(connection.socket, 'pong');
      connection.socket.ping(payload);
      assert.equal((await pong)[0].toString(), payload);
    }
    await connection.exchange('and on');
    await connection.close();
  },

  async pings_answered() {
    const connection = await Connection.open('/commands');
    for (const payload of ['', 'framewire', 'p'.repeat(125)]) {
      connection.socket.send(`ping ${payload}`);
      same(await connection.receive(), `pong ${payload}`);
    }
    await connection.close();
  },

  async closes() {
    for (const [code, reason] of CLOSES) await (await Connection.open()).close(code, reason);
  },

  async closes_told() {
    for (const [code, reason] of CLOSES) {
      await (await Connection.open('/commands')).close(code, reason);
      const other = await Connection.open('/commands');
      other.socket.send('closed');
      same(await other.receive(), `${code} ${reason}`);
      await other.close();
    }
  },

  async closed_by_server() {
    for (const [code, reason] of CLOSES) {
      const connection = await Connection.open('/commands');
      connection.socket.send(`close ${code} ${reason}`);
      assert.deepEqual(await connection.end, [code, reason]);
    }
  },

  async subprotocol() {
    const connection = await Connection.open('/', { subprotocols: ['other', 'chat.v2'] });
    assert.equal(connection.socket.protocol, 'chat.v2');
    await connection.close();
    // ws takes a server that chooses none for one that fails.
    const refused = Connection.open('/', { subprotocols: ['other'] });
    await assert.rejects(refused, { message: 'Server sent no subprotocol' });
  },

  async compression() {
    const connection = await Connection.open();
    const agreed = connection.extensions;
    const wanted = options.compression;
    assert.equal(agreed.includes('permessage-deflate'), wanted !== 'off', agreed);
    for (const end of ['client', 'server']) {
      assert.equal(agreed.includes(`${end}_no_context_takeover`), wanted === 'no-takeover', agreed);
    }
    const boats = Array.from({ length: 2000 }, (_, number) => (
      { id: number % 7, name: 'Käthe', tide: 0.25 }
    ));
    for (const size of [0, 1, 2, 10, 100, 2000, 0, 1, 2, 10, 100, 2000]) {
      const json = JSON.stringify(boats.slice(0, size));
      await connection.exchange(json);
      await connection.exchange(Buffer.from(json));
    }
    await connection.close();
  },

  async no_offer() {
    const connection = await Connection.open('/', { compression: false });
    assert.equal(connection.extensions, '');
    await connection.exchange(text(10_000));
    await connection.close();
  },
};

const commands = ['fragments_received', 'pings_answered', 'closes_told', 'closed_by_server'];
const names = Object.keys(checks).filter((name) => options.commands || !commands.includes(name));
for (const name of options.only ?? names) {
  const title = name.replaceAll('_', ' ');
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${TIMEOUT} ms`)), TIMEOUT);
  });
  try {
    await Promise.race([checks[name](), late]);
    console.log(`ok ${title}`);
  } catch (error) {
    console.log(`failed ${title}: ${String(error.message).replaceAll('\n', ' ')}`);
  }
  clearTimeout(timer);
}
console.log('done');
process.exit();
