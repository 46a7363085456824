/* LogExplorer: files are dropped, a brush over lines per minute, filters, one page of rows, a row's raw lines.
 *
 * Rule 1: text reaches the page through textContent, title and aria-label only; classes come from a closed set.
 * Rule 2: only the rows of one page are ever here, and they come as messages: nothing of a log is set on the model.
 * Rule 3: the octets of dropped files go to the kernel as messages, a piece at a time, and come back never.
 */
const CHIPS = ["ik-clean", "ik-not-scanned", "ik-failed", "ik-working", "ik-none"];
const COLUMNS = [
  "ik-log-c-queue", "ik-log-c-number", "ik-log-c-moment", "ik-log-c-address", "ik-log-c-count", "ik-log-c-done",
  "ik-log-c-age", "ik-log-c-outcome", "ik-log-c-text", "ik-log-c-only",
];
const ROW = { cls: "ik-log-row", label: "ik-log-label", value: "ik-log-value", classes: COLUMNS, chips: CHIPS };
const DRAWN = ["view", "outcome", "text", "busy", "sentence", "tone"];

function render({ model, el }) {
  const view = make("div", "ik-log-explorer", el);
  const top = make("div", "ik-top", view);
  make("p", "ik-name", top, "The log");
  const understood = make("p", "ik-place", top);
  const strange = makeButton(top, "unknown lines ▸", "ik-toggle");
  strange.addEventListener("click", () => setTrait(model, "view", "unknown"));
  const [drawDrop, onTaken] = makeDrop(make("div", "ik-log-files", view), model);
  const [fillBrush, markBrush, stopBrush] = makeBrush(view, model);

  const filters = make("div", "ik-log-filters", view);
  filters.setAttribute("role", "group");
  filters.setAttribute("aria-label", "Filters");
  const [text, stopWords] = makeWords(filters, "ik-log-words", model);
  const label = make("label", "ik-toggle-line ik-log-filter", filters);
  make("span", "ik-caption", label, "outcome");
  const outcome = make("select", "ik-input", label);
  for (const [name, value] of model.get("outcomes")) make("option", "", outcome, name).value = value;
  outcome.addEventListener("change", () => setTrait(model, "outcome", outcome.value));
  const chips = make("span", "ik-log-chips", filters);
  const clear = makeButton(filters, "clear filters", "ik-log-clear");
  clear.addEventListener("click", () => { model.send({ clear: true }); text.focus(); });
  const status = makeStatus(view);

  const choice = make("div", "ik-choice ik-log-views", view);
  choice.setAttribute("role", "group");
  choice.setAttribute("aria-label", "What the table shows");
  const tabs = new Map(model.get("views").map(([name, word]) => {
    const button = makeButton(choice, word, "ik-toggle");
    button.addEventListener("click", () => setTrait(model, "view", name));
    return [name, { button, word }];
  }));
  const hint = "arrows move, Enter opens the raw lines, → a row's button, PgUp and PgDn turn the page, Esc closes";
  const { body, draw: drawPage, turn } = makePages(view, "ik-log-table", COLUMNS, hint, model);
  const below = make("div", "ik-log-below", view);
  const [line, , code] = makeCommandLine(view);

  let now = { table: null, opened: null, chips: [], counts: {}, bars: null, command: "", place: "", understood: "" };
  const lines = makeLines();
  let panel = null;
  let wantsFocus = false;

  function settle() {
    const isThere = now.table !== null;
    for (const node of [filters, choice]) node.hidden = !isThere;
    understood.textContent = now.understood;
    strange.hidden = !isThere || !now.understood.includes("unknown");
    drawDrop(now.place);
    for (const [name, { button, word }] of tabs) {
      button.textContent = word + " " + (now.counts[name] ?? "");
      button.setAttribute("aria-pressed", String(model.get("view") === name));
    }
    if (document.activeElement !== text) text.value = model.get("text");
    outcome.value = model.get("outcome");
    const shown = chips.contains(document.activeElement) ? document.activeElement.textContent : null;
    chips.replaceChildren();
    for (const [name, said] of now.chips) {
      const chip = makeButton(chips, said + " ✕", "ik-log-chosen");
      chip.setAttribute("aria-label", "Drop the filter " + said);
      chip.addEventListener("click", () => { model.send({ drop: name }); text.focus(); });
      if (chip.textContent === shown) chip.focus();
    }
    clear.hidden = !now.chips.length && !model.get("text") && !model.get("outcome");
    line.hidden = now.command === "";
    code.textContent = now.command;
    say(status, model);
  }

  function buildRow(row) {
    const node = makeRow(body, row, now.table.columns, ROW);
    const last = make("td", "ik-log-c-only", node);
    last.setAttribute("role", "gridcell");
    let button = null;
    if (row.only) {
      button = makeButton(last, row.only);
      button.tabIndex = -1;
    }
    return { node, key: row.key, button };
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

  /* The raw lines stand below their row, or below the table when the row is on another page. */
  function drawOpened() {
    if (panel !== null) panel.remove();
    panel = null;
    const opened = now.opened;
    for (const row of lines.all()) {
      row.node.classList.toggle("ik-log-open", opened !== null && row.key === opened.key);
      row.node.setAttribute("aria-expanded", String(opened !== null && row.key === opened.key));
    }
    if (!opened) return;
    const shown = { lines, below, columns: now.table.columns.length, inside: "ik-log-inside", label: opened.title, cls: "ik-log-panel" };
    const [whole, section] = openBelow(opened, shown);
    panel = whole;
    const list = make("ol", "ik-log-lines", section);
    list.tabIndex = 0;
    list.setAttribute("aria-label", "Raw lines");
    for (const [place, raw, note] of opened.lines) {
      const item = make("li", "", list);
      make("p", "ik-log-place", item, place);
      make("code", "ik-log-raw", item, raw);
      if (note) make("p", "ik-log-note", item, note);
    }
    if (opened.more) make("p", "ik-more", section, opened.more);
    if (opened.command) makeCommandLine(section, opened.command);
  }

  function onMessage(message) {
    if ("taken" in message) onTaken(message.taken);
    if (!("draw" in message)) return;
    const { draw } = message;
    now = { ...now, ...draw };
    if ("bars" in draw) fillBrush(now.bars);
    settle();
    if ("table" in draw) drawTable();
    else if ("opened" in draw) drawOpened();
  }

  function open(place) {
    const { key } = lines.all()[place];
    setTrait(model, "opened", model.get("opened") === key ? "" : key);
  }

  function only(place) {
    wantsFocus = true;
    model.send({ only: lines.all()[place].key });
  }

  walkRows(body, lines, {
    act: (place, met) => {
      const { node, button } = lines.all()[place];
      if (met === button) return only(place);
      node.focus();
      open(place);
    },
    more: ({ key }, { node, button }) => {
      if (key === "ArrowRight") button?.focus();
      else if (key === "ArrowLeft") node.focus();
      else return false;
      return true;
    },
    turn: (step) => {
      wantsFocus = true;
      turn(step);
    },
  });
  const stop = listen(() => el.closest(".ik-journey") ?? el, (event) => {
    if (model.get("opened")) {
      setTrait(model, "opened", "");
      lines.now()?.node.focus();
    } else if (model.get("brush")[0] >= 0 && event.target.matches(".ik-log-edge")) setTrait(model, "brush", [-1, -1]);
    else return;
    event.preventDefault();
  });
  for (const name of DRAWN) model.on("change:" + name, settle);
  model.on("change:brush", markBrush);
  model.on("msg:custom", onMessage);
  fillBrush(null);
  settle();
  drawTable();
  model.send({ hello: true });
  return () => {
    stop();
    stopBrush();
    stopWords();
    for (const name of DRAWN) model.off("change:" + name, settle);
    model.off("change:brush", markBrush);
    model.off("msg:custom", onMessage);
  };
}

export default { render };
