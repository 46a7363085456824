/* What goes on in a view that is made of plain fields: a bar while it works, and a sentence; and the view's keys.
 *
 * Rule 1: text reaches the page through textContent only; classes come from a closed set.
 */
function render({ model, el }) {
  const line = make("div", "ik-rail", el);
  const bar = make("div", "ik-bar", line);
  const status = makeStatus(line);
  const draw = () => {
    bar.classList.toggle("ik-busy", model.get("busy"));
    say(status, model);
  };
  const stop = listen(() => el.closest(".ik-journey") ?? el, () => {});
  for (const name of ["sentence", "tone", "busy"]) model.on("change:" + name, draw);
  draw();
  return () => {
    stop();
    for (const name of ["sentence", "tone", "busy"]) model.off("change:" + name, draw);
  };
}

export default { render };
