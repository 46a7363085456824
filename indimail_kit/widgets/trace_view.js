/* TraceView: a field to ask in, how sure the story is, its rows with their gaps, a row's raw octets.
 *
 * Rule 1: text reaches the page through textContent, title and aria-label only; classes come from a closed set.
 * Rule 2: what is drawn comes as messages: nothing of a log or mail is set on the model.
 */
const CHIPS = ["ik-trace-certain", "ik-trace-likely", "ik-trace-possible", "ik-none"];
const COLUMNS = [
  "ik-trace-c-time", "ik-trace-c-source", "ik-trace-c-text", "ik-trace-c-sure", "ik-trace-c-message",
  "ik-trace-c-address",
];
const ROW = { cls: "ik-trace-row", label: "ik-trace-label", value: "ik-trace-value", classes: COLUMNS, chips: CHIPS };

function render({ model, el }) {
  const view = make("div", "ik-trace", el);
  const top = make("div", "ik-top", view);
  make("p", "ik-name", top, "One message");
  const place = make("p", "ik-place", top);
  const form = make("div", "ik-trace-ask", view);
  const label = make("label", "ik-toggle-line ik-trace-words", form);
  make("span", "ik-caption", label, "ask for");
  const text = make("input", "ik-input", label);
  text.type = "search";
  text.maxLength = 1000;
  text.spellcheck = false;
  text.placeholder = "660188 · qp 6543 · bob@example.com, 2026-11-22 14:12";
  const go = makeButton(form, "trace ▸", "ik-toggle");
  const status = makeStatus(view);
  const verdict = make("div", "ik-trace-verdict", view);
  const chip = make("span", "", verdict);
  const reason = make("span", "ik-trace-reason", verdict);
  const who = make("p", "ik-trace-who", view);
  const back = makeButton(view, "", "ik-toggle");
  const hint = "arrows move, Enter opens, Esc closes";
  const { body, draw: drawPage, turn } = makePages(view, "ik-trace-table", COLUMNS, hint, model);
  const below = make("div", "ik-log-below", view);
  const [line, caption, code] = makeCommandLine(view);

  let now = { table: null, opened: null, verdict: null, others: 0, command: "", without: "", place: "", asked: "" };
  const lines = makeLines();
  let panel = null;
  let wantsFocus = false;

  function ask() {
    if (!model.get("busy")) model.send({ ask: text.value });
  }
  go.addEventListener("click", ask);
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    ask();
    event.preventDefault();
  });
  back.addEventListener("click", () => leave());

  function leave() {
    wantsFocus = true;
    model.send({ choose: -1 });
  }

  function settle() {
    place.textContent = now.place;
    go.disabled = model.get("busy");
    verdict.hidden = who.hidden = now.verdict === null;
    if (now.verdict !== null) {
      const [sure, cls, why, message] = now.verdict;
      chip.textContent = sure;
      chip.className = "ik-chip " + (CHIPS.includes(cls) ? cls : "");
      reason.textContent = why;
      who.textContent = message;
    }
    back.hidden = now.verdict === null || !now.others;
    back.textContent = "‹ all " + (now.others + 1) + " messages that fit";
    line.hidden = now.command === "";
    caption.textContent = "in a terminal" + (now.without ? ", " + now.without : "");
    code.textContent = now.command;
    say(status, model);
  }

  function buildRow(row) {
    const node = makeRow(body, row, now.table.columns, ROW);
    const at = (name) => node.children[now.table.columns.findIndex(([, place]) => place === name)];
    if (row.gap) node.classList.add("ik-trace-gap");
    if (row.why) make("p", "ik-trace-why", at("ik-trace-c-text"), row.why);
    if (row.day) at("ik-trace-c-time").prepend(make("p", "ik-trace-day", node, row.day));
    return { node, key: row.key, isGap: row.gap };
  }

  function drawTable() {
    const hadFocus = body.contains(document.activeElement);
    const key = hadFocus && lines.now() ? lines.now().key : null;
    drawPage(now.table);
    lines.set(now.table === null ? [] : now.table.rows.map(buildRow), (row) => row.key === (key ?? model.get("opened")));
    drawOpened();
    if (hadFocus || wantsFocus) lines.now()?.node.focus();
    wantsFocus = false;
  }

  /* The raw octets stand below their row, or below the table when the row is on another page. */
  function drawOpened() {
    if (panel !== null) panel.remove();
    panel = null;
    const opened = now.opened;
    for (const row of lines.all()) {
      const isOpen = opened !== null && row.key === opened.key;
      row.node.classList.toggle("ik-trace-open", isOpen);
      if (row.key.startsWith("e")) row.node.setAttribute("aria-expanded", String(isOpen));
    }
    if (!opened) return;
    const shown = { lines, below, columns: now.table.columns.length, inside: "ik-trace-inside", label: "Raw octets" };
    const [whole, section] = openBelow(opened, shown);
    panel = whole;
    make("p", "ik-log-place", section, opened.place);
    const list = make("ol", "ik-log-lines", section);
    list.tabIndex = 0;
    list.setAttribute("aria-label", "Raw octets");
    for (const raw of opened.lines) make("code", "ik-log-raw", make("li", "", list), raw);
    list.hidden = !opened.lines.length;
    if (opened.note) make("p", "ik-log-note", section, opened.note);
    if (opened.command) makeCommandLine(section, opened.command);
  }

  function onMessage(message) {
    if (!("draw" in message)) return;
    const { draw } = message;
    now = { ...now, ...draw };
    if ("asked" in draw) text.value = now.asked;
    settle();
    if ("table" in draw) drawTable();
    else if ("opened" in draw) drawOpened();
  }

  function open(place) {
    const { key, isGap } = lines.all()[place];
    if (isGap) return;
    if (key.startsWith("c")) {
      wantsFocus = true;
      model.send({ choose: Number(key.slice(1)) });
    } else setTrait(model, "opened", model.get("opened") === key ? "" : key);
  }

  walkRows(body, lines, {
    act: (place) => {
      lines.all()[place].node.focus();
      open(place);
    },
    turn: (step) => {
      wantsFocus = true;
      turn(step);
    },
  });
  const stop = listen(() => el.closest(".ik-journey") ?? el, (event) => {
    if (event.target === text) return;
    if (model.get("opened")) {
      setTrait(model, "opened", "");
      lines.now()?.node.focus();
    } else if (now.others && now.verdict !== null) leave();
    else return;
    event.preventDefault();
  });
  const drawn = ["busy", "sentence", "tone"];
  for (const name of drawn) model.on("change:" + name, settle);
  model.on("msg:custom", onMessage);
  settle();
  drawTable();
  model.send({ hello: true });
  return () => {
    stop();
    for (const name of drawn) model.off("change:" + name, settle);
    model.off("msg:custom", onMessage);
  };
}

export default { render };
