// Makes the pages more convenient. All of them work without it.
"use strict";

// countDown shows the remaining seconds in element, then calls done.
function countDown(seconds, element, done) {
  const end = Date.now() + seconds * 1000;
  const tick = () => {
    const left = Math.ceil((end - Date.now()) / 1000);
    if (left <= 0) {
      clearInterval(timer);
      done();
      return;
    }
    const minutes = Math.floor(left / 60);
    element.textContent = minutes > 0
      ? minutes + ":" + String(left % 60).padStart(2, "0")
      : left + (left === 1 ? " second" : " seconds");
  };
  const timer = setInterval(tick, 250);
  tick();
}

// A form that was refused cannot be sent until the wait is over. Others can.
const wait = document.getElementById("retry-after");
if (wait) {
  const refused = [...document.forms].filter((form) => form.getAttribute("action") === wait.dataset.form);
  const disable = (disabled) => {
    for (const form of refused) for (const button of form.querySelectorAll("button")) button.disabled = disabled;
  };
  disable(true);
  countDown(Number(wait.dataset.seconds), wait.querySelector(".left"), () => {
    wait.textContent = "You can " + wait.dataset.again.toLowerCase() + " now.";
    disable(false);
  });
}

// A double click sends a form once. Otherwise the browser would drop the response
// to the first request, and with it the new session.
for (const form of document.forms) {
  let sent = false;
  form.addEventListener("submit", (event) => {
    if (sent) event.preventDefault();
    sent = true;
    setTimeout(() => { sent = false; }, 5000);
  });
}

// A passkey's button asks the browser for the passkey, and sends its response.
const refusals = {
  NotAllowedError: "That was cancelled, or took too long. Try again, or choose another way.",
  InvalidStateError: "This account has a passkey there already.",
};
for (const form of document.querySelectorAll("form[data-passkey]")) {
  const button = document.getElementById("ask");
  const refused = document.getElementById("passkey-refused");
  const refuse = (text) => {
    refused.textContent = text;
    refused.hidden = false;
    refused.focus();
  };
  if (!window.PublicKeyCredential?.parseCreationOptionsFromJSON) {
    refuse("This browser cannot use passkeys. Please choose another way.");
    continue;
  }
  button.disabled = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    refused.hidden = true;
    try {
      const { publicKey } = JSON.parse(form.dataset.options);
      const credential = form.dataset.passkey === "create"
        ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) })
        : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) });
      form.elements.passkey.value = JSON.stringify(credential);
      form.requestSubmit();
      return;
    } catch (error) {
      refuse(refusals[error.name] ?? "Your browser refused: " + error.message);
    }
    button.disabled = false;
  });
}

const resend = document.getElementById("resend");
if (resend && Number(resend.dataset.seconds) > 0) {
  const hint = document.getElementById("resend-hint");
  resend.disabled = true;
  countDown(Number(resend.dataset.seconds), hint.querySelector(".left"), () => {
    hint.textContent = "";
    resend.disabled = false;
  });
}

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  const label = button.textContent;
  button.addEventListener("click", async () => {
    const source = document.querySelector(button.dataset.copy);
    const items = [...source.querySelectorAll("li")].map((item) => item.textContent.trim());
    let text = items.length ? items.join("\n") : source.textContent.trim();
    if ("strip" in button.dataset) text = text.replaceAll(" ", "");
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Please copy it by hand";
    }
    document.getElementById("said").textContent = button.textContent;
    setTimeout(() => { button.textContent = label; document.getElementById("said").textContent = ""; }, 2000);
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// After an error, focus the field that it is about, or else its message.
const failed = document.querySelector("[aria-invalid=true]") || document.getElementById("error");
if (failed) {
  failed.focus();
  if (failed.select) failed.select();
}

// Reload a page that the browser restores from its cache: the user may have signed
// out since.
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
