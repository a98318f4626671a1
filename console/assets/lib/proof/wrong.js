// What does not hold, and where.

/** Something is not as it has to be. `step` is the name of the step that failed; `place` is where: a line, a position. */
export class Wrong extends Error {}

/** This browser lacks what checking needs: nothing was found out. */
export class Unsupported extends Error {}

/** Throws `Wrong` unless `isSo`. */
export function expect(isSo, otherwise) {
  if (!isSo) throw new Wrong(otherwise);
}

/** Runs one step: tells `passed` when it holds, and gives what fails its name. */
export async function step(name, passed, act) {
  try {
    const result = await act();
    passed?.(name, result);
    return result;
  } catch (error) {
    error.step ??= name;
    throw error;
  }
}
