/* The tables of QueueBrowser: filters, one page of rows, and how old the picture is.
 *
 * Rule 1: text reaches the page through textContent, title and aria-label only; classes come from a closed set.
 * Rule 2: only the rows of one page are ever here; what is chosen is a trait, and the kernel does the choosing.
 */
const STATES = ["ik-queue-s0", "ik-queue-s1", "ik-queue-s2", "ik-queue-s3", "ik-queue-s4", "ik-queue-s5"];
const COLUMNS = [
  "ik-queue-c-queue", "ik-queue-c-number", "ik-queue-c-state", "ik-queue-c-age", "ik-queue-c-count", "ik-queue-c-address",
  "ik-queue-c-done", "ik-queue-c-channel", "ik-queue-c-moment", "ik-queue-c-badges",
];
const TYPING_MS = 300;
const SET = ["options", "queue", "state", "age", "text", "only_anomalies", "order", "view", "counts", "chosen", "is_filtered", "command"];

function makeSelect(parent, caption, name, model) {
  const label = make("label", "ik-toggle-line ik-queue-filter", parent);
  make("span", "ik-caption", label, caption);
  const list = make("select", "ik-input", label);
  list.addEventListener("change", () => setTrait(model, name, list.value));
  return (options) => {
    const same = options.length === list.options.length && options.every(([, value], at) => list.options[at].value === value);
    if (!same) {
      list.replaceChildren();
      for (const [text, value] of options) make("option", "", list, text).value = value;
    }
    list.value = model.get(name);
  };
}

