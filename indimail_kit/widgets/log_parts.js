/* The drop zone for log files and the brush over time: the parts of LogExplorer that are no table.
 *
 * Rule 1: text reaches the page through textContent, title and aria-label only.
 * Rule 2: the octets of dropped files go to the kernel as messages, a piece at a time, and come back never.
 */
const HEIGHTS = [
  "ik-log-h0", "ik-log-h1", "ik-log-h2", "ik-log-h3", "ik-log-h4", "ik-log-h5", "ik-log-h6", "ik-log-h7", "ik-log-h8",
  "ik-log-h9", "ik-log-h10",
];
const BRUSH_MS = 120;

/* The drop zone; returns what handles messages of the kernel and the function that draws. */
function makeDrop(parent, model) {
  const zone = make("div", "ik-drop ik-log-drop", parent);
  const held = make("span", "ik-held", zone);
  const choose = makeButton(zone, "choose files …", "ik-toggle");
  const file = make("input", "ik-file", zone);
  file.type = "file";
  file.multiple = true;
  file.tabIndex = -1;
  file.setAttribute("aria-hidden", "true");
  const bar = make("div", "ik-bar", parent);
  bar.setAttribute("aria-hidden", "true");
  let answer = null;
  let isSending = false;

  async function send(files) {
    const [most, mostFiles, pieceBytes] = model.get("limits");
    isSending = true;
    draw("");
    try {
      const total = files.reduce((sum, one) => sum + one.size, 0);
      const isTooMuch = total > most || files.length > mostFiles;
      for (let at = 0; at < files.length; at += 1) {
        let from = 0;
        do {
          const to = isTooMuch ? from : Math.min(from + pieceBytes, files[at].size);
          const octets = await files[at].slice(from, to).arrayBuffer();
          const isWhole = to >= files[at].size;
          const piece = {
            name: files[at].name, is_first: at === 0 && from === 0, is_whole: isWhole,
            is_last: isWhole && at === files.length - 1, total, files: files.length,
          };
          const taken = new Promise((resolve) => { answer = resolve; });
          model.send({ piece }, undefined, [octets]);
          if (!(await taken)) return;
          from = to;
        } while (from < files[at].size);
      }
    } catch {
      model.send({ unreadable: true });
    } finally {
      isSending = false;
      answer = null;
      draw();
    }
  }

  let place = "";
  function draw(now = place) {
    place = now;
    held.textContent = isSending ? "Taking the files …" : place || "Drop log files here: current, @….s, .gz";
    choose.disabled = isSending || model.get("busy");
    bar.classList.toggle("ik-busy", isSending || model.get("busy"));
    zone.classList.toggle("ik-full", place !== "");
  }
  const take = (list) => { if (!isSending && !model.get("busy") && list.length) send([...list]); };
  const over = (isOver) => (event) => {
    event.preventDefault();
    event.stopPropagation();
    zone.classList.toggle("ik-over", isOver);
  };
  parent.addEventListener("dragover", over(true));
  parent.addEventListener("dragleave", over(false));
  parent.addEventListener("drop", (event) => {
    over(false)(event);
    take(event.dataTransfer.files);
  });
  choose.addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    take(file.files);
    file.value = "";
  });
  return [draw, (isTaken) => { if (answer) answer(isTaken); }];
}

