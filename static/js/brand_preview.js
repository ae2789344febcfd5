// Live preview on the brand's admin page: shows the form's unsaved look in both colour schemes.
// Without this script the button "Preview in a new tab" does the same.
(() => {
  "use strict";

  const PAUSE = 600; // Milliseconds between the last change and the update of the preview.

  const panel = document.querySelector("[data-preview]");
  const form = document.getElementById("brand_form");
  const fields = panel.dataset.fields.split(" ");
  const find = (name) => panel.querySelector(`[data-${name}]`);
  const said = find("said");
  const link = document.getElementById("preview-link");
  let token = "";
  let timer = 0;
  const asked = { draw: 0, copy: 0 };

  for (const element of panel.querySelectorAll("[data-live]")) element.hidden = false;

  // Send only the fields of the look, never a key or a secret.
  function typed(more) {
    const data = new FormData(form);
    const wanted = new FormData();
    for (const name of [...fields, "csrfmiddlewaretoken"]) {
      for (const value of data.getAll(name)) wanted.append(name, value);
    }
    for (const [name, value] of Object.entries(more)) wanted.append(name, value);
    return wanted;
  }

  async function send(more) {
    const answer = await fetch(panel.dataset.url, { method: "POST", body: typed(more), redirect: "error" });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    return answer.json();
  }

  function tell(problems) {
    const list = find("problems");
    list.replaceChildren(
      ...problems.map((problem) => {
        const item = document.createElement("li");
        const anchor = document.createElement("a");
        anchor.href = `#id_${problem.field}`;
        anchor.textContent = problem.label;
        item.append(anchor, `: ${problem.text}`);
        return item;
      }),
    );
    list.hidden = problems.length === 0;
  }

  function show() {
    if (!token) return;
    for (const frame of panel.querySelectorAll("[data-scheme]")) {
      // Set even an unchanged URL, since two drafts of the same second have the same link.
      frame.src = `/preview/${token}/${frame.dataset.scheme}/${find("page").value}`;
    }
  }

  // Use only the answer to the newest request of each kind.
  async function attempt(wish, more, done) {
    const own = ++asked[wish];
    try {
      const answer = await send({ again: token, ...more });
      if (own !== asked[wish]) return;
      tell(answer.problems || []);
      if (said.textContent === panel.dataset.failed) said.textContent = "";
      if (answer.link) await done(answer);
    } catch {
      said.textContent = panel.dataset.failed;
    }
  }

  function draw() {
    return attempt("draw", {}, (answer) => {
      token = answer.token;
      show();
    });
  }

  function copy() {
    return attempt("copy", { keep: "yes" }, async (answer) => {
      link.value = answer.link;
      find("shown").hidden = false;
      link.select();
      said.textContent = panel.dataset.select; // If the browser does not allow copying, or asks first.
      await navigator.clipboard?.writeText(answer.link).then(
        () => (said.textContent = panel.dataset.copied),
        () => {},
      );
    });
  }

  function later() {
    clearTimeout(timer);
    if (panel.open) timer = setTimeout(draw, PAUSE);
  }

  form.addEventListener("input", (event) => fields.includes(event.target.name) && later());
  panel.addEventListener("toggle", () => panel.open && draw());
  find("page").addEventListener("change", show);
  find("link").addEventListener("click", copy);
  if (panel.open) draw();
})();
