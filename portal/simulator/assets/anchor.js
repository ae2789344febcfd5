// The checkbox in reCAPTCHA's frame: ticking it fetches a token and sends it to the embedding page.
"use strict";

const params = new URLSearchParams(location.search);
const box = document.getElementById("robot");
const message = document.getElementById("said");

function post(data) {
  parent.postMessage({ recaptcha: params.get("id"), ...data }, params.get("co"));
}

async function tick() {
  if (!box.checked) {
    post({ token: "" });
    return;
  }
  const form = new URLSearchParams({ k: params.get("k"), kind: "v2-checkbox", hostname: new URL(params.get("co")).hostname });
  try {
    const answer = await fetch("/recaptcha/api2/token", { method: "POST", body: form });
    if (!answer.ok) throw new Error("refused");
    post({ token: (await answer.json()).token });
    message.textContent = "";
  } catch {
    box.checked = false;
    message.textContent = "Could not connect. Try again.";
    post({ error: true });
  }
}

function untick(event) {
  if (event.source !== parent || event.data?.recaptcha !== "reset") return;
  box.checked = false;
  message.textContent = event.data.expired ? "Verification expired. Tick the box again." : "";
}

if (box) {
  box.addEventListener("change", tick);
  window.addEventListener("message", untick);
  box.disabled = false; // Only now, since a tick before this line would have no effect.
}
