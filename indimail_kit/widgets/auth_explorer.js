/* The explorer: fields, and each line of the exchange as bytes that can be hovered, focused and walked through.
 *
 * Rule 1: text reaches the page through textContent and aria-label only; classes come from a closed set.
 * Rule 2: the password and edited answers are never set on the model: they go to the kernel as messages.
 */
const FIELDS = ["mechanism", "authcid", "challenge"];
const MOVES = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];
const TYPING_MS = 250;

function field(parent, caption, type = "text") {
  const label = make("label", "ik-secret", parent);
  make("span", "ik-caption", label, caption);
  const input = make(type === "select" ? "select" : "input", "ik-input ik-typed", label);
  input.setAttribute("aria-label", caption);
  if (type !== "select") {
    input.type = type;
    input.autocomplete = type === "password" ? "new-password" : "off";
    input.spellcheck = false;
    input.maxLength = 512;
  }
  return input;
}

function later(call) {
  let timer = 0;
  const soon = () => { clearTimeout(timer); timer = setTimeout(call, TYPING_MS); };
  soon.stop = () => clearTimeout(timer);
  return soon;
}

function render({ model, el }) {
  const view = make("div", "ik-explorer", make("div", "ik-journey", el));
  const head = make("div", "ik-top", view);
  make("p", "ik-name", head, "A login, byte by byte");
  const form = make("div", "ik-fields", view);
  const inputs = { mechanism: field(form, "mechanism", "select"), authcid: field(form, "user") };
  const secret = field(form, "password", "password");
  inputs.challenge = field(form, "challenge");
  secret.placeholder = "the demo password";
  const buttons = make("div", "ik-controls", form);
  const show = make("button", "ik-copy ik-toggle", buttons, "show secrets");
  show.type = "button";
  const undo = make("button", "ik-copy ik-toggle", buttons, "undo edits");
  undo.type = "button";
  show.setAttribute("aria-pressed", "false");
  const status = makeStatus(view);
  const says = make("p", "ik-says", view);
  says.setAttribute("role", "status");
  const HINT = "Hover a byte, or press Tab and use the arrows: here stands what it is and who says so.";
  says.textContent = HINT;
  const grid = make("div", "ik-rows", view);
  grid.setAttribute("role", "grid");
  grid.setAttribute("aria-label", "the exchange as bytes");
  const folded = make("details", "ik-legend", view);
  make("summary", "", folded, "What the letters mean");
  const signs = make("ul", "ik-signs", folded);
  const classes = new Set(model.get("legend").map(([, cls]) => cls));
  for (const [letter, cls, meaning] of model.get("legend")) {
    const item = make("li", "", signs);
    make("span", "ik-letter " + cls, item, letter);
    make("span", "", item, " " + meaning);
  }

  let live = null;
  let answers = [];
  let cells = [];
  let at = [0, 0];
  let timers = [];

  function addPiece(line, cellsOfRow, piece, isWire, position, count) {
    const cls = classes.has(piece.cls) ? piece.cls : "ik-role-o";
    const group = make("span", "ik-piece " + cls, line);
    const letter = make("span", "ik-letter", group, piece.letter);
    letter.setAttribute("aria-hidden", "true");
    const bytes = make("span", "ik-cells", group);
    piece.cells.forEach(([text, hex], index) => {
      const cell = make("span", "ik-byte", bytes);
      cell.setAttribute("role", "gridcell");
      cell.tabIndex = -1;
      make("span", "ik-char", cell, text);
      if (!isWire) make("span", "ik-hex", cell, hex);
      const what = isWire ? "character" : "byte";
      const value = text === "****" ? "hidden" : hex ? `${text} 0x${hex}` : text;
      const label = `${what} ${position + index + 1} of ${count}: ${value} · ${piece.letter} · ${piece.says}`;
      cell.setAttribute("aria-label", label);
      cell.title = label;
      cellsOfRow.push({ cell, label });
    });
  }

  function addEditor(row, number) {
    if (live === null || number < 0) return;
    const editor = field(row, "send instead");
    editor.maxLength = 16384;
    editor.value = answers[number] ?? "";
    editor.dataset.answer = String(number);
    const soon = later(() => model.send({ edit: [number, editor.value.trim()] }));
    timers.push(soon);
    editor.addEventListener("input", soon);
  }

  function draw() {
    const edited = grid.contains(document.activeElement) ? document.activeElement.dataset.answer : undefined;
    const hadFocus = grid.contains(document.activeElement);
    const caret = edited === undefined ? 0 : document.activeElement.selectionStart;
    for (const soon of timers) soon.stop();
    timers = [];
    cells = [];
    grid.before(says);
    grid.replaceChildren();
    for (const row of live ?? model.get("rows")) {
      const box = make("div", "ik-row", grid);
      box.setAttribute("role", "row");
      const title = make("div", "ik-row-head", box);
      make("span", "ik-row-name", title, row.name);
      make("span", "ik-row-note", title, row.note);
      const line = make("div", row.wire ? "ik-bytes ik-wire" : "ik-bytes", box);
      const count = row.pieces.reduce((sum, piece) => sum + piece.cells.length, 0);
      const found = [];
      for (const piece of row.pieces) addPiece(line, found, piece, row.wire, found.length, count);
      if (found.length) cells.push(found);
      addEditor(box, row.answer);
    }
    at = [Math.min(at[0], Math.max(0, cells.length - 1)), at[1]];
    if (cells.length) current().cell.tabIndex = 0;
    const editor = edited === undefined ? null : grid.querySelector(`input[data-answer="${Number(edited)}"]`);
    if (editor) { editor.focus(); editor.setSelectionRange(caret, caret); }
    else if (hadFocus && cells.length) current().cell.focus();
  }

  const current = () => cells[at[0]][Math.min(at[1], cells[at[0]].length - 1)];

  function settle() {
    say(status, model);
    for (const name of FIELDS) if (document.activeElement !== inputs[name]) inputs[name].value = model.get(name);
    inputs.challenge.disabled = !model.get("mechanism").startsWith("CRAM-");
  }

  function find(node) {
    const cell = node.closest?.(".ik-byte");
    const row = cell ? cells.findIndex((one) => one.some((other) => other.cell === cell)) : -1;
    return row < 0 ? null : [row, cells[row].findIndex((one) => one.cell === cell)];
  }

  function tell(event) {
    const place = find(event.target);
    if (place) says.textContent = cells[place[0]][place[1]].label;
  }

  function take(event) {
    const place = find(event.target);
    if (!place) return;
    current().cell.tabIndex = -1;
    at = place;
    current().cell.tabIndex = 0;
    // The sentence stands below the row that is walked through, so that it is on the screen with it.
    current().cell.closest(".ik-row").append(says);
    tell(event);
  }

  function move(event) {
    if (!MOVES.includes(event.key) || !find(event.target)) return;
    event.preventDefault();
    const [row, column] = at;
    const last = cells[row].length - 1;
    const to = {
      ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1], ArrowUp: [row - 1, column], ArrowDown: [row + 1, column],
      Home: [row, 0], End: [row, last],
    }[event.key];
    const next = Math.max(0, Math.min(cells.length - 1, to[0]));
    cells[next][Math.max(0, Math.min(cells[next].length - 1, to[1]))].cell.focus();
  }

  function onMessage(message) {
    if (!("rows" in message)) return;
    live = message.rows;
    answers = message.answers;
    show.setAttribute("aria-pressed", String(live !== null));
    show.textContent = live === null ? "show secrets" : "hide secrets";
    draw();
  }

  function onKey(event) {
    if (view.contains(event.target)) keepKeys(event);
  }

  for (const name of model.get("mechanisms")) make("option", "", inputs.mechanism, name);
  const saves = FIELDS.map((name) => {
    const save = later(() => { model.set(name, inputs[name].value); model.save_changes(); });
    inputs[name].addEventListener("input", save);
    return save;
  });
  secret.addEventListener("change", () => model.send({ secret: secret.value }));
  show.addEventListener("click", () => model.send({ show: live === null }));
  undo.addEventListener("click", () => model.send({ reset: true }));
  grid.addEventListener("mouseover", tell);
  grid.addEventListener("focusin", take);
  grid.addEventListener("keydown", move);
  window.addEventListener("keydown", onKey, true);
  const onRows = () => { if (live === null) draw(); };
  model.on("change:rows", onRows);
  model.on("msg:custom", onMessage);
  for (const name of [...FIELDS, "sentence", "tone"]) model.on("change:" + name, settle);
  draw();
  settle();
  return () => {
    for (const soon of [...saves, ...timers]) soon.stop();
    window.removeEventListener("keydown", onKey, true);
    model.off("change:rows", onRows);
    model.off("msg:custom", onMessage);
    for (const name of [...FIELDS, "sentence", "tone"]) model.off("change:" + name, settle);
  };
}

export default { render };
