/* StuckMail: reasons, and who waits for which; one page of rows, a row chooses a message.
 *
 * Rule 1: text reaches the page through textContent, title and aria-label only; classes come from a closed set.
 * Rule 2: only the rows of one page are ever here, and they come as messages: nothing of a log is set on the model.
 */
const CHIPS = ["ik-clean", "ik-not-scanned", "ik-error", "ik-none"];
const COLUMNS = [
  "ik-log-c-queue", "ik-log-c-number", "ik-log-c-moment", "ik-log-c-address", "ik-log-c-count", "ik-log-c-age",
  "ik-log-c-outcome", "ik-log-c-text", "ik-log-c-only",
];
const ROW = { cls: "ik-log-row", label: "ik-log-label", value: "ik-log-value", classes: COLUMNS, chips: CHIPS };
const DRAWN = ["view", "chosen", "busy", "sentence", "tone"];

function render({ model, el }) {
  const view = make("div", "ik-log-explorer", el);
  const top = make("div", "ik-top", view);
  make("p", "ik-name", top, "Stuck mail");
  const place = make("p", "ik-place", top);
  const status = makeStatus(view);
  const choice = make("div", "ik-choice ik-log-views", view);
  choice.setAttribute("role", "group");
  choice.setAttribute("aria-label", "What the table shows");
  const tabs = ["reasons", "recipients"].map((name) => {
    const button = makeButton(choice, name, "ik-toggle");
    button.addEventListener("click", () => setTrait(model, "view", name));
    return [name, button];
  });
  const chip = makeButton(choice, "", "ik-log-chosen");
  chip.addEventListener("click", () => { model.send({ drop: true }); tabs[0][1].focus(); });
  const hint = "arrows move, Enter does what the row's button says, PgUp and PgDn turn the page";
  const { body, draw: drawPage, turn } = makePages(view, "ik-log-table", COLUMNS, hint, model);
  const [line, , code] = makeCommandLine(view);

  let now = { table: null, reason: "", counts: {}, command: "", place: "" };
  const lines = makeLines();
  let wantsFocus = false;

  function settle() {
    place.textContent = now.place;
    for (const [name, button] of tabs) {
      button.textContent = name + " " + (now.counts[name] ?? "");
      button.setAttribute("aria-pressed", String(model.get("view") === name));
    }
    chip.hidden = now.reason === "";
    chip.textContent = now.reason + " ✕";
    chip.setAttribute("aria-label", "Show all, not only: " + now.reason);
    line.hidden = now.command === "";
    code.textContent = now.command;
    say(status, model);
    for (const { node, key } of lines.all()) {
      const isChosen = key !== "" && key === model.get("chosen");
      node.classList.toggle("ik-log-open", isChosen);
      node.setAttribute("aria-selected", String(isChosen));
    }
  }

  function drawTable() {
    const hadFocus = body.contains(document.activeElement);
    drawPage(now.table);
    const rows = now.table === null ? [] : now.table.rows.map((row) => {
      const node = makeRow(body, row, now.table.columns, ROW);
      const last = make("td", "ik-log-c-only", node);
      last.setAttribute("role", "gridcell");
      const button = makeButton(last, row.only);
      button.tabIndex = -1;
      return { node, key: row.key };
    });
    lines.set(rows, (row) => row.key === model.get("chosen"));
    settle();
    if (hadFocus || wantsFocus) lines.now()?.node.focus();
    wantsFocus = false;
  }

  function onMessage({ draw }) {
    if (!draw) return;
    now = { ...now, ...draw };
    drawTable();
  }

  function act(place) {
    wantsFocus = model.get("view") === "reasons";
    model.send({ act: lines.all()[place].key });
  }

  walkRows(body, lines, {
    act: (place) => {
      lines.all()[place].node.focus();
      act(place);
    },
    turn: (step) => {
      wantsFocus = true;
      turn(step);
    },
  });
  const stop = listen(() => el.closest(".ik-journey") ?? el, (event) => {
    if (now.reason === "") return;
    model.send({ drop: true });
    event.preventDefault();
  });
  for (const name of DRAWN) model.on("change:" + name, settle);
  model.on("msg:custom", onMessage);
  settle();
  model.send({ hello: true });
  return () => {
    stop();
    for (const name of DRAWN) model.off("change:" + name, settle);
    model.off("msg:custom", onMessage);
  };
}

export default { render };
