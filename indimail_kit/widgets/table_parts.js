/* A table of pages with rows to walk through, and the field for a part of an address: what QueueBrowser and LogExplorer
 * share.
 *
 * Rule 1: text reaches the page through textContent and aria-label only; classes come from a closed set.
 */
const TYPING_MS = 300;

/* The field; what is typed becomes the trait when the fingers rest. Returns the field, and what ends it. */
function makeWords(filters, cls, model) {
  const label = make("label", "ik-toggle-line " + cls, filters);
  make("span", "ik-caption", label, "address");
  const text = make("input", "ik-input", label);
  text.type = "search";
  text.placeholder = "part of sender or recipient";
  let timer = 0;
  text.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => setTrait(model, "text", text.value), TYPING_MS);
  });
  return [text, () => clearTimeout(timer)];
}

/* An empty table. `draw` takes a page, or null before there is one; `turn` sets the trait "page", if there is such a page. */
function makePages(view, cls, classes, hint, model) {
  const table = make("table", "ik-table " + cls, view);
  table.setAttribute("role", "treegrid"); // a grid with rows that open
  const head = make("tr", "", make("thead", "", table));
  head.setAttribute("role", "row");
  const body = make("tbody", "", table);
  const nothing = make("p", "ik-empty", view);
  const pager = make("div", "ik-queue-pager", view);
  const back = makeButton(pager, "‹ previous", "ik-toggle");
  const where = make("span", "ik-numbers", pager);
  const on = makeButton(pager, "next ›", "ik-toggle");
  make("span", "ik-hint", pager, hint);
  let now = null;
  const turn = (step) => {
    if (now && now.page + step >= 1 && now.page + step <= now.pages) setTrait(model, "page", now.page + step);
  };
  back.addEventListener("click", () => turn(-1));
  on.addEventListener("click", () => turn(1));
  const draw = (page) => {
    now = page;
    head.replaceChildren();
    body.replaceChildren();
    const isEmpty = now === null || now.rows.length === 0;
    table.hidden = pager.hidden = isEmpty;
    nothing.hidden = now === null || !isEmpty;
    if (now === null) return;
    for (const [name, place] of now.columns) {
      const cell = make(name ? "th" : "td", classes.includes(place) ? place : "", head, name);
      cell.setAttribute("role", name ? "columnheader" : "gridcell"); // above buttons nothing stands
      if (name) cell.scope = "col";
    }
    table.setAttribute("aria-label", now.caption);
    nothing.textContent = now.empty;
    where.textContent = now.where;
    back.disabled = now.page <= 1;
    on.disabled = now.page >= now.pages;
  };
  return { body, draw, turn };
}

/* Rows of which one at a time is in the Tab order. Each line has `node`, and what it is known by. */
function makeLines() {
  let lines = [];
  let at = 0;
  return {
    all: () => lines,
    now: () => lines[at],
    find: (node) => lines.findIndex((line) => line.node.contains(node)),
    set(fresh, isWanted) {
      lines = fresh;
      const found = lines.findIndex(isWanted);
      at = found >= 0 ? found : Math.max(0, Math.min(at, lines.length - 1));
      if (lines[at]) lines[at].node.tabIndex = 0;
    },
    take(place) {
      if (lines[at]) lines[at].node.tabIndex = -1;
      at = place;
      lines[at].node.tabIndex = 0;
    },
    /* Says whether the key moved the focus to another row. */
    move(key, place) {
      const moves = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: lines.length - 1 };
      if (!(key in moves)) return false;
      lines[Math.max(0, Math.min(lines.length - 1, moves[key]))].node.focus();
      return true;
    },
  };
}

/* Keys and clicks in a table: arrows go from row to row, PgUp and PgDn turn the page, Enter and a click act on a row.
 * `act` takes the row's place and what was met in it; `more` takes a key first, and says whether it was one of its own.
 */
function walkRows(body, lines, { act, turn, more = () => false }) {
  body.addEventListener("keydown", (event) => {
    const place = lines.find(event.target);
    if (place < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    if (lines.move(event.key, place) || more(event, lines.all()[place])) return event.preventDefault();
    if (event.key === "PageDown" || event.key === "PageUp") turn(event.key === "PageDown" ? 1 : -1);
    else if (event.key === "Enter" || event.key === " ") act(place, event.target);
    else return;
    event.preventDefault();
  });
  body.addEventListener("focusin", (event) => {
    const place = lines.find(event.target);
    if (place >= 0) lines.take(place);
  });
  body.addEventListener("click", (event) => {
    const place = lines.find(event.target);
    if (place < 0) return;
    lines.take(place);
    act(place, event.target);
  });
}

/* What is opened stands below its row, or below the table when the row is on another page. Returns what has to be removed
 * when it is closed, and the section to fill.
 */
function openBelow(opened, { lines, below, columns, inside, label, cls = "" }) {
  const row = lines.all().find(({ key }) => key === opened.key);
  let home = below;
  let panel = null;
  if (row) {
    panel = document.createElement("tr");
    panel.className = inside;
    panel.setAttribute("role", "row");
    row.node.after(panel);
    home = make("td", "", panel);
    home.setAttribute("role", "gridcell");
    home.colSpan = columns;
  }
  const section = make("section", ("ik-panel " + cls).trim(), home);
  section.setAttribute("aria-label", label);
  const title = make("p", "ik-heading", section, opened.title);
  title.setAttribute("role", "heading");
  title.setAttribute("aria-level", "4");
  return [panel ?? section, section];
}

/* A row with its cells, each with the name of its column for a narrow page. */
function makeRow(body, row, columns, { cls, label, value, classes, chips }) {
  const node = make("tr", cls, body);
  node.setAttribute("role", "row");
  node.setAttribute("aria-label", row.label);
  node.tabIndex = -1;
  row.cells.forEach(([shown, hover, chip], column) => {
    const [name, place] = columns[column];
    const cell = make("td", classes.includes(place) ? place : "", node);
    cell.setAttribute("role", "gridcell");
    make("span", label, cell, name).setAttribute("aria-hidden", "true");
    const said = make("span", chips.includes(chip) ? "ik-chip " + chip : value, cell, shown);
    if (hover) said.title = hover;
  });
  return node;
}
