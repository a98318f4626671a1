// Signing in: at the provider, as a user of development, or with a token.

import { html, useEffect, useState } from "../lib/html.js";
import { asking, signInAt, signInWith } from "../lib/session.js";
import { Failure, Field } from "../lib/ui.js";

export function SignIn({ settings: { provider, users }, failed }) {
  return html`<div class="narrow">
    <h1>Sign in</h1>
    <p>What you see here is what you may see, and every look is recorded.</p>
    <${Failure} error=${failed} />
    ${users?.length
      ? html`<${Development} provider=${provider} users=${users} />`
      : provider && html`<p><button type="button" class="main" onClick=${() => signInAt(provider)}>Sign in at ${hostOf(provider.issuer)}</button></p>`}
    <${Token} isOpen=${!provider} />
  </div>`;
}

function hostOf(issuer) {
  try {
    return new URL(issuer).host;
  } catch {
    return issuer;
  }
}

/** The users of a server for development: one button each, which sends what the page of the server would. */
function Development({ provider, users }) {
  const [fields, setFields] = useState(null);
  useEffect(() => {
    asking(provider).then(setFields);
  }, [provider]);
  return html`<form method="post" action=${provider.authorizationEndpoint} class="people">
    <p class="note">This server is for development: nobody is asked for a password.</p>
    ${fields && Object.entries(fields).map(([name, value]) => html`<input type="hidden" name=${name} value=${value} />`)}
    ${users.map((user, index) => html`<button class=${index ? "" : "main"} name="user" value=${user.sub} disabled=${!fields}>
      Continue as ${user.name}${user.role ? html`, <span>${user.role}</span>` : null}</button>`)}
  </form>`;
}

function Token({ isOpen }) {
  const [problem, setProblem] = useState([]);
  const submit = (event) => {
    event.preventDefault();
    const token = new FormData(event.target).get("token").trim().replace(/^Bearer /i, "");
    if (/^[\w\-.~+/=]+$/.test(token)) signInWith(token);
    else setProblem(["This is no token: it has letters, digits and -._~+/= only."]);
  };
  return html`<details open=${isOpen}><summary>With a token</summary>
    <form onSubmit=${submit}>
      <${Field} label="Token" hint="It stays in the memory of this page, and is gone when the page is closed." problems=${problem}>
        ${(field) => html`<textarea ...${field} name="token" rows="4" required autocomplete="off" spellcheck=${false}></textarea>`}
      <//>
      <button>Sign in</button>
    </form></details>`;
}
