// Renders each captcha and puts its token into its form. Shows an error if Google's script fails. Sends a form
// with `data-start` by itself: at once if its captcha needs no person, else when the box has been ticked.
(() => {
  "use strict";

  const PATIENCE = 8000; // Milliseconds until the script counts as failed.
  const PAUSE = 100;
  const LONGEST = 9000; // Milliseconds until the button works again.
  const WIDTH = 304; // Pixels of Google's checkbox; with less room, its compact form.

  // Google's script loads in two parts from two hosts; only the second calls the callbacks.
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
  const loaded = () => Promise.race([ready, late]); // Ready first, so that a late script still counts.

  // Shows the problem "load", "again" or "tick"; "" hides it.
  function problem(form, why = "") {
    const place = form.querySelector("[data-captcha-problem]");
    place.textContent = why && place.dataset[why];
    place.hidden = !why;
  }

  // Shows on the button that something is under way; forms.js does it.
  function waiting(form, on) {
    form.dispatchEvent(new CustomEvent("waiting", { detail: on }));
  }

  // True once, on a page that was opened by a link: not after Back or a reload, which would open it again and again.
  function starts(form) {
    const { start } = form.dataset;
    delete form.dataset.start;
    return start !== undefined && performance.getEntriesByType("navigation")[0]?.type === "navigate";
  }

  function holdBack(event) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  // For kinds that run when the button is pressed: get a token, then submit the form again. Google does not
  // report a closed challenge: after LONGEST the next press counts, and so does a challenge passed late.
  function atSubmit(form, execute) {
    let newest = 0;
    let running = false;
    let passed = false;
    form.addEventListener("submit", (event) => {
      if (passed) {
        passed = false;
        return;
      }
      holdBack(event);
      if (running || form.dataset.sent) return;
      const own = ++newest;
      const button = event.submitter;
      const over = (why) => {
        if (own !== newest) return false;
        clearTimeout(timer);
        running = false;
        problem(form, why);
        if (why) waiting(form, false);
        return true;
      };
      const timer = setTimeout(over, LONGEST, "again");
      running = true;
      problem(form);
      waiting(form, true);
      execute().then(
        () => {
          if (!over()) return;
          // A form cannot be submitted during its submit event.
          setTimeout(() => {
            passed = true;
            form.requestSubmit(button);
            passed = false; // If a field is invalid by now, no submit event has reset it.
            if (!form.dataset.sent) waiting(form, false);
          });
        },
        () => over("load"),
      );
    });
    // By then forms.js listens too.
    document.addEventListener("DOMContentLoaded", () => starts(form) && form.requestSubmit());
  }

  function checkbox(element) {
    const form = element.closest("form");
    let id;
    form.addEventListener("submit", (event) => {
      if (id !== undefined && window.grecaptcha.getResponse(id)) return;
      holdBack(event);
      problem(form, id === undefined ? "load" : "tick");
      element.querySelector("iframe")?.focus();
    });
    return ready.then(() => {
      const size = element.clientWidth < WIDTH ? "compact" : "normal";
      const { sitekey } = element.dataset;
      const callback = () => {
        problem(form);
        if ("start" in form.dataset) form.requestSubmit();
      };
      id = window.grecaptcha.render(element, { sitekey, theme: theme(), size, callback });
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
    loaded().catch(() => problem(form, "load"));
    kinds[element.dataset.kind](element).then(
      () => problem(form),
      () => problem(form, "load"),
    );
  }
})();
