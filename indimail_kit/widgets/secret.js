/* A field for a password that never becomes widget state: it goes to the kernel as a message, once, and can't be saved.
 *
 * Rule 1: the value is never set on the model.
 */
const DRAWN = ["change:description", "change:disabled", "change:placeholder"];

function render({ model, el }) {
  const label = document.createElement("label");
  label.className = "ik-secret";
  const caption = document.createElement("span");
  caption.className = "ik-caption";
  const input = document.createElement("input");
  input.className = "ik-input";
  input.type = "password";
  input.autocomplete = "new-password";
  input.spellcheck = false;
  label.append(caption, input);
  el.append(label);

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
