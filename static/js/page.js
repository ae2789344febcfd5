// Conveniences of signed-in pages: the menu closes by itself, numbers can be copied, and a tap shows a bar's value.
// The pages work without this script too.
(() => {
  "use strict";

  const menu = document.querySelector(".person");
  document.addEventListener("click", (event) => menu?.contains(event.target) || menu?.removeAttribute("open"));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu?.open) return;
    menu.removeAttribute("open");
    menu.querySelector("summary").focus();
  });

  // On a touch screen the first tap on a bar shows its value, and the second opens the month.
  let touched = null;
  document.addEventListener("pointerdown", (event) => {
    const bar = event.pointerType === "touch" && event.target.closest(".plot a");
    if (bar && bar !== touched) {
      touched = bar;
      bar.addEventListener("click", (click) => click.preventDefault(), { once: true });
    } else if (!bar) touched = null;
  });

  // What a button says while its form is sent; forms.js does this for forms that are checked first.
  document.addEventListener("submit", ({ target, submitter }) => {
    if (!submitter?.dataset.busy || "once" in target.dataset) return;
    const idle = submitter.textContent;
    submitter.textContent = submitter.dataset.busy;
    addEventListener("pageshow", () => (submitter.textContent = idle), { once: true });
  });

  // Browsers offer the clipboard to secure pages alone.
  for (const text of navigator.clipboard ? document.querySelectorAll("[data-copy]") : []) {
    const button = document.getElementById("copy").content.firstElementChild.cloneNode(true);
    const [name, status] = button.querySelectorAll("span");
    name.textContent = ` ${text.dataset.copy}`;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text.dataset.copy);
      status.textContent = button.dataset.copied;
    });
    text.after(" ", button);
  }
})();
