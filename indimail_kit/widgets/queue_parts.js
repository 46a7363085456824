/* How old a picture of the queue is, the button that takes a new one, the command for a terminal: what the queue's
 * scripts share.
 *
 * Rule 1: the age is counted here, so that a kernel at work does not stop it.
 */
const CLOCK_MS = 1000;

function ageOf(taken) {
  const s = Math.max(0, Math.floor((Date.now() - taken) / 1000));
  if (s < 60) return s + " s old";
  return s < 3600 ? Math.floor(s / 60) + " min old" : Math.floor(s / 3600) + " h old";
}

/* Returns the function that draws it, and the one that ends it. */
function makeClock(line, bar, model) {
  const age = make("span", "ik-queue-taken", line);
  const again = makeButton(line, "refresh", "ik-toggle ik-queue-again");
  again.addEventListener("click", () => model.send({ refresh: true }));
  const draw = () => {
    bar.classList.toggle("ik-busy", model.get("busy"));
    again.disabled = model.get("busy");
    const taken = model.get("taken_ms");
    age.textContent = taken ? "picture of " + model.get("taken") + " UTC, " + ageOf(taken) : "no picture yet";
  };
  const timer = setInterval(draw, CLOCK_MS);
  return [draw, () => clearInterval(timer)];
}

function makeBar(parent) {
  const bar = make("div", "ik-bar", parent);
  bar.setAttribute("aria-hidden", "true");
  return bar;
}

/* Returns the function that draws it. */
function makeCommand(parent, model) {
  const [, , code] = makeCommandLine(parent);
  return () => { code.textContent = model.get("command"); };
}
