// Renders every captcha of the page and puts its token into its own form. Without Google's script it says so.
(() => {
  "use strict";

  const PATIENCE = 8000; // Milliseconds until a visitor is told that Google's script did not come.
  const PAUSE = 100;
  const WIDTH = 304; // Pixels of Google's checkbox; where there is less room, its compact form serves.

  // Google's script comes in two halves from two hosts, and only the second one answers.
  const ready = new Promise((resolve) => {
    (function look() {
      if (window.grecaptcha && window.grecaptcha.ready) {
        window.grecaptcha.ready(resolve);
      } else {
        setTimeout(look, PAUSE);
      }
    })();
  });
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new Error("Google's script did not come")), PATIENCE);
  });
  const loaded = () => Promise.race([ready, late]); // Ready goes first: what comes late still serves.

  function problem(form, hidden = false) {
    form.querySelector("[data-captcha-problem]").hidden = hidden;
  }

  // Kinds that run at the press of the button: hold the form back, get a token, then send the form as if
  // pressed again, so that validation and every other listener still see it.
  function atSubmit(form, execute) {
    let running = false;
    let passed = false;
    form.addEventListener("submit", (event) => {
      if (passed) {
        passed = false;
        return;
      }
      event.preventDefault();
      event.stopImmediatePropagation();
      if (running) return;
      running = true;
      const button = event.submitter;
      execute().then(
        () => {
          running = false;
          passed = true;
          form.requestSubmit(button);
        },
        () => {
          running = false;
          problem(form);
        },
      );
    });
  }

  function checkbox(element) {
    return ready.then(() => {
      const size = element.clientWidth < WIDTH ? "compact" : "normal";
      const id = window.grecaptcha.render(element, { sitekey: element.dataset.sitekey, theme: theme(), size });
      window.addEventListener("pageshow", (event) => event.persisted && window.grecaptcha.reset(id));
    });
  }

  function invisible(element) {
    let settle = { resolve: () => {}, reject: () => {} };
    const rendered = ready.then(() =>
      window.grecaptcha.render(element, {
        sitekey: element.dataset.sitekey,
        size: "invisible",
        callback: () => settle.resolve(),
        "error-callback": () => settle.reject(),
      }),
    );
    atSubmit(element.closest("form"), async () => {
      await loaded();
      const id = await rendered;
      window.grecaptcha.reset(id);
      return new Promise((resolve, reject) => {
        settle = { resolve, reject };
        window.grecaptcha.execute(id);
      });
    });
    return rendered;
  }

  function scored(element) {
    const { sitekey, action } = element.dataset;
    atSubmit(element.form, async () => {
      await loaded();
      element.value = await window.grecaptcha.execute(sitekey, { action });
    });
    return ready;
  }

  function theme() {
    return window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  }

  const kinds = { "v2-checkbox": checkbox, "v2-invisible": invisible, v3: scored };
  for (const element of document.querySelectorAll(".g-recaptcha[data-kind]")) {
    const form = element.closest("form");
    loaded().catch(() => problem(form));
    kinds[element.dataset.kind](element).then(
      () => problem(form, true),
      () => problem(form),
    );
  }
})();
