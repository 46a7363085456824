/* The heat map of QueueShape: domains by ages, a grid to walk through with the arrows.
 *
 * Rule 1: text reaches the page through textContent, title and aria-label only; classes come from a closed set.
 */
const HEATS = [
  "ik-queue-heat-0", "ik-queue-heat-1", "ik-queue-heat-2", "ik-queue-heat-3", "ik-queue-heat-4", "ik-queue-heat-5",
  "ik-queue-heat-6",
];
const STEPS = {
  ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -99], End: [0, 99],
  PageUp: [-99, 0], PageDown: [99, 0],
};

function render({ model, el }) {
  const view = make("div", "ik-queue-shape", el);
  const top = make("div", "ik-top", view);
  make("p", "ik-name", top, "The shape of the queue");
  const place = make("p", "ik-place", top);
  const line = make("div", "ik-queue-line", view);
  const sides = make("div", "ik-choice", line);
  sides.setAttribute("role", "group");
  sides.setAttribute("aria-label", "Whose domain");
  const buttons = ["recipient", "sender"].map((name) => {
    const button = makeButton(sides, "by " + name, "ik-toggle");
    button.addEventListener("click", () => setTrait(model, "by", name));
    return [name, button];
  });
  const [tick, stopClock] = makeClock(line, makeBar(view), model);
  const status = makeStatus(view);
  const grid = make("div", "ik-queue-map", view);
  grid.setAttribute("role", "grid");
  const left = make("p", "ik-more", view);
  make("p", "ik-hint", view, "The stronger a colour, the more messages, on a logarithmic scale. Arrows move, Enter opens a cell's messages, Esc closes them.");
  const drawCommand = makeCommand(view, model);

  let lines = [];
  let at = [0, 0];

  function settle() {
    place.textContent = model.get("place");
    drawCommand();
    for (const [name, button] of buttons) button.setAttribute("aria-pressed", String(model.get("by") === name));
  }

  function tell() {
    say(status, model);
    tick();
  }

  function buildLine(row) {
    const strip = make("div", "ik-queue-strip", grid);
    strip.setAttribute("role", "row");
    const head = make("div", "ik-queue-domain", strip, row.name);
    head.setAttribute("role", "rowheader");
    head.title = row.name;
    return row.cells.map((one, column) => {
      const cell = make("div", "ik-queue-cell", strip);
      cell.setAttribute("role", "gridcell");
      cell.setAttribute("aria-label", one.label);
      cell.title = one.label;
      cell.tabIndex = -1;
      cell.classList.add(HEATS[one.level] ?? HEATS[0]);
      make("span", "ik-queue-label", cell, model.get("shape").heads[column][0]).setAttribute("aria-hidden", "true");
      make("span", "ik-queue-value", cell, one.text);
      if (one.text === "·") cell.classList.add("ik-queue-none");
      return cell;
    });
  }

  function draw() {
    const hadFocus = grid.contains(document.activeElement);
    const { heads, rows, corner } = model.get("shape");
    grid.replaceChildren();
    grid.setAttribute("aria-label", corner);
    const head = make("div", "ik-queue-strip ik-queue-heads", grid);
    head.setAttribute("role", "row");
    make("span", "ik-queue-domain", head, corner).setAttribute("role", "columnheader");
    for (const [text, title] of heads) {
      const cell = make("span", "ik-queue-head", head, text);
      cell.setAttribute("role", "columnheader");
      cell.title = title;
    }
    lines = rows.map(buildLine);
    left.textContent = model.get("shape").left;
    const last = lines.length - 1;
    at = [Math.max(0, Math.min(at[0], last)), Math.min(at[1], heads.length - 1)];
    if (last >= 0) {
      lines[at[0]][at[1]].tabIndex = 0;
      if (hadFocus) lines[at[0]][at[1]].focus();
    }
    mark();
  }

  function mark() {
    const [row, column] = model.get("opened");
    lines.forEach((cells, line) => cells.forEach((cell, place) => {
      const isOpen = line === row && place === column;
      cell.classList.toggle("ik-queue-open", isOpen);
      cell.setAttribute("aria-selected", String(isOpen));
    }));
  }

  function find(node) {
    const line = lines.findIndex((cells) => cells.some((cell) => cell.contains(node)));
    return line < 0 ? null : [line, lines[line].findIndex((cell) => cell.contains(node))];
  }

  function take(place) {
    lines[at[0]][at[1]].tabIndex = -1;
    at = place;
    lines[at[0]][at[1]].tabIndex = 0;
  }

  grid.addEventListener("keydown", (event) => {
    const place = find(event.target);
    if (!place) return;
    if (event.key === "Enter" || event.key === " ") model.send({ open: place });
    else if (event.key in STEPS) {
      const lasts = [lines.length - 1, lines[0].length - 1];
      const steps = STEPS[event.key];
      let next = steps.map((step, axis) => Math.max(0, Math.min(lasts[axis], place[axis] + step)));
      // On a narrow screen cells without messages are not drawn: on to the next one that is.
      const back = steps.map((step) => (Math.abs(step) > 1 ? -Math.sign(step) : Math.sign(step)));
      const isIn = ([line, column]) => line >= 0 && line <= lasts[0] && column >= 0 && column <= lasts[1];
      while (isIn(next) && !lines[next[0]][next[1]].getClientRects().length) next = next.map((one, axis) => one + back[axis]);
      if (isIn(next)) lines[next[0]][next[1]].focus();
    } else return;
    event.preventDefault();
  });
  grid.addEventListener("focusin", (event) => {
    const place = find(event.target);
    if (place) take(place);
  });
  grid.addEventListener("click", (event) => {
    const place = find(event.target);
    if (!place) return;
    lines[place[0]][place[1]].focus();
    model.send({ open: place });
  });
  const stop = listen(() => view, (event) => {
    if (model.get("opened")[0] < 0) return;
    event.preventDefault();
    model.send({ close: true });
  });
  const events = [
    [["shape"], draw], [["opened"], mark], [["by", "place", "command"], settle], [["sentence", "tone", "busy", "taken_ms"], tell],
  ].flatMap(([names, call]) => names.map((name) => ["change:" + name, call]));
  for (const [name, call] of events) model.on(name, call);
  settle();
  draw();
  tell();
  return () => {
    stop();
    stopClock();
    for (const [name, call] of events) model.off(name, call);
  };
}

export default { render };
