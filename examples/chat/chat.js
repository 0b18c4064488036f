// The page of a chat: one WebSocket, opened again when it is lost. What others send only ever becomes text.

const SUBPROTOCOL = "chat.v1";
const MAX_MESSAGE_SIZE = 64 * 1024;
// How much of a message is shown.
const MAX_CHARACTERS = 4000;
const MAX_PREVIEW = 32;
const MAX_ENTRIES = 500;
// Milliseconds.
const PROBE_INTERVAL = 5000;
const PROBE_TIMEOUT = 15_000;
const FIRST_DELAY = 500;
const LONGEST_DELAY = 30_000;
// A connection that lives as long counts as a success.
const STABLE = 10_000;

const CODES = {
  1000: "normal",
  1001: "going away",
  1002: "protocol error",
  1005: "no code was given",
  1006: "no Close frame came",
  1007: "invalid data",
  1008: "against the policy",
  1009: "message too large",
  1011: "error of the server",
};

// What the button does in each state.
const ACTIONS = {
  closed: "Connect",
  connecting: "Stop",
  open: "Disconnect",
  waiting: "Stop",
  closing: "Disconnect",
};

const element = id => document.getElementById(id);
const forms = [element("say"), element("bytes"), element("upload")];
const [text, hex, file] = [element("text"), element("hex"), element("file")];
const [scroll, list] = [element("scroll"), element("messages")];
const encoder = new TextEncoder();
const decoder = new TextDecoder();

let wanted = true; // until the user disconnects
let socket = null; // the only one whose events count
let name = null;
let failures = 0; // attempts without success, since the last one with
let retry = null; // the timer of the next attempt
let stable = null; // the timer until the connection counts as a success
let probing = null; // the timer of the measurement
let probedAt = null; // when the measurement began that has no answer yet
let follows = true; // the newest entry, until the user scrolls back to older ones

// The connection.

function connect() {
  clearTimeout(retry);
  retry = null;
  const url = new URL("/chat", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const opening = new WebSocket(url.href, SUBPROTOCOL);
  socket = opening;
  opening.binaryType = "arraybuffer";
  const ours = handler => event => {
    if (socket === opening) handler(event);
  };
  opening.onopen = ours(opened);
  opening.onmessage = ours(event => {
    if (typeof event.data === "string") receiveText(event.data);
    else receiveBinary(new Uint8Array(event.data));
  });
  opening.onclose = ours(closed);
  show("address", url.href);
  state("connecting", "Connecting …");
}

function opened() {
  stable = setTimeout(() => (failures = 0), STABLE);
  probing = setInterval(probe, PROBE_INTERVAL);
  probe();
  state("open", "Connected");
  show("subprotocol", socket.protocol || "none");
  const compressed = /(^|,)\s*permessage-deflate\b/.test(socket.extensions);
  show("compression", compressed ? "on" : "off", socket.extensions);
}

function closed({ code, reason, wasClean }) {
  const meaning = CODES[code] ? ` (${CODES[code]})` : "";
  const how = `${code}${meaning}, ${wasClean ? "clean" : "not clean"}`;
  show("closed", how, reason);
  end();
  if (wanted) reconnect(wasClean ? `Closed with ${code}` : "Connection lost");
  else state("closed", "Not connected");
}

// Forgets a connection, whether it knows that it has ended or not.
function end() {
  clearTimeout(stable);
  clearInterval(probing);
  [socket, name, probedAt] = [null, null, null];
  for (const fact of ["name", "subprotocol", "compression", "rtt"]) show(fact, "–");
}

// Waits longer after each failure, and differs by chance: not all windows come at once when the server is back.
function reconnect(why) {
  const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** failures);
  const delay = longest * (0.5 + Math.random() / 2);
  failures += 1;
  retry = setTimeout(connect, delay);
  state("waiting", `${why}. Next attempt in ${Math.max(1, Math.round(delay / 1000))} s`);
}

function disconnect() {
  wanted = false;
  clearTimeout(retry);
  retry = null;
  if (socket === null) return state("closed", "Not connected");
  state("closing", "Closing …");
  socket.close(1000);
}

// Measures the round trip by an empty text, which the server answers to us alone.
function probe() {
  if (probedAt === null) {
    probedAt = performance.now();
    socket.send("");
  } else if (wanted && performance.now() - probedAt >= PROBE_TIMEOUT) {
    // It would take the browser much longer to find out.
    const lost = socket;
    end();
    lost.close();
    show("closed", "given up, not clean", "the server did not answer");
    reconnect("The server does not answer");
  }
}

