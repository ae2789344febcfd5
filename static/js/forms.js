// Sends a form once, however often its button is pressed. The server keeps the same promise without this.
(() => {
  "use strict";

  for (const form of document.querySelectorAll("form[data-once]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) {
        event.preventDefault();
        return;
      }
      form.dataset.sent = "yes";
      form.querySelector("button.main").setAttribute("aria-disabled", "true");
    });
    window.addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      delete form.dataset.sent;
      form.querySelector("button.main").removeAttribute("aria-disabled");
    });
  }
})();
