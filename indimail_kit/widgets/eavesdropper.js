/* The attack: what was captured, one button, a bar, and the outcome.
 *
 * Rule 1: text reaches the page through textContent only.
 * Rule 2: a typed password and a word that was found are never set on the model; they are messages.
 */
const DRAWN = ["challenge", "response", "tried", "total", "words_per_s", "sentence", "tone", "busy"];

function line(parent, cls, who) {
  const row = make("div", "ik-line " + cls, parent);
  make("span", "ik-who", row, who);
  return make("span", "ik-said", row);
}

const grouped = (number) => Math.round(number).toLocaleString("en-GB");

function render({ model, el }) {
  const view = make("div", "ik-attack", el);
  const title = make("p", "ik-heading", view, "A captured CRAM-MD5 login");
  title.setAttribute("role", "heading");
  title.setAttribute("aria-level", "4");
  const log = make("div", "ik-log", view);
  const challenge = line(log, "ik-server", "server");
  const response = line(log, "ik-client", "client");
  const controls = make("div", "ik-controls", view);
  const start = make("button", "ik-copy ik-explain", controls);
  start.type = "button";
  const label = make("label", "ik-secret", controls);
  make("span", "ik-caption", label, "or listen to a login with your own password");
  const secret = make("input", "ik-input ik-typed", label);
  secret.type = "password";
  secret.autocomplete = "new-password";
  secret.maxLength = 512;
  secret.placeholder = "not a real one";
  const meter = make("div", "ik-meter", view);
  const bar = make("div", "ik-bar ik-tall", meter);
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-label", "words tried");
  bar.setAttribute("aria-valuemin", "0");
  const fill = make("div", "ik-fill", bar);
  const numbers = make("span", "ik-numbers", meter);
  const status = makeStatus(view);
  const found = make("p", "ik-found", view);
  let heard = null;
  let word = "";

  function draw() {
    const [tried, total] = [model.get("tried"), model.get("total")];
    challenge.textContent = model.get("challenge");
    response.textContent = heard ?? model.get("response");
    start.textContent = `try ${grouped(total)} words`;
    start.setAttribute("aria-disabled", String(model.get("busy")));
    bar.setAttribute("aria-valuemax", String(total));
    bar.setAttribute("aria-valuenow", String(tried));
    fill.style.width = `${total ? (100 * tried) / total : 0}%`;
    const speed = model.get("words_per_s");
    numbers.textContent = `${grouped(tried)} of ${grouped(total)} words` + (speed ? ` · ${grouped(speed)} words/s` : "");
    say(status, model);
    found.textContent = word && !model.get("sentence").includes(`“${word}”`) ? `The password is “${word}”. A saved notebook does not have it.` : "";
  }

  function onMessage(message) {
    heard = message.response ?? heard;
    word = message.word ?? word;
    draw();
  }

  function onKey(event) {
    if (view.contains(event.target)) keepKeys(event);
  }

  start.addEventListener("click", () => { if (!model.get("busy")) model.send({ attack: true }); });
  secret.addEventListener("change", () => {
    if (!secret.value || model.get("busy")) return;
    model.send({ secret: secret.value });
    secret.value = "";
  });
  window.addEventListener("keydown", onKey, true);
  model.on("msg:custom", onMessage);
  for (const name of DRAWN) model.on("change:" + name, draw);
  draw();
  return () => {
    window.removeEventListener("keydown", onKey, true);
    model.off("msg:custom", onMessage);
    for (const name of DRAWN) model.off("change:" + name, draw);
  };
}

export default { render };
