/* The console: what was said, one line to type, and Base64 beside it.
 *
 * Rule 1: text reaches the page through textContent only; no markup is made here.
 * Rule 2: what is typed is never set on the model: it goes to the kernel as a message, once. The Base64 helper works in
 *         the page alone and sends nothing.
 */
const SETTLING = ["change:busy", "change:sentence", "change:state", "change:tone"];
const SIDES = { C: ["ik-client", "you"], S: ["ik-server", "server"], "-": ["ik-note", "note"] };
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const ESCAPE = /\\(\\|0|x[0-9A-Fa-f]{2})/;
const MAX_LINES = 400;
const MAX_HISTORY = 50;

function field(parent, caption, cls) {
  const label = make("label", "ik-secret " + cls, parent);
  make("span", "ik-caption", label, caption);
  const input = make("input", "ik-input ik-typed", label);
  input.type = "text";
  input.autocomplete = "off";
  input.spellcheck = false;
  input.setAttribute("autocapitalize", "off");
  return input;
}

/* "\0tim\0x" -> octets: \0 is NUL, \x41 an octet, \\ a backslash, the rest UTF-8. */
function toOctets(text) {
  const octets = [];
  for (let rest = text; rest;) {
    const found = ESCAPE.exec(rest);
    octets.push(...new TextEncoder().encode(found ? rest.slice(0, found.index) : rest));
    if (!found) break;
    octets.push(found[1] === "\\" ? 0x5c : found[1] === "0" ? 0 : Number.parseInt(found[1].slice(1), 16));
    rest = rest.slice(found.index + found[0].length);
  }
  return Uint8Array.from(octets);
}

const escaped = (octet) => (octet === 0 ? "\\0" : "\\x" + octet.toString(16).padStart(2, "0"));

function toText(octets) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets);
  } catch {
    return Array.from(octets, (octet) => (octet > 0x1f && octet < 0x7f ? String.fromCharCode(octet) : escaped(octet))).join("");
  }
  return text.replaceAll("\\", "\\\\").replace(/[\u0000-\u001f\u007f]/g, (one) => escaped(one.charCodeAt(0)));
}

const toBase64 = (octets) => btoa(Array.from(octets, (octet) => String.fromCharCode(octet)).join(""));
const fromBase64 = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));

function buildHelper(parent, use) {
  const helper = make("div", "ik-helper", parent);
  helper.setAttribute("role", "group");
  helper.setAttribute("aria-label", "text and Base64, both ways");
  make("p", "ik-heading", helper, "text ⇄ Base64");
  const text = field(helper, "text", "ik-f-text");
  const base64 = field(helper, "Base64", "ik-f-base64");
  const put = makeButton(helper, "put into the line");
  const note = make("p", "ik-hint", helper);
  note.setAttribute("role", "status");
  const say = (octets) => { note.textContent = octets === null ? "This is not Base64: four characters each, = at the end." : `${octets} octets. Type \\0 for NUL. Nothing here leaves the page.`; };
  text.addEventListener("input", () => {
    const octets = toOctets(text.value);
    base64.value = toBase64(octets);
    say(octets.length);
  });
  base64.addEventListener("input", () => {
    const typed = base64.value.trim();
    if (!BASE64.test(typed)) { say(null); return; }
    const octets = fromBase64(typed);
    text.value = toText(octets);
    say(octets.length);
  });
  put.addEventListener("click", () => use(base64.value.trim()));
  say(0);
}

function render({ model, el }) {
  const view = make("div", "ik-console", el);
  const head = make("div", "ik-top", view);
  make("p", "ik-name", head, "SMTP by hand");
  const connect = makeButton(head, "Connect", "ik-connect");
  const bar = make("div", "ik-bar", view);
  bar.setAttribute("aria-hidden", "true");
  const halves = make("div", "ik-halves", view);
  const left = make("div", "ik-terminal", halves);
  const log = make("div", "ik-log", left);
  log.setAttribute("role", "log");
  log.setAttribute("aria-label", "what was said");
  log.tabIndex = 0;
  const input = field(left, "you>", "ik-prompt");
  input.setAttribute("aria-label", "your line, Enter sends it");
  const status = makeStatus(left);
  buildHelper(halves, (text) => { input.value = text; input.focus(); });
  const explain = makeButton(left, "explain what just happened", "ik-explain");
  const typed = [];
  let at = 0;

  function add([who, text]) {
    const [cls, name] = SIDES[who] ?? SIDES["-"];
    const line = make("div", "ik-line " + cls, log);
    make("span", "ik-who", line, name);
    make("span", "ik-said", line, text);
    while (log.childElementCount > MAX_LINES) log.firstElementChild.remove();
    log.scrollTop = log.scrollHeight;
  }

  function settle() {
    bar.classList.toggle("ik-busy", model.get("busy"));
    say(status, model);
    connect.textContent = model.get("state") === "new" ? "Connect" : "Reconnect";
  }

  function send() {
    if (model.get("state") === "new") { model.send({ connect: true }); return; }
    if (input.value) typed.push(input.value);
    if (typed.length > MAX_HISTORY) typed.shift();
    at = typed.length;
    model.send({ say: input.value });
    input.value = "";
  }

  function recall(step) {
    at = Math.max(0, Math.min(typed.length, at + step));
    input.value = typed[at] ?? "";
  }

  function onMessage(message) {
    if (message.clear) {
      log.replaceChildren();
      typed.length = at = 0;
    }
    for (const line of message.lines ?? []) add(line);
  }

  function onKey(event) {
    if (view.contains(event.target)) keepKeys(event);
  }

  input.addEventListener("keydown", (event) => {
    const action = { Enter: send, ArrowUp: () => recall(-1), ArrowDown: () => recall(1) }[event.key];
    if (!action || event.isComposing) return;
    event.preventDefault();
    action();
  });
  connect.addEventListener("click", () => { model.send({ connect: true }); input.focus(); });
  explain.addEventListener("click", () => model.send({ explain: true }));
  window.addEventListener("keydown", onKey, true);
  model.on("msg:custom", onMessage);
  for (const name of SETTLING) model.on(name, settle);
  for (const line of model.get("lines")) add(line);
  settle();
  return () => {
    window.removeEventListener("keydown", onKey, true);
    model.off("msg:custom", onMessage);
    for (const name of SETTLING) model.off(name, settle);
  };
}

export default { render };