/* The brush: bars with two sliders that are its edges. Returns the functions that take bars and draw what is chosen. */
function makeBrush(parent, model) {
  const box = make("div", "ik-log-brush", parent);
  const caption = make("p", "ik-log-caption", box);
  const track = make("div", "ik-log-track", box);
  track.setAttribute("role", "group");
  track.setAttribute("aria-label", "Time brush: drag over the bars, or move its two edges by arrow keys");
  const strip = make("div", "ik-log-bars", track);
  strip.setAttribute("aria-hidden", "true");
  const edges = ["first", "last"].map((name) => {
    const edge = make("div", "ik-log-edge", track);
    edge.tabIndex = 0;
    edge.setAttribute("role", "slider");
    edge.setAttribute("aria-label", name === "first" ? "From" : "To");
    return edge;
  });
  const axis = make("div", "ik-log-axis", box);
  const [begin, chosen, end] = [0, 1, 2].map(() => make("span", "", axis));
  chosen.className = "ik-log-span";
  let bars = null;
  let nodes = [];
  let drag = null;
  let timer = 0;
  let pending = null;

  const current = () => pending ?? model.get("brush");
  const spread = () => { const [a, b] = current(); return a < 0 ? [0, nodes.length - 1] : [a, b]; };

  function choose(first, last) {
    pending = [first, last];
    mark();
    clearTimeout(timer);
    timer = setTimeout(() => {
      const [a, b] = pending;
      pending = null;
      setTrait(model, "brush", a === 0 && b === nodes.length - 1 ? [-1, -1] : [a, b]);
    }, BRUSH_MS);
  }

  function mark() {
    if (bars === null) return;
    const isSet = current()[0] >= 0;
    const [a, b] = spread();
    nodes.forEach((node, at) => node.classList.toggle("ik-log-out", isSet && (at < a || at > b)));
    [[edges[0], a, bars.starts[a], 0, b], [edges[1], b, bars.ends[b], a, nodes.length - 1]].forEach(([edge, at, text, low, high]) => {
      edge.style.left = (100 * (edge === edges[0] ? at : at + 1)) / nodes.length + "%";
      edge.setAttribute("aria-valuemin", String(low));
      edge.setAttribute("aria-valuemax", String(high));
      edge.setAttribute("aria-valuenow", String(at));
      edge.setAttribute("aria-valuetext", text + " UTC");
    });
    begin.textContent = isSet ? "" : bars.starts[0] + " UTC";
    end.textContent = isSet ? "" : bars.ends[nodes.length - 1] + " UTC";
    chosen.textContent = isSet ? bars.starts[a] + " – " + bars.ends[b] + " UTC" : "";
  }

  function fill(now) {
    bars = now && now.heights.length ? now : null;
    box.hidden = !now;
    track.hidden = axis.hidden = bars === null;
    strip.replaceChildren();
    caption.textContent = now ? now.caption : "";
    nodes = bars === null ? [] : bars.heights.map((height, at) => {
      const node = make("span", "ik-log-bar", strip);
      make("span", "ik-log-fill " + HEIGHTS[height > 0 ? Math.max(1, Math.round(height / 10)) : 0], node);
      node.title = bars.labels[at];
      return node;
    });
    mark();
  }

  const barAt = (event) => {
    const { left, width } = strip.getBoundingClientRect();
    return Math.max(0, Math.min(nodes.length - 1, Math.floor(((event.clientX - left) / width) * nodes.length)));
  };
  track.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || bars === null) return;
    const edge = edges.indexOf(event.target);
    const [a, b] = spread();
    drag = edge === 0 ? b : edge === 1 ? a : barAt(event);
    track.setPointerCapture(event.pointerId);
    if (edge < 0) choose(drag, drag);
    event.preventDefault();
    edges[Math.max(0, edge)].focus();
  });
  track.addEventListener("pointermove", (event) => {
    if (drag === null) return;
    const at = barAt(event);
    choose(Math.min(drag, at), Math.max(drag, at));
  });
  for (const name of ["pointerup", "pointercancel"]) track.addEventListener(name, () => { drag = null; });
  edges.forEach((edge, which) => edge.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity };
    if (!(event.key in steps) || bars === null) return;
    const ends = spread();
    const [low, high] = which === 0 ? [0, ends[1]] : [ends[0], nodes.length - 1];
    ends[which] = Math.max(low, Math.min(high, ends[which] + steps[event.key]));
    choose(...ends);
    event.preventDefault();
  }));
  return [fill, mark, () => clearTimeout(timer)];
}
