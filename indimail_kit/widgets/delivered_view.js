/* A mail before and after: left what was sent, right what lies in the mailbox, each added line with its author.
 *
 * Rule 1: text reaches the page through textContent only.
 * Rule 2: the mail itself is never on the model: it comes as a message when it is asked for.
 */
const DRAWN = ["change:added", "change:facts", "change:commands", "change:sentence", "change:tone"];

function render({ model, el }) {
  const view = make("div", "ik-delivered ik-journey", el);
  make("p", "ik-name", make("div", "ik-top", view), "What was sent, what arrived");
  const status = makeStatus(view);
  const facts = make("dl", "ik-facts", view);
  const terminal = make("div", "ik-terminal-lines", view);
  const show = makeButton(view, "show the mail itself", "ik-toggle");
  show.setAttribute("aria-expanded", "false");
  const halves = make("div", "ik-scan-halves", view);
  const before = make("section", "ik-before", halves);
  make("p", "ik-heading", before, "before: as the client sent it");
  const sent = make("pre", "ik-pre", before);
  const after = make("section", "ik-after", halves);
  make("p", "ik-heading", after, "after: as it lies in the mailbox");
  const list = make("ol", "ik-added-list", after);
  list.setAttribute("aria-label", "the added header fields");
  const stored = make("pre", "ik-pre", after);
  for (const pre of [sent, stored]) pre.tabIndex = 0;
  sent.setAttribute("aria-label", "the mail as it was sent");
  stored.setAttribute("aria-label", "the mail as it was stored");
  let mail = null;

  function draw() {
    say(status, model);
    facts.replaceChildren();
    for (const [label, value] of model.get("facts")) {
      const fact = make("div", value.length > 34 ? "ik-fact ik-long" : "ik-fact", facts);
      make("dt", "", fact, label);
      make("dd", "", fact, value);
    }
    terminal.replaceChildren();
    for (const [caption, command] of model.get("commands")) {
      const line = make("div", "ik-command", terminal);
      make("span", "ik-caption", line, caption);
      make("code", "", line, command);
      makeButton(line, "copy");
    }
    list.replaceChildren();
    for (const { text, who, why, source } of model.get("added")) {
      const item = make("li", "", list);
      const line = make("div", "ik-added", item);
      make("span", "ik-by", line, who);
      make("code", "ik-said", line, text);
      const because = make("p", "ik-because", item, why + " ");
      make("span", "ik-place", because, source);
    }
    const has = model.get("facts").length > 0;
    show.hidden = halves.hidden = !has;
    show.textContent = mail === null ? "show the mail itself" : "hide the mail itself";
    show.setAttribute("aria-expanded", String(mail !== null));
    const folded = "The mail itself, not shown. No saved notebook has it.";
    for (const pre of [sent, stored]) {
      pre.textContent = mail ?? folded;
      pre.classList.toggle("ik-folded", mail === null);
    }
  }

  function onMessage(message) {
    if (!("mail" in message)) return;
    mail = message.mail;
    draw();
  }

  show.addEventListener("click", () => {
    if (mail === null) { model.send({ show: true }); return; }
    mail = null;
    draw();
  });
  const stop = listen(() => view, () => {});
  for (const name of DRAWN) model.on(name, draw);
  model.on("msg:custom", onMessage);
  draw();
  return () => {
    stop();
    for (const name of DRAWN) model.off(name, draw);
    model.off("msg:custom", onMessage);
  };
}

export default { render };
