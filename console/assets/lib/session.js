// Who signed in. A token is kept in the memory of this page alone: closing or reloading the page forgets it.

const WAY = "chartlog.sign-in";
/** Rights that are granted by their name alone: `user/*.cruds` does not include them. */
const BY_NAME = ["AuditEvent", "BreakGlass", "ChartErasure", "ChartHold", "Feed", "Retention", "SearchParameter"];

let session = null;
const listeners = new Set();

/** `{ token, name, sub, scopes }`, or null if nobody signed in. */
export function current() {
  return session;
}

/** Calls `listener` whenever somebody signs in or out; gives what ends that. */
export function watch(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The value of the header `Authorization`, or nothing. */
export function authorization() {
  return session && `Bearer ${session.token}`;
}

/** Whether the token grants the letter (of `cruds`) on a type by some scope; the server decides, this only hides what cannot work. */
export function may(letter, type) {
  const order = "cruds";
  return session?.scopes.some((scope) => {
    const [, name, rights] = /^(?:user|patient|system)\/([A-Za-z]+|\*)\.([a-z*]+)/.exec(scope) ?? [];
    const letters = { read: "rs", write: "cud", "*": order }[rights] ?? rights;
    const byName = BY_NAME.includes(type);
    return letters?.includes(letter) && (name === type || (name === "*" && !byName));
  });
}

/** Signs in with a token. */
export function signInWith(token) {
  const claims = claimsOf(token);
  session = {
    token,
    sub: claims?.sub,
    name: claims?.name ?? claims?.sub ?? "a token",
    scopes: String(claims?.scope ?? claims?.scp ?? "").split(/[ ,]/).filter(Boolean),
  };
  tell();
}

/** Forgets the token. */
export function signOut() {
  session = null;
  tell();
}

/** The server took the token for none. */
export function expired() {
  if (session) signOut();
}

function tell() {
  for (const listener of listeners) listener();
}

/** What a JWT says, unproven: it is shown, and the server believes none of it. */
function claimsOf(token) {
  try {
    const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(payload), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

/** Where this page is, without what differs between its views: browsers come back here. */
function here() {
  return new URL("../", import.meta.url).href;
}

/**
 * Begins the authorization code flow with PKCE (RFC 7636), and gives its parameters. What is needed when the browser comes
 * back is kept in the session storage: no token is.
 */
export async function asking(provider) {
  const [verifier, state] = [random(), random()];
  const challenge = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  sessionStorage.setItem(WAY, JSON.stringify({ verifier, state, view: location.hash }));
  return {
    response_type: "code",
    client_id: provider.clientId,
    redirect_uri: here(),
    scope: provider.scope,
    aud: provider.audience,
    state,
    code_challenge: base64url(challenge),
    code_challenge_method: "S256",
  };
}

/** Sends the browser to the provider. */
export async function signInAt(provider) {
  const address = new URL(provider.authorizationEndpoint);
  for (const [name, value] of Object.entries(await asking(provider))) address.searchParams.set(name, value);
  location.assign(address);
}

/** If the browser comes back from the provider: takes the token, or throws why there is none. */
export async function comeBack(provider) {
  const answer = new URLSearchParams(location.search);
  if (!answer.has("state")) return;
  const way = JSON.parse(sessionStorage.getItem(WAY) ?? "null");
  sessionStorage.removeItem(WAY);
  history.replaceState(null, "", here() + (way?.view ?? ""));
  if (!provider || answer.get("state") !== way?.state) throw new Error("This sign-in was not begun here; please begin again.");
  if (answer.has("error")) {
    throw new Error(`The provider refused: ${answer.get("error_description") ?? answer.get("error")}`);
  }
  const response = await fetch(provider.tokenEndpoint, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code",
      code: answer.get("code") ?? "",
      redirect_uri: here(),
      client_id: provider.clientId,
      code_verifier: way.verifier,
    }),
  });
  const data = await response.json();
  if (!response.ok) throw new Error(`The provider gave no token: ${data.error_description ?? data.error}`);
  signInWith(data.access_token);
}

function random() {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64url(bytes) {
  const text = btoa(String.fromCharCode(...new Uint8Array(bytes)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
