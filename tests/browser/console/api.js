// The APIs, asked beside the console, to compare with what it shows.

export class Api {
  constructor(base, token) {
    Object.assign(this, { base, token });
  }

  async ask(method, path, body, headers = {}) {
    const response = await fetch(`${this.base}/${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, "content-type": path.startsWith("fhir") ? "application/fhir+json" : "application/json", ...headers },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  get(path) {
    return this.ask("GET", path);
  }

  /** All events of a chart, oldest first. */
  async events(patient) {
    const events = [];
    for (let cursor = ""; cursor !== undefined; ) {
      const page = await this.get(`v1/patients/${patient}/events?count=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
      events.push(...page.events);
      cursor = page.next;
    }
    return events;
  }

  /** A chart with a correction in it, all of its events, and the one that corrects. */
  async corrected() {
    for (const { resource } of (await this.get("fhir/Patient?_count=50")).entry) {
      const events = await this.events(resource.id);
      const amended = events.find((event) => event.type === "Observation.amended");
      if (amended) return { patient: resource.id, events, amended };
    }
    throw new Error("the demo has no corrected observation");
  }
}
