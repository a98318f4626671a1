// Work that is spread over frames, so that none of them takes long.

/** How long the work of one frame may take, in milliseconds; the rest waits for the next. */
const BUDGET = 10;

const jobs = new Map();
let isWaiting = false;

/** Does `job` in a frame to come. A job with a key that waits already takes the place of that one. */
export function inFrame(key, job) {
  jobs.set(key, job);
  if (!isWaiting) {
    isWaiting = true;
    requestAnimationFrame(work);
  }
}

/** Takes back what waits under a key. */
export function notInFrame(key) {
  jobs.delete(key);
}

function work() {
  const end = performance.now() + BUDGET;
  for (const [key, job] of jobs) {
    jobs.delete(key);
    job();
    if (performance.now() >= end) break;
  }
  isWaiting = jobs.size > 0;
  if (isWaiting) requestAnimationFrame(work);
}
