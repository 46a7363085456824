/* The rail of seven stations, and the keys of the whole JourneyView.
 *
 * Rule 1: text reaches the page through textContent and aria-label only; no markup is made here.
 * Rule 2: a station stays alone in the light for STEP_MS, so that an eye can follow a mail that needs 50 ms.
 *         The times written are the true ones. Who asks for reduced motion gets all at once.
 */
const STEP_MS = 110;
const STATES = ["ik-waiting", "ik-working", "ik-done", "ik-failed", "ik-skipped"];
const SETTLING = ["change:busy", "change:sentence", "change:tone"];
const VERDICTS = ["ik-clean", "ik-infected", "ik-not-scanned", "ik-error"];

function buildStop(list) {
  const stop = make("li", "ik-stop", list);
  const button = make("button", "ik-station", stop);
  button.type = "button";
  const head = make("span", "ik-head", button);
  return {
    button,
    number: make("span", "ik-number", head),
    title: make("span", "ik-title", head),
    mark: make("span", "ik-mark", head),
    question: make("span", "ik-question", button),
    summary: make("span", "ik-summary", button),
    time: make("span", "ik-time", button),
  };
}

function paint(stop, row) {
  for (const field of ["number", "title", "mark", "question", "summary", "time"]) stop[field].textContent = row[field];
  stop.button.setAttribute("aria-label", row.label);
  for (const cls of STATES) stop.button.classList.toggle(cls, cls === row.state);
  for (const cls of VERDICTS) stop.button.classList.toggle(cls, cls === row.verdict);
}

const same = (left, right) => JSON.stringify(left) === JSON.stringify(right);
const wantsCalm = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

function render({ model, el }) {
  const rail = make("div", "ik-rail", el);
  const bar = make("div", "ik-bar", rail);
  bar.setAttribute("aria-hidden", "true");
  const list = make("ol", "ik-stations", rail);
  list.setAttribute("aria-label", "The seven stations of a mail");
  const status = makeStatus(rail);

  let shown = model.get("stations");
  let timer = 0;
  const stops = shown.map(() => buildStop(list));

  function settle() {
    const isBehind = timer !== 0;
    bar.classList.toggle("ik-busy", model.get("busy") || isBehind);
    if (isBehind) return;
    say(status, model);
  }

  function advance() {
    timer = 0;
    const target = model.get("stations");
    for (const [index, row] of target.entries()) {
      if (same(shown[index], row)) continue;
      shown = shown.with(index, row);
      paint(stops[index], row);
      if (row.state === "ik-waiting" || row.state === "ik-working" || row.state === "ik-skipped" || wantsCalm()) continue;
      timer = setTimeout(advance, STEP_MS);
      break;
    }
    settle();
  }

  function drawOpened() {
    const opened = model.get("opened");
    shown.forEach((row, index) => {
      stops[index].button.setAttribute("aria-expanded", String(row.key === opened));
      stops[index].button.classList.toggle("ik-open", row.key === opened);
    });
  }

  function open(key) {
    model.set("opened", model.get("opened") === key ? "" : key);
    model.save_changes();
  }

  function moveFocus(event) {
    const from = stops.findIndex((stop) => stop.button === event.target);
    const to = { ArrowRight: from + 1, ArrowDown: from + 1, ArrowLeft: from - 1, ArrowUp: from - 1, Home: 0, End: stops.length - 1 }[event.key];
    if (from < 0 || to === undefined) return;
    event.preventDefault();
    stops[Math.max(0, Math.min(stops.length - 1, to))].button.focus();
  }

  const home = () => el.closest(".ik-journey") ?? el;

  function close(event) {
    const index = shown.findIndex((row) => row.key === model.get("opened"));
    if (index < 0) return;
    event.preventDefault();
    open("");
    stops[index].button.focus();
  }

  function onClick(event) {
    const button = event.target.closest("button.ik-show");
    if (!button || !home().contains(button)) return;
    model.set("shown", Number.parseInt(button.textContent, 10));
    model.save_changes();
  }

  stops.forEach((stop, index) => {
    paint(stop, shown[index]);
    stop.button.addEventListener("click", () => open(shown[index].key));
  });
  list.addEventListener("keydown", moveFocus);
  const stopListening = listen(home, close);
  window.addEventListener("click", onClick, true);
  const onStations = () => { if (timer === 0) advance(); };
  model.on("change:stations", onStations);
  for (const name of SETTLING) model.on(name, settle);
  model.on("change:opened", drawOpened);
  drawOpened();
  settle();

  return () => {
    clearTimeout(timer);
    stopListening();
    window.removeEventListener("click", onClick, true);
    model.off("change:stations", onStations);
    for (const name of SETTLING) model.off(name, settle);
    model.off("change:opened", drawOpened);
  };
}

export default { render };
