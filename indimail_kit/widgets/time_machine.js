/* The tape and the drawers of QueueTimeMachine: a slider over the steps of a tape, and what lies in the queue there.
 *
 * Rule 1: text reaches the page through textContent and aria-label only; classes come from a closed set.
 * Rule 2: the slider moves at once; what lies in the drawers comes from the kernel.
 */
const LEAPS = {
  ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -5, PageUp: 5, Home: -Infinity, End: Infinity,
};
const FATES = ["ik-tape-kept", "ik-tape-lost", "ik-tape-twice", "ik-tape-gone", "ik-tape-broken"];
const CHANGES = ["ik-tape-new", "ik-tape-changed", "ik-tape-synced", "ik-tape-ghost"];
const DRAWN = [
  "step", "notches", "drawers", "state", "also", "client", "crashed", "disk", "disks", "fate", "opened", "sentence",
  "tone", "fields",
].map((name) => `change:${name}`);

function buildTrack(line, move) {
  const back = makeButton(line, "◄", "ik-tape-move");
  back.setAttribute("aria-label", "one step back");
  const track = make("div", "ik-tape-track", line);
  track.setAttribute("role", "slider");
  track.setAttribute("aria-label", "step of the tape");
  track.setAttribute("aria-valuemin", "0");
  track.tabIndex = 0;
  const on = makeButton(line, "►", "ik-tape-move");
  on.setAttribute("aria-label", "one step on");
  const count = make("span", "ik-tape-count", line);
  count.setAttribute("aria-hidden", "true");
  back.addEventListener("click", () => move(-1));
  on.addEventListener("click", () => move(1));
  return { back, track, on, count };
}

function fileCard(drawer, file) {
  const card = make("button", "ik-tape-file", drawer);
  card.type = "button";
  card.disabled = !file.is_there;
  card.setAttribute("aria-label", file.label);
  for (const cls of CHANGES) card.classList.toggle(cls, cls === file.cls);
  const head = make("span", "ik-tape-file-head", card);
  make("span", "ik-tape-path", head, file.name);
  if (file.change) make("span", "ik-tape-change", head, file.change);
  for (const fact of file.facts) make("span", "ik-tape-fact", card, fact);
  if (file.is_there) make("span", "ik-tape-fill", make("span", "ik-tape-bar", card)).style.width = `${file.percent}%`;
  return card;
}

