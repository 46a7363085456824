/* A picture of a log in the form that fits theme and width, its words and its numbers.
 *
 * Rule 1: text reaches the page through textContent and alt only; a picture is an image, in which nothing runs.
 */
const FORMS = ["ik-log-light", "ik-log-dark", "ik-log-light ik-log-narrow", "ik-log-dark ik-log-narrow"];

function render({ model, el }) {
  const home = make("div", "ik-journey", el);
  const view = make("div", "ik-log-chart", home);
  const title = make("p", "ik-name", view, model.get("title"));
  title.setAttribute("role", "heading");
  title.setAttribute("aria-level", "3");
  const links = model.get("pictures").map((svg, at) => {
    const link = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
    const picture = make("img", "ik-log-picture " + FORMS[at], view);
    picture.alt = model.get("alt");
    picture.setAttribute("src", link);
    return link;
  });
  make("p", "ik-sentence", view, model.get("alt"));
  const more = make("details", "ik-raw", view);
  make("summary", "", more, "the numbers");
  const table = make("table", "ik-table", more);
  const head = make("tr", "", make("thead", "", table));
  for (const name of model.get("heads")) make("th", "", head, name).scope = "col";
  const body = make("tbody", "", table);
  for (const row of model.get("rows")) {
    const line = make("tr", "", body);
    for (const cell of row) make("td", "", line, cell);
  }
  return () => links.forEach((link) => URL.revokeObjectURL(link));
}

export default { render };
