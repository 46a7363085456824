/* The header of a mail in the queue, shown on wish.
 *
 * Rule 1: text reaches the page through textContent only.
 * Rule 2: the header is never on the model: it comes as a message when it is asked for.
 */
function render({ model, el }) {
  const view = make("div", "ik-queue-mail", el);
  const show = makeButton(view, "", "ik-toggle");
  const text = make("pre", "ik-pre", view);
  text.tabIndex = 0;
  text.setAttribute("aria-label", "the header of the mail");
  const note = make("p", "ik-more", view);
  let mail = null;

  function draw() {
    view.hidden = model.get("message") === "";
    show.textContent = mail === null ? "show the mail's header" : "hide the mail's header";
    show.setAttribute("aria-expanded", String(mail !== null));
    text.hidden = mail === null || mail.mail === "";
    note.hidden = mail === null;
    text.textContent = mail?.mail ?? "";
    note.textContent = mail?.note ?? "";
  }

  function onMessage(message) {
    if (!("mail" in message)) return;
    mail = message.mail === null ? null : message;
    draw();
  }

  show.addEventListener("click", () => {
    if (mail === null) { model.send({ show: true }); return; }
    mail = null;
    draw();
  });
  const stop = listen(() => view, () => {});
  model.on("change:message", draw);
  model.on("msg:custom", onMessage);
  draw();
  return () => {
    stop();
    model.off("change:message", draw);
    model.off("msg:custom", onMessage);
  };
}

export default { render };
