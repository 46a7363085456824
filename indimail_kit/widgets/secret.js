/* A field for a password that never becomes widget state: it goes to the kernel as a message, once, and can't be saved.
 *
 * Rule 1: the value is never set on the model.
 */
const DRAWN = ["change:description", "change:disabled", "change:placeholder"];

function render({ model, el }) {
  const label = make("label", "ik-secret", el);
  const caption = make("span", "ik-caption", label);
  const input = make("input", "ik-input", label);
  input.type = "password";
  input.autocomplete = "new-password";
  input.spellcheck = false;

  function draw() {
    caption.textContent = model.get("description");
    input.disabled = model.get("disabled");
    input.placeholder = model.get("placeholder");
  }

  function forget(message) {
    if (message.forget) input.value = "";
  }

  input.addEventListener("change", () => model.send({ secret: input.value }));
  for (const name of DRAWN) model.on(name, draw);
  model.on("msg:custom", forget);
  draw();
  return () => {
    for (const name of DRAWN) model.off(name, draw);
    model.off("msg:custom", forget);
  };
}

export default { render };