function render({ model, el }) {
  const view = make("div", "ik-queue-browser", el);
  const top = make("div", "ik-top", view);
  make("p", "ik-name", top, "The queue");
  const place = make("p", "ik-place", top);
  const line = make("div", "ik-queue-line", view);
  const views = make("div", "ik-choice", line);
  views.setAttribute("role", "group");
  views.setAttribute("aria-label", "What the table shows");
  const tabs = new Map(["queues", "messages", "recipients"].map((name) => {
    const button = makeButton(views, name, "ik-toggle");
    button.addEventListener("click", () => setTrait(model, "view", name));
    return [name, button];
  }));
  const [tick, stopClock] = makeClock(line, makeBar(view), model);

  const filters = make("div", "ik-queue-filters", view);
  filters.setAttribute("role", "group");
  filters.setAttribute("aria-label", "Filters");
  const words = make("label", "ik-toggle-line ik-queue-filter ik-queue-words", filters);
  make("span", "ik-caption", words, "address");
  const text = make("input", "ik-input", words);
  text.type = "search";
  text.placeholder = "part of sender or recipient";
  const selects = Object.fromEntries(["queue", "state", "age", "order"].map((name) => [name, makeSelect(filters, name, name, model)]));
  const only = make("label", "ik-toggle-line ik-queue-filter", filters);
  const box = make("input", "ik-box", only);
  box.type = "checkbox";
  make("span", "", only, "only with anomalies");
  box.addEventListener("change", () => setTrait(model, "only_anomalies", box.checked));
  const chosen = makeButton(filters, "", "ik-queue-chosen");
  chosen.addEventListener("click", () => model.send({ drop: true }));
  const clear = makeButton(filters, "clear filters", "ik-queue-clear");
  clear.addEventListener("click", () => { model.send({ clear: true }); text.focus(); });
  const status = makeStatus(view);

  const table = make("table", "ik-table ik-queue-table", view);
  table.setAttribute("role", "grid");
  const head = make("tr", "", make("thead", "", table));
  head.setAttribute("role", "row");
  const body = make("tbody", "", table);
  const nothing = make("p", "ik-empty", view);
  const pager = make("div", "ik-queue-pager", view);
  const back = makeButton(pager, "‹ previous", "ik-toggle");
  const where = make("span", "ik-numbers", pager);
  const on = makeButton(pager, "next ›", "ik-toggle");
  make("span", "ik-hint", pager, "arrows move, Enter opens, → a row's badges, PgUp and PgDn turn the page, Esc closes");
  const drawCommand = makeCommand(view, model);
  back.addEventListener("click", () => turn(-1));
  on.addEventListener("click", () => turn(1));

  let lines = [];
  let at = 0;
  let shownWhy = null;
  let wantsFocus = false;

  let timer = 0;
  text.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => setTrait(model, "text", text.value), TYPING_MS);
  });

  function turn(step) {
    const { page, pages } = model.get("table");
    if (page + step >= 1 && page + step <= pages) setTrait(model, "page", page + step);
  }

  function settle() {
    place.textContent = model.get("place");
    drawCommand();
    for (const [name, button] of tabs) {
      button.textContent = name + " " + (model.get("counts")[name] ?? "");
      button.setAttribute("aria-pressed", String(model.get("view") === name));
    }
    const options = model.get("options");
    for (const [name, fill] of Object.entries(selects)) fill(options[name]);
    if (document.activeElement !== text) text.value = model.get("text");
    box.checked = model.get("only_anomalies");
    const extra = model.get("chosen");
    chosen.hidden = extra === "";
    chosen.textContent = extra + " ✕";
    chosen.setAttribute("aria-label", "Drop the filter " + extra);
    clear.hidden = !model.get("is_filtered");
  }

  function tell() {
    say(status, model);
    tick();
  }

  function explain(row, badge) {
    const isSame = shownWhy !== null && shownWhy.badge === badge;
    if (shownWhy !== null) {
      shownWhy.line.remove();
      shownWhy.badge.node.setAttribute("aria-expanded", "false");
      shownWhy = null;
    }
    if (isSame) return;
    const why = document.createElement("tr");
    why.className = "ik-queue-because";
    why.setAttribute("role", "row");
    row.line.after(why);
    const cell = make("td", "", why);
    cell.setAttribute("role", "gridcell");
    cell.colSpan = model.get("table").columns.length;
    const told = make("p", "ik-says", cell);
    told.setAttribute("role", "status");
    make("strong", "", told, badge.said + ". ");
    make("span", "", told, badge.why);
    badge.node.setAttribute("aria-expanded", "true");
    shownWhy = { line: why, badge };
  }

  function buildRow(row) {
    const line = make("tr", "ik-queue-row", body);
    line.setAttribute("role", "row");
    line.setAttribute("aria-label", row.label);
    line.tabIndex = -1;
    const { columns } = model.get("table");
    row.cells.forEach(([shown, hover, cls], column) => {
      const [name, place] = columns[column];
      const cell = make("td", COLUMNS.includes(place) ? place : "", line);
      cell.setAttribute("role", "gridcell");
      make("span", "ik-queue-label", cell, name).setAttribute("aria-hidden", "true");
      const value = make("span", STATES.includes(cls) ? "ik-chip " + cls : "ik-queue-value", cell, shown);
      if (hover) value.title = hover;
    });
    const last = make("td", "ik-queue-c-badges", line);
    last.setAttribute("role", "gridcell");
    const built = { line, id: row.id, key: row.key, badges: [] };
    for (const [rule, said, why] of row.badges) {
      const node = make("button", "ik-chip ik-queue-badge", last, "⚠ " + rule);
      node.type = "button";
      node.tabIndex = -1;
      node.title = said;
      node.setAttribute("aria-expanded", "false");
      built.badges.push({ node, said, why });
    }
    if (row.more) make("span", "ik-more", last, row.more);
    return built;
  }

  function draw() {
    const hadFocus = body.contains(document.activeElement);
    const id = hadFocus && lines[at] ? lines[at].id : null;
    const now = model.get("table");
    shownWhy = null;
    head.replaceChildren();
    for (const [name, cls] of now.columns) {
      const cell = make("th", COLUMNS.includes(cls) ? cls : "", head, name);
      cell.setAttribute("role", "columnheader");
      cell.scope = "col";
    }
    body.replaceChildren();
    table.setAttribute("aria-label", now.caption);
    lines = now.rows.map(buildRow);
    const found = lines.findIndex((row) => (id === null ? row.key === model.get("opened") : row.id === id));
    at = found >= 0 ? found : Math.max(0, Math.min(at, lines.length - 1));
    if (lines[at]) lines[at].line.tabIndex = 0;
    mark();
    table.hidden = lines.length === 0;
    nothing.hidden = lines.length > 0;
    nothing.textContent = now.empty;
    pager.hidden = lines.length === 0;
    where.textContent = now.where;
    back.disabled = now.page <= 1;
    on.disabled = now.page >= now.pages;
    if ((hadFocus || wantsFocus) && lines[at]) lines[at].line.focus();
    wantsFocus = false;
  }

  function mark() {
    const opened = model.get("opened");
    for (const row of lines) {
      row.line.classList.toggle("ik-queue-open", row.key === opened);
      row.line.setAttribute("aria-selected", String(row.key === opened));
    }
  }

  const find = (node) => lines.findIndex(({ line }) => line.contains(node));

  function take(place) {
    if (lines[at]) lines[at].line.tabIndex = -1;
    at = place;
    lines[at].line.tabIndex = 0;
  }

  function open(place) {
    const { key } = lines[place];
    if (model.get("view") === "queues") model.send({ queue: key });
    else setTrait(model, "opened", model.get("opened") === key ? "" : key);
  }

  function onKey(event) {
    const place = find(event.target);
    if (place < 0) return;
    const row = lines[place];
    const badge = row.badges.findIndex(({ node }) => node === event.target);
    const moves = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: lines.length - 1 };
    if (event.key in moves) lines[Math.max(0, Math.min(lines.length - 1, moves[event.key]))].line.focus();
    else if (event.key === "ArrowRight") row.badges[Math.min(badge + 1, row.badges.length - 1)]?.node.focus();
    else if (event.key === "ArrowLeft") (badge > 0 ? row.badges[badge - 1].node : row.line).focus();
    else if (event.key === "PageDown" || event.key === "PageUp") {
      wantsFocus = true;
      turn(event.key === "PageDown" ? 1 : -1);
    } else if ((event.key === "Enter" || event.key === " ") && badge >= 0) explain(row, row.badges[badge]);
    else if (event.key === "Enter" || event.key === " ") open(place);
    else return;
    event.preventDefault();
  }

  body.addEventListener("keydown", onKey);
  body.addEventListener("focusin", (event) => {
    const place = find(event.target);
    if (place >= 0) take(place);
  });
  body.addEventListener("click", (event) => {
    const place = find(event.target);
    if (place < 0) return;
    const badge = lines[place].badges.find(({ node }) => node === event.target);
    take(place);
    if (badge) {
      badge.node.focus();
      explain(lines[place], badge);
    } else {
      lines[place].line.focus();
      open(place);
    }
  });
  const stop = listen(() => el.closest(".ik-journey") ?? el, (event) => {
    if (shownWhy !== null) {
      shownWhy.badge.node.focus();
      explain(null, shownWhy.badge);
    } else if (model.get("opened")) {
      setTrait(model, "opened", "");
      lines[at]?.line.focus();
    } else return;
    event.preventDefault();
  });
  const events = [
    [["table"], draw], [["opened"], mark], [SET, settle], [["sentence", "tone", "busy", "taken_ms"], tell],
  ].flatMap(([names, call]) => names.map((name) => ["change:" + name, call]));
  for (const [name, call] of events) model.on(name, call);
  settle();
  draw();
  tell();
  return () => {
    stop();
    stopClock();
    clearTimeout(timer);
    for (const [name, call] of events) model.off(name, call);
  };
}

export default { render };
