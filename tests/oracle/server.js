// The server under test, over a few connections that stay open.

import http from 'node:http';

const CONNECTIONS = 12;

export class Server {
  #base;
  #token;
  #agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });

  // The FHIR base URL, such as http://127.0.0.1:8080/fhir, and a token.
  constructor(base, token) {
    this.#base = base;
    this.#token = token;
  }

  // Status and body (as text) of a request; the path is relative to the base.
  request(method, path, body) {
    const headers = { authorization: `Bearer ${this.#token}`, accept: 'application/fhir+json' };
    if (body) headers['content-type'] = 'application/fhir+json';
    return new Promise((resolve, reject) => {
      const options = { method, headers, agent: this.#agent };
      const request = http.request(`${this.#base}/${path}`, options, (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({ status: response.statusCode, text, location: response.headers.location });
        });
      });
      request.on('error', (error) => {
        // The server has closed a connection that was idle, in the moment in which it was used again.
        if (request.reusedSocket && error.code === 'ECONNRESET') resolve(this.request(method, path, body));
        else reject(new Error(`${method} ${path}: ${error.message}`));
      });
      request.end(body);
    });
  }

  // How many resources match; or why the server refuses the search.
  async count(type, parameters) {
    const { status, text } = await this.request('GET', `${type}?${query([...parameters, ['_summary', 'count']])}`);
    const body = JSON.parse(text);
    return status === 200 ? { total: body.total } : { refused: `${status}: ${body.issue?.[0]?.diagnostics}` };
  }

  // Ids of all matches, over all pages.
  async ids(type, parameters) {
    const ids = [];
    let path = `${type}?${query([...parameters, ['_elements', 'id'], ['_count', '1000']])}`;
    while (path) {
      const { text } = await this.request('GET', path);
      const { entry = [], link } = JSON.parse(text);
      ids.push(...entry.map(({ resource }) => resource.id));
      path = link.find(({ relation }) => relation === 'next')?.url.slice(this.#base.length + 1);
    }
    return ids;
  }

  close() {
    this.#agent.destroy();
  }
}

const query = (pairs) => pairs.map((pair) => pair.map(encodeURIComponent).join('=')).join('&');

// Does something with each item, as many at a time as there are connections.
export async function forEach(items, action) {
  const iterator = items.values();
  const worker = async () => {
    for (const item of iterator) await action(item);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
}
