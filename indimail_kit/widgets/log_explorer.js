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
const TYPING_MS = 300;
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
  const words = make("label", "ik-toggle-line ik-log-words", filters);
  make("span", "ik-caption", words, "address");
  const text = make("input", "ik-input", words);
  text.type = "search";
  text.placeholder = "part of sender or recipient";
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
  const table = make("table", "ik-table ik-log-table", view);
  table.setAttribute("role", "grid");
  const head = make("tr", "", make("thead", "", table));
  head.setAttribute("role", "row");
  const body = make("tbody", "", table);
  const nothing = make("p", "ik-empty", view);
  const pager = make("div", "ik-queue-pager", view);
  const back = makeButton(pager, "‹ previous", "ik-toggle");
  const where = make("span", "ik-numbers", pager);
  const on = makeButton(pager, "next ›", "ik-toggle");
  make("span", "ik-hint", pager, "arrows move, Enter opens the raw lines, → a row's button, PgUp and PgDn turn the page, Esc closes");
  back.addEventListener("click", () => turn(-1));
  on.addEventListener("click", () => turn(1));
  const below = make("div", "ik-log-below", view);
  const line = make("div", "ik-command", view);
  make("span", "ik-caption", line, "in a terminal");
  const code = make("code", "", line);
  makeButton(line, "copy").title = "Copy the command";

  let now = { table: null, opened: null, chips: [], counts: {}, bars: null, command: "", place: "", understood: "" };
  let lines = [];
  let at = 0;
  let panel = null;
  let wantsFocus = false;
  let timer = 0;
  text.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => setTrait(model, "text", text.value), TYPING_MS);
  });

  function turn(step) {
    const { page, pages } = now.table;
    if (page + step >= 1 && page + step <= pages) setTrait(model, "page", page + step);
  }

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
    const node = make("tr", "ik-log-row", body);
    node.setAttribute("role", "row");
    node.setAttribute("aria-label", row.label);
    node.tabIndex = -1;
    const { columns } = now.table;
    row.cells.forEach(([shown, hover, cls], column) => {
      const [name, place] = columns[column];
      const cell = make("td", COLUMNS.includes(place) ? place : "", node);
      cell.setAttribute("role", "gridcell");
      make("span", "ik-log-label", cell, name).setAttribute("aria-hidden", "true");
      const value = make("span", CHIPS.includes(cls) ? "ik-chip " + cls : "ik-log-value", cell, shown);
      if (hover) value.title = hover;
    });
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
    const key = hadFocus && lines[at] ? lines[at].key : null;
    head.replaceChildren();
    body.replaceChildren();
    lines = [];
    const isThere = now.table !== null;
    if (isThere) {
      for (const [name, cls] of now.table.columns) {
        const cell = make("th", COLUMNS.includes(cls) ? cls : "", head, name);
        cell.setAttribute("role", "columnheader");
        cell.scope = "col";
      }
      table.setAttribute("aria-label", now.table.caption);
      lines = now.table.rows.map(buildRow);
      where.textContent = now.table.where;
      back.disabled = now.table.page <= 1;
      on.disabled = now.table.page >= now.table.pages;
      nothing.textContent = now.table.empty;
    }
    const found = lines.findIndex((row) => row.key === (key ?? model.get("opened")));
    at = found >= 0 ? found : Math.max(0, Math.min(at, lines.length - 1));
    if (lines[at]) lines[at].node.tabIndex = 0;
    table.hidden = pager.hidden = lines.length === 0;
    nothing.hidden = !isThere || lines.length > 0;
    drawOpened();
    if ((hadFocus || wantsFocus) && lines[at]) lines[at].node.focus();
    wantsFocus = false;
  }

  /* The raw lines stand below their row, or below the table when the row is on another page. */
  function drawOpened() {
    if (panel !== null) panel.remove();
    panel = null;
    const opened = now.opened;
    for (const row of lines) {
      row.node.classList.toggle("ik-log-open", opened !== null && row.key === opened.key);
      row.node.setAttribute("aria-expanded", String(opened !== null && row.key === opened.key));
    }
    if (!opened) return;
    const row = lines.find(({ key }) => key === opened.key);
    let home = below;
    if (row) {
      panel = document.createElement("tr");
      panel.className = "ik-log-inside";
      panel.setAttribute("role", "row");
      row.node.after(panel);
      home = make("td", "", panel);
      home.setAttribute("role", "gridcell");
      home.colSpan = now.table.columns.length;
    }
    const section = make("section", "ik-panel ik-log-panel", home);
    section.setAttribute("aria-label", opened.title);
    if (!row) panel = section;
    const title = make("p", "ik-heading", section, opened.title);
    title.setAttribute("role", "heading");
    title.setAttribute("aria-level", "4");
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
    if (opened.command) {
      const same = make("div", "ik-command", section);
      make("span", "ik-caption", same, "in a terminal");
      make("code", "", same, opened.command);
      makeButton(same, "copy").title = "Copy the command";
    }
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

  const find = (node) => lines.findIndex((row) => row.node.contains(node));

  function take(place) {
    if (lines[at]) lines[at].node.tabIndex = -1;
    at = place;
    lines[at].node.tabIndex = 0;
  }

  function open(place) {
    setTrait(model, "opened", model.get("opened") === lines[place].key ? "" : lines[place].key);
  }

  function only(place) {
    wantsFocus = true;
    model.send({ only: lines[place].key });
  }

  body.addEventListener("keydown", (event) => {
    const place = find(event.target);
    if (place < 0) return;
    const { node, button } = lines[place];
    const moves = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: lines.length - 1 };
    if (event.key in moves) lines[Math.max(0, Math.min(lines.length - 1, moves[event.key]))].node.focus();
    else if (event.key === "ArrowRight") button?.focus();
    else if (event.key === "ArrowLeft") node.focus();
    else if (event.key === "PageDown" || event.key === "PageUp") {
      wantsFocus = true;
      turn(event.key === "PageDown" ? 1 : -1);
    } else if (event.key === "Enter" || event.key === " ") (event.target === button ? only : open)(place);
    else return;
    event.preventDefault();
  });
  body.addEventListener("focusin", (event) => {
    const place = find(event.target);
    if (place >= 0) take(place);
  });
  body.addEventListener("click", (event) => {
    const place = find(event.target);
    if (place < 0) return;
    take(place);
    if (event.target === lines[place].button) only(place);
    else {
      lines[place].node.focus();
      open(place);
    }
  });
  const stop = listen(() => el.closest(".ik-journey") ?? el, (event) => {
    if (model.get("opened")) {
      setTrait(model, "opened", "");
      lines[at]?.node.focus();
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
    clearTimeout(timer);
    for (const name of DRAWN) model.off("change:" + name, settle);
    model.off("change:brush", markBrush);
    model.off("msg:custom", onMessage);
  };
}

export default { render };
