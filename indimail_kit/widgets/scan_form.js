/* A mail to write or to drop, the switches of the policy, one button; and the keys of the whole ScanPanel.
 *
 * Rule 1: text reaches the page through textContent only.
 * Rule 2: the octets of a dropped mail are never set on the model: they go to the kernel as a message, once; its name
 *         and size come back as one.
 */
const TEXTS = { sender: "from", recipient: "to", subject: "subject", body: "text" };
const DRAWN = ["attach", "busy", "fields", "sentence", "tone", ...Object.keys(TEXTS)];
const TYPING_MS = 250;

function addField(parent, name, caption, kind) {
  const label = make("label", name === "body" ? "ik-secret ik-m-body" : "ik-secret", parent);
  make("span", "ik-caption", label, caption);
  const input = make(kind, "ik-input", label);
  input.setAttribute("aria-label", caption);
  return input;
}

function render({ model, el }) {
  const view = make("div", "ik-scan", el);
  const halves = make("div", "ik-scan-halves", view);
  const mail = make("div", "ik-mail", halves);
  mail.setAttribute("role", "group");
  mail.setAttribute("aria-label", "the mail");
  const zone = make("div", "ik-drop", mail);
  const held = make("span", "ik-held", zone);
  const choose = makeButton(zone, "choose a file …", "ik-toggle");
  const leave = makeButton(zone, "take it away", "ik-toggle");
  const file = make("input", "ik-file", zone);
  file.type = "file";
  file.tabIndex = -1;
  file.setAttribute("aria-hidden", "true");
  make("p", "ik-hint", mail, "A dropped mail goes to this kernel and through the lab; no saved notebook has it.");
  const inputs = {};
  for (const [name, caption] of Object.entries(TEXTS)) {
    inputs[name] = addField(mail, name, caption, name === "body" ? "textarea" : "input");
    inputs[name].spellcheck = false;
  }
  const attach = addField(mail, "attach", "attach", "select");
  for (const [value, text] of model.get("attachments")) make("option", "", attach, text).value = value;
  const policy = make("div", "ik-switches ik-one", halves);
  policy.setAttribute("role", "group");
  policy.setAttribute("aria-label", "scanner and policy");
  const drawSwitches = makeSwitches(policy, model);
  const send = makeButton(view, "Send", "ik-go");
  const bar = make("div", "ik-bar", view);
  bar.setAttribute("aria-hidden", "true");
  const status = makeStatus(view);
  let dropped = "";

  function draw() {
    drawSwitches();
    say(status, model);
    for (const name of Object.keys(TEXTS)) {
      if (document.activeElement !== inputs[name]) inputs[name].value = model.get(name);
    }
    for (const name of ["subject", "body"]) inputs[name].disabled = dropped !== "";
    attach.disabled = dropped !== "";
    attach.value = model.get("attach");
    held.textContent = dropped || "Drop a mail here, or write one below.";
    zone.classList.toggle("ik-full", dropped !== "");
    leave.hidden = dropped === "";
    bar.classList.toggle("ik-busy", model.get("busy"));
    send.textContent = model.get("busy") ? "Sending …" : "Send";
    send.setAttribute("aria-disabled", String(model.get("busy")));
  }

  async function take(files) {
    if (files.length !== 1) { model.send({ refused: { count: files.length } }); return; }
    const [one] = files;
    if (one.size > model.get("most_bytes")) { model.send({ refused: { size: one.size } }); return; }
    try {
      const octets = await one.arrayBuffer();
      model.send({ drop: one.name }, undefined, [octets]);
    } catch {
      model.send({ refused: { unreadable: true } });
    }
  }

  function onMessage(message) {
    if (!("held" in message)) return;
    dropped = message.held;
    draw();
  }

  const over = (isOver) => (event) => {
    event.preventDefault();
    event.stopPropagation();
    zone.classList.toggle("ik-over", isOver);
  };
  mail.addEventListener("dragover", over(true));
  mail.addEventListener("dragleave", over(false));
  mail.addEventListener("drop", (event) => {
    over(false)(event);
    take(event.dataTransfer.files);
  });
  choose.addEventListener("click", () => file.click());
  leave.addEventListener("click", () => { model.send({ leave: true }); choose.focus(); });
  file.addEventListener("change", () => {
    if (file.files.length) take(file.files);
    file.value = "";
  });
  const timers = new Map();
  const store = (name) => {
    clearTimeout(timers.get(name));
    timers.delete(name);
    if (model.get(name) !== inputs[name].value) setTrait(model, name, inputs[name].value);
  };
  for (const name of Object.keys(TEXTS)) {
    inputs[name].addEventListener("input", () => {
      clearTimeout(timers.get(name));
      timers.set(name, setTimeout(() => store(name), TYPING_MS));
    });
    inputs[name].addEventListener("change", () => store(name));
  }
  attach.addEventListener("change", () => setTrait(model, "attach", attach.value));
  send.addEventListener("click", () => {
    for (const name of [...timers.keys()]) store(name);
    if (!model.get("busy")) model.send({ send: true });
  });
  const home = () => el.closest(".ik-journey") ?? el;
  const stop = listen(home, () => {});
  const onClick = (event) => {
    const button = event.target.closest("button.ik-show");
    if (button && home().contains(button)) setTrait(model, "shown", Number.parseInt(button.textContent, 10));
  };
  window.addEventListener("click", onClick, true);
  for (const name of DRAWN) model.on("change:" + name, draw);
  model.on("msg:custom", onMessage);
  draw();
  model.send({ hello: true });
  return () => {
    stop();
    for (const timer of timers.values()) clearTimeout(timer);
    window.removeEventListener("click", onClick, true);
    for (const name of DRAWN) model.off("change:" + name, draw);
    model.off("msg:custom", onMessage);
  };
}

export default { render };
