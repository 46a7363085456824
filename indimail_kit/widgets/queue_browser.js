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
const ROW = {
  cls: "ik-queue-row", label: "ik-queue-label", value: "ik-queue-value", classes: COLUMNS, chips: STATES,
};
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
  const [text, stopWords] = makeWords(filters, "ik-queue-filter ik-queue-words", model);
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

  const hint = "arrows move, Enter opens, → a row's badges, PgUp and PgDn turn the page, Esc closes";
  const { body, draw: drawPage, turn } = makePages(view, "ik-queue-table", COLUMNS, hint, model);
  const drawCommand = makeCommand(view, model);

  const lines = makeLines();
  let shownWhy = null;
  let wantsFocus = false;

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
    row.node.after(why);
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
    const node = makeRow(body, row, model.get("table").columns, ROW);
    const last = make("td", "ik-queue-c-badges", node);
    last.setAttribute("role", "gridcell");
    const built = { node, id: row.id, key: row.key, badges: [] };
    for (const [rule, said, why] of row.badges) {
      const badge = make("button", "ik-chip ik-queue-badge", last, "⚠ " + rule);
      badge.type = "button";
      badge.tabIndex = -1;
      badge.title = said;
      badge.setAttribute("aria-expanded", "false");
      built.badges.push({ node: badge, said, why });
    }
    if (row.more) make("span", "ik-more", last, row.more);
    return built;
  }

  function draw() {
    const hadFocus = body.contains(document.activeElement);
    const id = hadFocus && lines.now() ? lines.now().id : null;
    shownWhy = null;
    drawPage(model.get("table"));
    const isWanted = (row) => (id === null ? row.key === model.get("opened") : row.id === id);
    lines.set(model.get("table").rows.map(buildRow), isWanted);
    mark();
    if (hadFocus || wantsFocus) lines.now()?.node.focus();
    wantsFocus = false;
  }

  function mark() {
    const opened = model.get("opened");
    for (const row of lines.all()) {
      row.node.classList.toggle("ik-queue-open", row.key === opened);
      row.node.setAttribute("aria-selected", String(row.key === opened));
    }
  }

  function open(place) {
    const { key } = lines.all()[place];
    if (model.get("view") === "queues") model.send({ queue: key });
    else setTrait(model, "opened", model.get("opened") === key ? "" : key);
  }

  walkRows(body, lines, {
    act: (place, met) => {
      const row = lines.all()[place];
      const badge = row.badges.find(({ node }) => node === met);
      (badge ?? row).node.focus();
      if (badge) explain(row, badge);
      else open(place);
    },
    more: ({ key, target }, { node, badges }) => {
      const badge = badges.findIndex((one) => one.node === target);
      if (key === "ArrowRight") badges[Math.min(badge + 1, badges.length - 1)]?.node.focus();
      else if (key === "ArrowLeft") (badge > 0 ? badges[badge - 1].node : node).focus();
      else return false;
      return true;
    },
    turn: (step) => {
      wantsFocus = true;
      turn(step);
    },
  });
  const stop = listen(() => el.closest(".ik-journey") ?? el, (event) => {
    if (shownWhy !== null) {
      shownWhy.badge.node.focus();
      explain(null, shownWhy.badge);
    } else if (model.get("opened")) {
      setTrait(model, "opened", "");
      lines.now()?.node.focus();
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
    stopWords();
    for (const [name, call] of events) model.off(name, call);
  };
}

export default { render };
