/* What the scripts share; `scripts.script` puts it in front of each, since a widget's script is one module.
 *
 * Rule 1: text reaches the page through textContent only; no markup is made here.
 */
const COPIED_MS = 1500;
const TONES = ["ik-good", "ik-bad", "ik-quiet"];

function make(name, cls, parent, text = "") {
  const node = document.createElement(name);
  node.className = cls;
  node.textContent = text;
  parent.append(node);
  return node;
}

/* The live region: what is going on, in words and in a tone. */
function makeStatus(parent) {
  const status = make("p", "ik-status", parent);
  status.setAttribute("role", "status");
  status.setAttribute("aria-live", "polite");
  return status;
}

function say(status, model) {
  const sentence = model.get("sentence");
  if (status.textContent !== sentence) status.textContent = sentence;
  for (const cls of TONES) status.classList.toggle(cls, cls === model.get("tone"));
}

/* For keydown on window, before JupyterLab's own listener: "d d" typed on one of our buttons must not delete a cell. The
 * mark has to stand on the very element that has the focus, since JupyterLab asks from there upwards. */
function keepKeys(event) {
  event.target.toggleAttribute("data-lm-suppress-shortcuts", !(event.ctrlKey || event.metaKey || event.altKey));
}

/* A press on a button beside a command: the command is in the clipboard, or at least selected. */
async function copyCommand(button) {
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "copied ✓";
  } catch {
    window.getSelection().selectAllChildren(code);
    button.textContent = "selected: Ctrl+C";
  }
  setTimeout(() => { button.textContent = "copy"; }, COPIED_MS);
}

function makeButton(parent, text, cls = "") {
  const node = make("button", ("ik-copy " + cls).trim(), parent, text);
  node.type = "button";
  return node;
}

/* A command with its button. Returns its line, its caption and its code. */
function makeCommandLine(parent, command = "") {
  const line = make("div", "ik-command", parent);
  const caption = make("span", "ik-caption", line, "in a terminal");
  const code = make("code", "", line, command);
  makeButton(line, "copy").title = "Copy the command";
  return [line, caption, code];
}

/* The keys and the copy buttons of a whole view; returns the function that ends it. `home` is the view's element. */
function listen(home, onEscape) {
  const onKey = (event) => {
    if (!home().contains(event.target)) return;
    keepKeys(event);
    if (event.key === "Escape") onEscape(event);
  };
  const onClick = (event) => {
    if (home().contains(event.target) && event.target.matches(".ik-command > .ik-copy")) copyCommand(event.target);
  };
  window.addEventListener("keydown", onKey, true);
  window.addEventListener("click", onClick, true);
  return () => {
    window.removeEventListener("keydown", onKey, true);
    window.removeEventListener("click", onClick, true);
  };
}
