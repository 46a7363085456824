/* The decision as a ladder of questions: the way of the last mail lights up, arrows walk from node to node.
 *
 * Rule 1: text reaches the page through textContent and aria-label only; classes come from a closed set.
 */
const LOOKS = [
  "ik-clean", "ik-marked", "ik-forwarded", "ik-kept", "ik-infected", "ik-swallowed", "ik-error", "ik-not-scanned",
];
const HINT = "Walk with the arrows: here stands what a question reads, and where the program asks it.";

function render({ model, el }) {
  const view = make("div", "ik-decision", el);
  const title = make("p", "ik-heading", view, "The decision of qmail-queue");
  title.setAttribute("role", "heading");
  title.setAttribute("aria-level", "4");
  const tree = make("div", "ik-ladder", view);
  tree.setAttribute("role", "tree");
  tree.setAttribute("aria-label", "The questions of qmail-queue, from first to last");
  const says = make("p", "ik-says", view, HINT);
  says.setAttribute("role", "status");
  const nodes = [];
  const ways = [];

  function addNode(parent, cls, key, about, level) {
    const node = make("div", cls, parent);
    node.setAttribute("role", "treeitem");
    node.setAttribute("aria-level", String(level));
    node.tabIndex = nodes.length ? -1 : 0;
    nodes.push({ node, key, about });
    return node;
  }

  function addRungs(parent, rungs, level) {
    for (const rung of rungs) {
      const line = make("div", "ik-rung", parent);
      const asked = make("div", "ik-asking", line);
      const question = addNode(asked, "ik-question-box", rung.key, rung.about, level);
      make("span", "ik-dot", question, "●").setAttribute("aria-hidden", "true");
      make("span", "", question, rung.text);
      if (rung.down) addWay(asked, "ik-down", rung.key, rung.down, "↓");
      const side = make("div", "ik-side", line);
      for (const branch of rung.side) {
        const way = make("div", "ik-branch", side);
        addWay(way, "ik-across", rung.key, branch.label, "→");
        if (branch.rungs) { addRungs(make("div", "ik-inner", way), branch.rungs, level + 1); continue; }
        const { leaf } = branch;
        const box = addNode(way, "ik-leaf " + (LOOKS.includes(leaf.cls) ? leaf.cls : ""), leaf.key, leaf.about, level + 1);
        make("span", "ik-mark", box, leaf.mark);
        make("span", "", box, leaf.word);
      }
    }
  }

  function addWay(parent, cls, key, label, arrow) {
    const way = make("span", "ik-answer " + cls, parent);
    make("span", "", way, label);
    make("span", "ik-arrow", way, arrow).setAttribute("aria-hidden", "true");
    ways.push({ way, key, label });
  }

  function draw() {
    const taken = new Map(model.get("lit"));
    view.classList.toggle("ik-has-way", taken.size > 0);
    for (const { node, key, about } of nodes) {
      const answer = taken.get(key);
      node.classList.toggle("ik-lit", answer !== undefined);
      const said = answer === undefined ? "" : answer ? ` This mail: ${answer}.` : " This mail ends here.";
      node.setAttribute("aria-label", about + said);
      if (answer === undefined) node.removeAttribute("aria-current");
      else node.setAttribute("aria-current", "step");
    }
    for (const { way, key, label } of ways) way.classList.toggle("ik-lit", taken.get(key) === label);
    const end = nodes.find(({ key }) => taken.get(key) === "");
    says.textContent = end ? end.node.getAttribute("aria-label") : HINT;
  }

  function move(event) {
    const at = nodes.findIndex(({ node }) => node === event.target);
    const to = {
      ArrowDown: at + 1, ArrowRight: at + 1, ArrowUp: at - 1, ArrowLeft: at - 1, Home: 0, End: nodes.length - 1,
    }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    nodes[Math.max(0, Math.min(nodes.length - 1, to))].node.focus();
  }

  function tell(event) {
    const found = nodes.find(({ node }) => node.contains(event.target));
    if (!found) return;
    says.textContent = found.node.getAttribute("aria-label");
    if (event.type !== "focusin") return;
    for (const { node } of nodes) node.tabIndex = -1;
    found.node.tabIndex = 0;
  }

  addRungs(tree, model.get("rungs"), 1);
  tree.addEventListener("keydown", move);
  tree.addEventListener("focusin", tell);
  tree.addEventListener("mouseover", tell);
  model.on("change:lit", draw);
  draw();
  return () => model.off("change:lit", draw);
}

export default { render };
