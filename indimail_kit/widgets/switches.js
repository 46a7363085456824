/* Switches that show the variable they set; `scripts.script` puts it in front of the scripts that have switches.
 *
 * Rule 1: text reaches the page through textContent only; what is set is a trait, checked by the kernel.
 */
function makeSwitches(parent, model) {
  const drawn = model.get("fields").map((field) => buildSwitch(make("div", "ik-switch", parent), field, model));
  return () => {
    for (const [index, field] of model.get("fields").entries()) drawn[index](field);
  };
}

function setTrait(model, name, value) {
  model.set(name, value);
  model.save_changes();
}

function buildSwitch(line, field, model) {
  const paint = { choice: buildChoice, list: buildList, switch: buildToggle, number: buildNumber }[field.kind](line, field, model);
  const shows = make("code", "ik-var", line);
  const draw = (now) => {
    paint(now);
    shows.textContent = now.shows;
    shows.classList.toggle("ik-unset", !now.is_set);
  };
  draw(field);
  return draw;
}

function buildToggle(line, field, model) {
  const label = make("label", "ik-toggle-line", line);
  const box = make("input", "ik-box", label);
  box.type = "checkbox";
  make("span", "", label, field.caption);
  const [off, on] = field.options.map(([, value]) => value);
  box.addEventListener("change", () => setTrait(model, field.trait, box.checked ? on : off));
  return () => { box.checked = model.get(field.trait) !== off; };
}

function buildNumber(line, field, model) {
  const label = make("label", "ik-toggle-line", line);
  const box = make("input", "ik-input ik-typed ik-digits", label);
  box.setAttribute("aria-label", field.caption);
  box.type = "number";
  box.min = "0";
  box.max = String(field.most);
  make("span", "", label, field.caption);
  box.addEventListener("change", () => {
    const typed = Math.trunc(Number(box.value));
    box.value = String(Math.max(0, Math.min(field.most, Number.isFinite(typed) ? typed : 0)));
    setTrait(model, field.trait, Number(box.value));
  });
  return () => { if (document.activeElement !== box) box.value = String(model.get(field.trait)); };
}

function buildChoice(line, field, model) {
  make("span", "ik-choice-name", line, field.caption);
  const group = make("div", "ik-choice", line);
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", field.caption);
  const buttons = field.options.map(([text, value]) => {
    const button = makeButton(group, text, "ik-toggle");
    button.addEventListener("click", () => setTrait(model, field.trait, value));
    return button;
  });
  return (now) => now.options.forEach(([, value], index) => {
    buttons[index].setAttribute("aria-pressed", String(model.get(field.trait) === value));
  });
}

function buildList(line, field, model) {
  const label = make("label", "ik-toggle-line", line);
  make("span", "ik-choice-name", label, field.caption);
  const list = make("select", "ik-input", label);
  list.setAttribute("aria-label", field.caption);
  for (const [text, value] of field.options) make("option", "", list, text).value = value;
  list.addEventListener("change", () => setTrait(model, field.trait, list.value));
  return () => { list.value = model.get(field.trait); };
}
