// The ceremony with a passkey (WebAuthn Level 3): the one thing that needs script.
//
// <form data-passkey="create|get" action="/…/begin" data-finish="/…/finish"> sends its fields to
// `action`, gives what comes back to the authenticator, sends the authenticator's answer with the
// same fields to `data-finish`, and goes where that says.
"use strict";
(() => {
  const bytes = (text) => {
    const padded = text.replaceAll("-", "+").replaceAll("_", "/");
    return Uint8Array.from(atob(padded), (letter) => letter.charCodeAt(0));
  };
  const text = (buffer) => {
    let letters = "";
    for (const byte of new Uint8Array(buffer)) letters += String.fromCharCode(byte);
    return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  };

  // From JSON to what the browser takes, and back (sections 5.1.8 to 5.1.10; not in every browser).
  const descriptors = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));
  const toCreate = (options) => ({
    ...options,
    challenge: bytes(options.challenge),
    user: { ...options.user, id: bytes(options.user.id) },
    excludeCredentials: descriptors(options.excludeCredentials),
  });
  const toGet = (options) => ({
    ...options,
    challenge: bytes(options.challenge),
    allowCredentials: descriptors(options.allowCredentials),
  });
  const toJson = (credential) => {
    const { response } = credential;
    const answer = { clientDataJSON: text(response.clientDataJSON) };
    if (response.attestationObject) {
      answer.attestationObject = text(response.attestationObject);
      if (response.getTransports) answer.transports = response.getTransports();
    } else {
      answer.authenticatorData = text(response.authenticatorData);
      answer.signature = text(response.signature);
      if (response.userHandle) answer.userHandle = text(response.userHandle);
    }
    return JSON.stringify({
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
      extensions: credential.getClientExtensionResults(),
      response: answer,
    });
  };

  const post = async (path, fields) => {
    const answer = await fetch(path, {
      method: "POST",
      headers: { accept: "application/json" },
      body: new URLSearchParams(fields),
      credentials: "same-origin",
      redirect: "error",
    });
    const said = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(said.message), { told: true });
    return said;
  };

  const run = async (form, button) => {
    const problem = form.querySelector("[data-problem]");
    const say = (message) => {
      problem.querySelector("span").textContent = message;
      problem.hidden = !message;
    };
    say("");
    button.disabled = true;
    form.setAttribute("aria-busy", "true");
    try {
      const fields = new FormData(form);
      const begun = await post(form.action, fields);
      const publicKey = begun.options.publicKey;
      const credential =
        form.dataset.passkey === "create"
          ? await navigator.credentials.create({ publicKey: toCreate(publicKey) })
          : await navigator.credentials.get({ publicKey: toGet(publicKey) });
      fields.set("ceremony", begun.id);
      fields.set("response", toJson(credential));
      const done = await post(form.dataset.finish, fields);
      location.assign(done.to);
    } catch (error) {
      const cancelled = error.name === "NotAllowedError" || error.name === "AbortError";
      const known = error.name === "InvalidStateError";
      say(
        error.told ? error.message
          : cancelled ? form.dataset.cancelled
          : known ? form.dataset.known || form.dataset.failed
          : form.dataset.failed,
      );
      button.disabled = false;
    } finally {
      form.removeAttribute("aria-busy");
    }
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const button = form.querySelector("button[data-ceremony]");
    const problem = form.querySelector("[data-problem]");
    if (!window.PublicKeyCredential || !navigator.credentials) {
      problem.querySelector("span").textContent = form.dataset.unsupported;
      problem.hidden = false;
      continue;
    }
    button.disabled = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      run(form, button);
    });
  }
})();
