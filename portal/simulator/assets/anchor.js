// The box in reCAPTCHA's frame: ticking it fetches a token and hands it to the page that shows the frame.
"use strict";

const asked = new URLSearchParams(location.search);
const box = document.getElementById("robot");
const said = document.getElementById("said");

function tell(message) {
  parent.postMessage({ recaptcha: asked.get("id"), ...message }, asked.get("co"));
}

async function tick() {
  if (!box.checked) {
    tell({ token: "" });
    return;
  }
  const form = new URLSearchParams({ k: asked.get("k"), kind: "v2-checkbox", hostname: new URL(asked.get("co")).hostname });
  try {
    const answer = await fetch("/recaptcha/api2/token", { method: "POST", body: form });
    if (!answer.ok) throw new Error("refused");
    tell({ token: (await answer.json()).token });
    said.textContent = "";
  } catch {
    box.checked = false;
    said.textContent = "Could not connect. Try again.";
    tell({ error: true });
  }
}

function untick(event) {
  if (event.source !== parent || event.data?.recaptcha !== "reset") return;
  box.checked = false;
  said.textContent = event.data.expired ? "Verification expired. Tick the box again." : "";
}

if (box) {
  box.addEventListener("change", tick);
  window.addEventListener("message", untick);
  box.disabled = false; // Before this line nobody would notice that it is ticked.
}