function render({ model, el }) {
  const view = make("div", "ik-tape", el);
  const head = make("div", "ik-top", view);
  make("p", "ik-name", head, "Queue time machine");
  make("p", "ik-place", head, "Move through the steps. Then crash.");
  const drawSwitches = makeSwitches(make("div", "ik-switches ik-tape-switches", view), model);
  const deck = make("div", "ik-tape-deck", view);
  const { back, track, on, count } = buildTrack(make("div", "ik-tape-line", deck), move);
  const status = makeStatus(deck);
  const row = make("div", "ik-tape-row", deck);
  const states = make("ol", "ik-tape-states", row);
  states.setAttribute("aria-label", "the state of the message");
  const lamps = model.get("states").map(({ name, meaning }) => {
    const lamp = make("li", "ik-tape-state", states);
    make("strong", "", lamp, name);
    make("span", "ik-tape-meaning", lamp, meaning);
    return { name, lamp };
  });
  const client = make("p", "ik-tape-client", row);
  const also = make("p", "ik-place ik-tape-also", deck);
  const drawers = make("div", "ik-tape-drawers", deck);
  const actions = make("div", "ik-tape-actions", deck);
  const crash = makeButton(actions, "", "ik-tape-crash");
  const disks = make("div", "ik-tape-stepper", actions);
  disks.setAttribute("role", "group");
  disks.setAttribute("aria-label", "possible disks");
  const former = makeButton(disks, "◄", "ik-tape-move");
  former.setAttribute("aria-label", "the disk before");
  const place = make("span", "ik-tape-place", disks);
  const next = makeButton(disks, "►", "ik-tape-move");
  next.setAttribute("aria-label", "the next disk");
  const verdict = make("p", "ik-tape-verdict", deck);
  verdict.setAttribute("role", "status");
  verdict.setAttribute("aria-live", "polite");
  const chip = make("span", "ik-chip", verdict);
  const says = make("span", "", verdict);
  const notches = [];
  const cards = new Map();
  let shown = null;

  const home = () => el.closest(".ik-journey") ?? el;
  const last = () => model.get("notches").length - 1;

  function go(step) {
    const to = Math.max(0, Math.min(last(), step));
    if (to !== model.get("step")) setTrait(model, "step", to);
  }

  function move(leap) { go(model.get("step") + leap); }

  function drawTrack() {
    const steps = model.get("notches");
    const at = Math.min(model.get("step"), steps.length - 1);
    while (notches.length > steps.length) notches.pop().remove();
    while (notches.length < steps.length) notches.push(make("span", "ik-tape-notch", track));
    steps.forEach((step, number) => {
      const notch = notches[number];
      notch.textContent = step.mark;
      notch.title = step.label;
      for (const cls of FATES) notch.classList.toggle(cls, cls === step.cls);
      notch.classList.toggle("ik-tape-past", number < at);
      notch.classList.toggle("ik-tape-now", number === at);
    });
    track.setAttribute("aria-valuemax", String(steps.length - 1));
    track.setAttribute("aria-valuenow", String(at));
    track.setAttribute("aria-valuetext", steps[at]?.label ?? "");
    count.textContent = `${at} of ${steps.length - 1}`;
    back.disabled = at === 0;
    on.disabled = at === steps.length - 1;
  }

  function drawDrawers() {
    const now = model.get("drawers");
    if (now === shown) return;
    shown = now;
    const focused = [...cards].find(([, card]) => card === document.activeElement)?.[0];
    drawers.replaceChildren();
    cards.clear();
    for (const drawer of now) {
      const box = make("div", "ik-tape-drawer", drawers);
      box.classList.toggle("ik-tape-empty", !drawer.files.length);
      box.classList.toggle("ik-tape-wide", drawer.is_wide);
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", drawer.label);
      const title = make("p", "ik-tape-kind", box);
      make("strong", "", title, drawer.kind);
      make("span", "ik-tape-mark", title, drawer.mark).setAttribute("aria-hidden", "true");
      if (!drawer.files.length) make("p", "ik-tape-meaning", box, drawer.purpose);
      for (const file of drawer.files) cards.set(file.key, fileCard(box, file));
    }
    if (focused !== undefined) (cards.get(focused) ?? track).focus();
  }

  function drawDisk(isCrashed) {
    const [at, count] = [model.get("disk"), model.get("disks")];
    deck.classList.toggle("ik-tape-dark", isCrashed);
    disks.hidden = !isCrashed;
    verdict.hidden = !isCrashed;
    place.textContent = count === 1 ? "the only disk that is possible" : `disk ${at + 1} of ${count} in the drawers`;
    former.disabled = at === 0;
    next.disabled = at >= count - 1;
    former.hidden = next.hidden = count === 1;
    const { word = "", mark = "", cls = "", text = "" } = model.get("fate");
    chip.textContent = `${word} ${mark}`;
    for (const one of FATES) chip.classList.toggle(one, one === cls);
    if (says.textContent !== text) says.textContent = text;
  }

  function showDisk(at) {
    if (at >= 0 && at < model.get("disks")) setTrait(model, "disk", at);
  }

  /* A press on a disk's number in the list below. */
  function onShow(event) {
    const button = event.target.closest("button.ik-tape-show");
    if (button && home().contains(button)) showDisk(Number.parseInt(button.textContent, 10) - 1);
  }

  function draw() {
    drawSwitches();
    drawTrack();
    drawDrawers();
    say(status, model);
    const state = model.get("state");
    for (const { name, lamp } of lamps) {
      lamp.classList.toggle("ik-tape-lit", name === state);
      if (name === state) lamp.setAttribute("aria-current", "step");
      else lamp.removeAttribute("aria-current");
    }
    client.textContent = model.get("client");
    client.classList.toggle("ik-tape-answered", model.get("acknowledged"));
    also.textContent = model.get("also");
    const isCrashed = model.get("crashed");
    drawDisk(isCrashed);
    crash.textContent = isCrashed ? "undo the crash" : "crash here";
    crash.setAttribute("aria-pressed", String(isCrashed));
    for (const [key, card] of cards) card.setAttribute("aria-pressed", String(key === model.get("opened")));
  }

  track.addEventListener("keydown", (event) => {
    if (!(event.key in LEAPS) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move(LEAPS[event.key]);
  });
  track.addEventListener("click", (event) => {
    const number = notches.indexOf(event.target);
    if (number >= 0) go(number);
    track.focus();
  });
  drawers.addEventListener("click", (event) => {
    const found = [...cards].find(([, card]) => card.contains(event.target));
    if (found) setTrait(model, "opened", model.get("opened") === found[0] ? "" : found[0]);
  });
  crash.addEventListener("click", () => setTrait(model, "crashed", !model.get("crashed")));
  former.addEventListener("click", () => showDisk(model.get("disk") - 1));
  next.addEventListener("click", () => showDisk(model.get("disk") + 1));
  window.addEventListener("click", onShow, true);
  const stop = listen(home, (event) => {
    const name = model.get("opened") ? "opened" : "crashed";
    if (!model.get(name)) return;
    event.preventDefault();
    const card = cards.get(model.get("opened"));
    setTrait(model, name, name === "opened" ? "" : false);
    (card ?? crash).focus();
  });
  for (const name of DRAWN) model.on(name, draw);
  draw();
  return () => {
    stop();
    window.removeEventListener("click", onShow, true);
    for (const name of DRAWN) model.off(name, draw);
  };
}

export default { render };