function receiveText(data) {
  if (data === "") {
    if (probedAt !== null) show("rtt", `${(performance.now() - probedAt).toFixed(1)} ms`);
    probedAt = null;
    return;
  }
  const line = data.indexOf("\n");
  if (line < 0) {
    name = data;
    show("name", name);
  } else if (line === 0) {
    notice(data.slice(1));
  } else {
    const said = data.slice(line + 1);
    const size = encoder.encode(said).length;
    const long = said.length > MAX_CHARACTERS;
    const body = document.createElement("p");
    body.className = "text";
    body.dir = "auto";
    // Without half of a character at its end.
    body.textContent = long ? said.slice(0, MAX_CHARACTERS).replace(/[\ud800-\udbff]$/, "") + " …" : said;
    entry(data.slice(0, line), long ? `${bytes(size)}, the beginning` : "", body);
  }
}

function receiveBinary(data) {
  const line = data.indexOf(0x0a);
  const received = data.subarray(line + 1);
  const preview = [...received.subarray(0, MAX_PREVIEW)].map(byte => byte.toString(16).padStart(2, "0"));
  if (received.length > MAX_PREVIEW) preview.push("…");
  const body = document.createElement("code");
  body.textContent = preview.join(" ") || "empty";
  entry(decoder.decode(data.subarray(0, line)), `binary, ${bytes(received.length)}`, body);
}

// What the user sends.

function send(data, size) {
  if (socket?.readyState !== WebSocket.OPEN) return complain("There is no connection.");
  if (size > MAX_MESSAGE_SIZE) {
    return complain(`That is ${bytes(size)}; the server takes ${bytes(MAX_MESSAGE_SIZE)} at the most.`);
  }
  complain("");
  socket.send(data);
  return true;
}

function submit(form, action) {
  form.addEventListener("submit", event => {
    event.preventDefault();
    action();
  });
}

submit(element("say"), () => {
  if (text.value === "") return;
  if (send(text.value, encoder.encode(text.value).length)) text.value = "";
});

submit(element("bytes"), () => {
  const digits = hex.value.replace(/[\s:,]|0x/gi, "");
  if (!/^([0-9a-f]{2})+$/i.test(digits)) {
    return complain("Two hexadecimal digits make a byte, such as 00 ff a5.", hex);
  }
  const data = Uint8Array.from(digits.match(/../g), digit => parseInt(digit, 16));
  if (send(data, data.length)) hex.value = "";
});

submit(element("upload"), async () => {
  const [chosen] = file.files;
  if (!chosen) return complain("Choose a file before.", file);
  try {
    // A large one is not even read.
    const data = chosen.size > MAX_MESSAGE_SIZE ? null : await chosen.arrayBuffer();
    if (send(data, chosen.size)) file.value = "";
  } catch {
    complain("The file can't be read.", file);
  }
});

// What is shown.

function state(state, message) {
  element("state").dataset.state = state;
  element("state").textContent = message;
  element("toggle").textContent = ACTIONS[state];
  element("toggle").disabled = state === "closing";
  for (const form of forms) form.querySelector("button").disabled = state !== "open";
}

function show(id, value, detail = "") {
  element(id).textContent = value;
  if (detail !== "") {
    const code = document.createElement("code");
    code.textContent = detail;
    element(id).append(code);
  }
}

// Tells what is wrong with something that was to be sent.
function complain(problem, field = null) {
  element("problem").textContent = problem;
  for (const input of [text, hex, file]) {
    input.setAttribute("aria-invalid", input === field);
    if (input === field) input.setAttribute("aria-describedby", "problem");
    else input.removeAttribute("aria-describedby");
  }
  field?.focus();
  return false;
}

function bytes(count) {
  return count === 1 ? "1 byte" : `${count.toLocaleString("en")} bytes`;
}

function entry(from, about, body) {
  const item = document.createElement("li");
  const head = document.createElement("p");
  head.className = "about";
  const who = document.createElement("strong");
  const own = from === name;
  who.textContent = own ? "You" : from;
  const now = new Date();
  const time = document.createElement("time");
  time.dateTime = now.toISOString();
  time.textContent = now.toLocaleTimeString();
  head.append(who, time);
  if (about !== "") head.append(about);
  item.classList.toggle("own", own);
  item.append(head, body);
  add(item);
}

function notice(message) {
  const item = document.createElement("li");
  item.className = "notice";
  item.textContent = message;
  add(item);
}

function add(item) {
  element("empty").hidden = true;
  list.append(item);
  while (list.children.length > MAX_ENTRIES) list.firstElementChild.remove();
  if (follows) scroll.scrollTop = scroll.scrollHeight;
}

scroll.addEventListener("scroll", () => {
  follows = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 40;
});

new ResizeObserver(() => {
  if (follows) scroll.scrollTop = scroll.scrollHeight;
}).observe(scroll);

element("toggle").addEventListener("click", () => {
  if (wanted) return disconnect();
  [wanted, failures] = [true, 0];
  connect();
});

// The network is back: no need to wait.
addEventListener("online", () => {
  if (retry !== null) connect();
});

connect();
