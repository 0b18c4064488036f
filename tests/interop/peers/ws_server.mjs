// The npm package ws as a server: see `common.py`.

import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';

const { WebSocketServer } = createRequire(`${process.env.NODE_MODULES}/`)('ws');

const { values: options } = parseArgs({
  options: {
    compression: { type: 'string', default: 'off' },
    cert: { type: 'string' },
    key: { type: 'string' },
  },
});
const without = options.compression === 'no-takeover';
const deflate = {
  serverNoContextTakeover: without,
  clientNoContextTakeover: without,
  threshold: 0,
};
const server = options.cert
  ? https.createServer({ cert: readFileSync(options.cert), key: readFileSync(options.key) })
  : http.createServer();
const sockets = new WebSocketServer({
  server,
  perMessageDeflate: options.compression !== 'off' && deflate,
  maxPayload: 0,
  handleProtocols: (offered) => (offered.has('chat.v2') ? 'chat.v2' : false),
});
let closed = '';

sockets.on('headers', (headers, request) => {
  request.answered = headers.find((line) => line.startsWith('Sec-WebSocket-Extensions: ')) ?? '';
});

sockets.on('connection', (socket, request) => {
  const extensions = request.answered.replace('Sec-WebSocket-Extensions: ', '');
  const agreed = `subprotocol ${socket.protocol || 'None'}, extensions ${extensions}`;
  socket.on('message', (message, binary) => {
    if (request.url === '/fragments') {
      const third = Math.floor(message.length / 3);
      const parts = [
        message.subarray(0, third),
        message.subarray(third, 2 * third),
        message.subarray(2 * third),
      ];
      parts.forEach((part, index) => {
        socket.send(part, { binary, fin: index === 2 });
        if (index < 2) socket.ping('between');
      });
    } else if (request.url === '/commands' && !binary) {
      obey(socket, message.toString(), agreed);
    } else {
      socket.send(message, { binary });
    }
  });
  socket.on('pong', (payload) => {
    if (request.url === '/commands') socket.send(`pong ${payload}`);
  });
  socket.on('close', (code, reason) => {
    closed = `${code} ${reason}`;
  });
});

function obey(socket, text, agreed) {
  const [, name, argument] = text.match(/^(\S*) ?(.*)$/s);
  if (name === 'close') {
    const [, code, reason] = argument.match(/^(\d+) ?(.*)$/s);
    socket.close(Number(code), reason);
  } else if (name === 'ping') socket.ping(argument);
  else if (name === 'closed') socket.send(closed);
  else if (name === 'agreed') socket.send(agreed);
  else socket.send(text);
}

server.listen(0, '127.0.0.1', () => {
  const { address, port } = server.address();
  console.log(`listening on ${address}:${port}`);
});
