/* The decision table: switches, and a grid to walk through with the arrows.
 *
 * Rule 1: text reaches the page through textContent and aria-label only; classes come from a closed set.
 */
const MOVES = {
  ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -99], End: [0, 99],
};
const LOOKS = [
  "ik-clean", "ik-marked", "ik-forwarded", "ik-kept", "ik-infected", "ik-swallowed", "ik-error", "ik-not-scanned",
];
const DRAWN = ["change:rows", "change:fields", "change:opened", "change:sentence", "change:tone"];

function buildCell(line) {
  const cell = make("div", "ik-cell", line);
  cell.setAttribute("role", "gridcell");
  cell.tabIndex = -1;
  return {
    cell,
    mark: make("span", "ik-mark", cell),
    word: make("span", "ik-word", cell),
    code: make("span", "ik-code", cell),
    at: make("span", "ik-at", cell),
  };
}

function render({ model, el }) {
  const view = make("div", "ik-policy", el);
  const head = make("div", "ik-top", view);
  make("p", "ik-name", head, "Every scan result, every policy");
  const drawSwitches = makeSwitches(make("div", "ik-switches", view), model);
  const grid = make("div", "ik-grid", view);
  grid.setAttribute("role", "grid");
  grid.setAttribute("aria-label", "What qmail-queue does with each scan result under each REJECTVIRUS");
  const top = make("div", "ik-grid-row ik-grid-head", grid);
  top.setAttribute("role", "row");
  make("span", "ik-corner", top, "how the scan ends").setAttribute("role", "columnheader");
  for (const name of model.get("columns")) make("span", "ik-column", top, name).setAttribute("role", "columnheader");
  const lines = model.get("rows").map((row) => {
    const line = make("div", "ik-grid-row", grid);
    line.setAttribute("role", "row");
    const title = make("div", "ik-row-title", line);
    title.setAttribute("role", "rowheader");
    make("span", "ik-row-name", title, row.title);
    make("span", "ik-row-note", title, row.note);
    return row.cells.map(() => buildCell(line));
  });
  const status = makeStatus(view);
  let at = [0, 0];

  function draw() {
    drawSwitches();
    say(status, model);
    const opened = model.get("opened");
    model.get("rows").forEach((row, line) => row.cells.forEach((now, column) => {
      const shown = lines[line][column];
      shown.mark.textContent = now.mark;
      shown.word.textContent = now.word;
      shown.code.textContent = now.code;
      shown.at.textContent = now.at;
      shown.cell.setAttribute("aria-label", now.label + (now.changed ? ", changed" : ""));
      shown.cell.setAttribute("aria-selected", String(now.key === opened));
      shown.cell.classList.toggle("ik-open", now.key === opened);
      shown.cell.classList.toggle("ik-changed", now.changed);
      for (const cls of LOOKS) shown.cell.classList.toggle(cls, cls === now.cls);
    }));
    lines.flat().forEach((shown) => { shown.cell.tabIndex = -1; });
    lines[at[0]][at[1]].cell.tabIndex = 0;
  }

  function find(node) {
    const line = lines.findIndex((row) => row.some(({ cell }) => cell.contains(node)));
    return line < 0 ? null : [line, lines[line].findIndex(({ cell }) => cell.contains(node))];
  }

  function open(place) {
    const { key } = model.get("rows")[place[0]].cells[place[1]];
    setTrait(model, "opened", model.get("opened") === key ? "" : key);
  }

  function onGridKey(event) {
    const place = find(event.target);
    if (!place) return;
    if (event.key === "Enter" || event.key === " ") open(place);
    else if (event.key in MOVES) {
      const [line, column] = MOVES[event.key].map((step, axis) => {
        const last = axis === 0 ? lines.length - 1 : lines[0].length - 1;
        return Math.max(0, Math.min(last, place[axis] + step));
      });
      lines[line][column].cell.focus();
    } else return;
    event.preventDefault();
  }

  grid.addEventListener("keydown", onGridKey);
  grid.addEventListener("focusin", (event) => {
    const place = find(event.target);
    if (!place) return;
    lines[at[0]][at[1]].cell.tabIndex = -1;
    at = place;
    lines[at[0]][at[1]].cell.tabIndex = 0;
  });
  grid.addEventListener("click", (event) => {
    const place = find(event.target);
    if (!place) return;
    lines[place[0]][place[1]].cell.focus();
    open(place);
  });
  const stop = listen(() => el.closest(".ik-journey") ?? el, (event) => {
    if (!model.get("opened")) return;
    event.preventDefault();
    setTrait(model, "opened", "");
    lines[at[0]][at[1]].cell.focus();
  });
  for (const name of DRAWN) model.on(name, draw);
  draw();
  return () => {
    stop();
    for (const name of DRAWN) model.off(name, draw);
  };
}

export default { render };
