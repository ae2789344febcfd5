// A small version of Google's api.js: render, execute, getResponse, reset and ready, for v2 and v3.
// It works under a strict content security policy: no eval, inline handlers or style attributes in markup.
(() => {
  "use strict";

  const source = new URL(document.currentScript.src);
  const base = source.href.slice(0, source.href.indexOf("/api.js"));
  const renderParameter = source.searchParams.get("render") || "onload";
  const lifetime = 120_000;
  const widgets = [];
  let waiting = [];

  // Callbacks are functions or, in data attributes, names of global functions.
  const callable = (value) => (typeof value === "function" ? value : window[value]) || (() => {});

  async function fetchToken(sitekey, kind, action = "") {
    const form = new URLSearchParams({ k: sitekey, kind, action, hostname: location.hostname });
    const answer = await fetch(`${base}/api2/token`, { method: "POST", body: form, credentials: "omit" });
    const data = await answer.json();
    if (!answer.ok) throw new Error(`reCAPTCHA: ${data.error}`);
    return data.token;
  }

  function responseField(id) {
    const field = document.createElement("textarea");
    field.id = id ? `g-recaptcha-response-${id}` : "g-recaptcha-response";
    field.name = "g-recaptcha-response";
    field.className = "g-recaptcha-response";
    field.setAttribute("aria-hidden", "true");
    field.hidden = true;
    field.style.display = "none";
    return field;
  }

  function anchorFrame(widget, { theme, size }) {
    const frame = document.createElement("iframe");
    const params = new URLSearchParams({ k: widget.sitekey, id: widget.id, co: location.origin, theme: theme || "light", size: size || "normal" });
    frame.title = "reCAPTCHA";
    const compact = size === "compact";
    frame.width = compact ? 164 : 304;
    frame.height = compact ? 144 : 78;
    frame.style.border = "0";
    frame.src = `${base}/api2/anchor?${params}`;
    return frame;
  }

  function accept(widget, token) {
    clearTimeout(widget.timer);
    widget.field.value = token;
    if (!token) return;
    widget.timer = setTimeout(() => expire(widget), lifetime);
    widget.callback(token);
  }

  function clear(widget, expired = false) {
    clearTimeout(widget.timer);
    widget.field.value = "";
    widget.frame?.contentWindow?.postMessage({ recaptcha: "reset", expired }, source.origin);
  }

  function expire(widget) {
    clear(widget, true);
    widget.expired();
  }

  function render(where, options = {}) {
    const container = typeof where === "string" ? document.getElementById(where) : where;
    if (!container) throw new Error("reCAPTCHA placeholder element must be an element or id");
    if (widgets.some((widget) => widget.container === container)) {
      throw new Error("reCAPTCHA has already been rendered in this element");
    }
    const settings = { ...container.dataset, ...options };
    if (!settings.sitekey) throw new Error("Missing required parameters: sitekey");
    const widget = {
      id: widgets.length,
      container,
      sitekey: settings.sitekey,
      callback: callable(settings.callback),
      expired: callable(settings["expired-callback"] ?? settings.expiredCallback),
      failed: callable(settings["error-callback"] ?? settings.errorCallback),
      field: responseField(widgets.length),
    };
    widgets.push(widget);
    const isButton = container.matches("button, input");
    if (!isButton && settings.size !== "invisible") {
      widget.frame = anchorFrame(widget, settings);
      container.append(widget.frame);
    }
    (isButton ? container.parentElement : container).append(widget.field);
    if (isButton) container.addEventListener("click", (event) => { event.preventDefault(); challenge(widget); });
    return widget.id;
  }

  async function challenge(widget) {
    try {
      accept(widget, await fetchToken(widget.sitekey, "v2-invisible"));
    } catch (error) {
      console.warn(error.message);
      widget.failed();
    }
  }

  function find(id = 0) {
    if (!widgets[id]) throw new Error("No reCAPTCHA clients exist.");
    return widgets[id];
  }

  function execute(target, { action } = {}) {
    if (typeof target !== "string") return challenge(find(target));
    if (target !== renderParameter) throw new Error(`Invalid site key or not loaded in api.js: ${target}`);
    return fetchToken(target, "v3", action);
  }

  function ready(callback) {
    if (waiting) waiting.push(callback);
    else setTimeout(callback);
  }

  function begin() {
    const due = [...(window.___grecaptcha_cfg?.fns ?? []), ...waiting];
    waiting = null;
    if (renderParameter === "onload") {
      for (const place of document.querySelectorAll(".g-recaptcha[data-sitekey]")) render(place);
    }
    const onload = source.searchParams.get("onload");
    if (onload) callable(onload)();
    for (const callback of due) callback();
  }

  window.addEventListener("message", (event) => {
    const widget = widgets.find((one) => one.frame && one.frame.contentWindow === event.source);
    if (!widget || event.origin !== source.origin) return;
    if (event.data.error) widget.failed();
    else accept(widget, event.data.token);
  });

  window.grecaptcha = {
    render,
    execute,
    ready,
    getResponse: (id) => find(id).field.value,
    reset: (id) => clear(find(id)),
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
